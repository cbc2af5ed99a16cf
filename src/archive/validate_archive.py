"""The door: an archive from anywhere is looked through, sizes and structure, before anything in it is used."""

import json
import math
import struct
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from src.archive.members import CONFIG, METADATA, PROJECT, WEIGHTS, read_members
from src.archive.network import Network, network_of
from src.archive.project import Project
from src.archive.weights import stored_shapes
from src.errors import UserError, printable
from src.section import validate

NOT_OURS = "not a model of this project"
REFUSED = (  # what foreign content can raise: RuntimeError stands for encryption and endless depth, too
    *(OSError, LookupError, AttributeError, TypeError, ValueError, EOFError, RuntimeError),
    *(struct.error, zipfile.BadZipFile),
)


def checked(path: Path) -> Project:
    """The project of the archive at `path`, all of which is as this project saves it; else `UserError` says what not.

    Nothing in it is run, and no array is made: neither by the size that a config names nor by the one that HDF5 tells.
    """
    try:
        members = read_members(path)
        _json(members, METADATA)
        network = network_of(_json(members, CONFIG))
        project = validate(Project, _json(members, PROJECT), Path(PROJECT))
        _refuse_misfits(project, network)
        _refuse_other_weights(network, members[WEIGHTS])
    except (UserError, *REFUSED) as error:
        what = f"{type(error).__name__}: " if isinstance(error, LookupError | AttributeError | TypeError) else ""
        lines = f"{what}{error}".split("\n")
        words = "\n".join(map(printable, lines))  # some are foreign, and a terminal might obey them
        raise UserError(f"{path}: {NOT_OURS}: {words}") from None
    return project


def _json(members: dict[str, bytes], name: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number")

    try:
        content = json.loads(members[name], parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name}: no JSON object")
    return content


def _refuse_misfits(project: Project, network: Network) -> None:
    """`ValueError` lists where project.json and the network tell different things."""
    told: dict[str, tuple[Any, Any]] = {
        "channels": (len(project.mean), network.inputs),
        "outputs": (project.outputs, network.outputs),
        "depth": (project.depth, network.pools),
    }
    for key, has in (("model.depth", network.pools), ("model.filters", network.filters)):
        if key in project.plan:
            told[key] = project.plan[key].value, has
    wrong = [f"{key}: {said!r}, the network has {has}" for key, (said, has) in told.items() if said != has]
    if wrong:
        raise ValueError(f"project.json: {'; '.join(wrong)}")


def _refuse_other_weights(network: Network, content: bytes) -> None:
    """`ValueError` if the weights are not those of the network; a file that cannot hold them is not opened."""
    numbers = sum(map(math.prod, network.shapes))
    if 4 * numbers > len(content):
        raise ValueError(f"model.weights.h5: {len(content)} bytes; the network has {numbers} weights of 4 bytes")
    wanted, found = Counter(network.shapes), Counter(stored_shapes(content))
    if wanted != found:
        missing, more = (sorted((a - b).elements())[:9] for a, b in ((wanted, found), (found, wanted)))
        raise ValueError(f"model.weights.h5: arrays missing: {missing}; not of the network: {more}")
