"""Is a model file one that this project saved? Members, sizes, structure and weights are checked before any use."""

import json
import math
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from src.archive.earlier_versions import EarlierVersion, in_present_keys
from src.archive.members import CONFIG, ENSEMBLE, METADATA, PROJECT, WEIGHTS, read_members
from src.archive.network import Json, Network, read_network
from src.archive.project import Project
from src.archive.weights import Shape, stored_shapes
from src.errors import UserError, printable
from src.section import validate

NOT_OURS = "not a model of this project"
REFUSED = (  # what foreign content can raise; RuntimeError: encrypted members and unlimited depth
    *(OSError, LookupError, AttributeError, TypeError, ValueError, EOFError, RuntimeError),
    *(struct.error, zipfile.BadZipFile),
)


@dataclass(frozen=True)
class Archive:
    """What a valid model file says of its network.

    Attributes:
        project: the content of project.json.
        network: the numbers from which the U-Net is built.
        stored: the shapes of its weights, sorted.
    """

    project: Project
    network: Network
    stored: Sequence[Shape]


def validate_archive(path: Path) -> Archive:
    """Check a model file that may come from anywhere.

    Nothing in the file is run. No array is made, whatever size the config or the HDF5 file names.

    Raises:
        UserError: the file is not one that this project saves, or one of an earlier version, or an ensemble; the
            message says what differs.
    """
    require_file(path)
    with refusals(str(path)):
        members = read_members(path)
        if ENSEMBLE in members:
            raise ValueError("it is an ensemble, and a single model is needed here")
        return archive_of(members)


def require_file(path: Path) -> None:
    """Raise `UserError` if there is no such file."""
    if not path.exists():
        raise UserError(f"{path}: {NOT_OURS}: no such file; dvc repro makes it")


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """Turn everything that foreign content raises into a `UserError` that starts with the place of the content."""
    try:
        yield
    except EarlierVersion as error:
        raise UserError(f"{place}: {error}") from None
    except (UserError, *REFUSED) as error:
        kind = f"{type(error).__name__}: " if isinstance(error, LookupError | AttributeError | TypeError) else ""
        lines = f"{kind}{error}".split("\n")
        message = "\n".join(map(printable, lines))  # foreign text could control the terminal
        raise UserError(f"{place}: {NOT_OURS}: {message}") from None


def archive_of(members: Mapping[str, bytes]) -> Archive:
    """Check the members of a model file; raises what `refusals` turns into a message.

    Args:
        members: Name → content, as `read_members` returns them.
    """
    read_json(members, METADATA)
    config = read_json(members, CONFIG)
    project = validate(Project, in_present_keys(read_json(members, PROJECT)), Path(PROJECT))
    network = read_network(config, project.encoder)
    _compare_project(project, network)
    return Archive(project, network, _compare_weights(network, members[WEIGHTS]))


def read_json(members: Mapping[str, bytes], name: str) -> Json:
    """Parse a member that must be a JSON object; `ValueError` if it is something else.

    Args:
        members: Name → content.
        name: Of the member to parse.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number that JSON allows")

    try:
        content = json.loads(members[name], parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name}: not a JSON object")
    return content


def _compare_project(project: Project, network: Network) -> None:
    """Raise `ValueError` with every number in which project.json and the network differ."""
    numbers: list[tuple[str, object, int]] = [
        ("channels", len(project.mean), network.channels),
        ("outputs", project.outputs, network.outputs),
        ("depth", project.depth, network.depth),
    ]
    for name, number in (("model.depth", network.depth), ("model.filters", network.filters)):
        if name in project.plan:
            numbers.append((name, project.plan[name].value, number))
    wrong = [f"{name}: {stated!r}, the network has {number}" for name, stated, number in numbers if stated != number]
    if wrong:
        raise ValueError(f"project.json: {'; '.join(wrong)}")


def _compare_weights(network: Network, content: bytes) -> list[Shape]:
    """Return the stored shapes. A file too small for the network is not opened.

    Raises:
        ValueError: these are not the network's weights. Of a network with another encoder than the plain one only the
            decoder is compared here. `read_model` compares the whole, once it has built the encoder.
    """
    wanted = Counter(network.weight_shapes if network.encoder == "plain" else network.decoder_shapes)
    numbers = sum(math.prod(shape) for shape in wanted.elements())
    if 4 * numbers > len(content):
        raise ValueError(f"model.weights.h5: {len(content)} bytes; the network has {numbers} weights of 4 bytes")
    shapes = stored_shapes(content)
    stored = Counter(shapes)
    if wanted - stored or (network.encoder == "plain" and stored - wanted):
        missing, extra = (sorted((a - b).elements())[:9] for a, b in ((wanted, stored), (stored, wanted)))
        raise ValueError(f"model.weights.h5: arrays missing: {missing}; not of the network: {extra}")
    return shapes
