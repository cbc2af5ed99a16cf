"""Check a data set before anything is trained on it: pairs, sizes, values of masks, damaged and doubled images, groups.

Reads every file once, as the prepare stage does, and changes nothing in FOLDER. Takes its settings from params.yaml.
"""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.data.gate import Gate

BEGINNING = "^(.+)[/_. -]"  # all before the last part of a name


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from src.data.copies import remark
    from src.data.gate import examine
    from src.report.gate import report
    from src.section import validate

    read = params.load()
    data = validate(params.AskedData, read.data.model_dump() | {"source": arguments.folder}, Path(arguments.folder))
    gate = examine(Path(arguments.folder), data, lambda image, codes: (0, 0))
    report(gate, arguments.out / "checks.csv", arguments.out / "contact-sheet.png")
    print(groups(gate, read.split.group))
    remark(arguments.folder)
    print(f"every finding: {arguments.out / 'checks.csv'}\nnext: set data.source to {arguments.folder}, then dvc repro")


def groups(gate: "Gate", rule: str) -> str:
    """How many groups `rule` (split.group) makes of the images; `UserError` if it, or a list, does not fit them."""
    from src.data.dataset import SUBSETS, read_lists
    from src.data.groups import groups_of, rule_of
    from src.data.lists import listed_groups

    dataset, ids = gate.encoding.dataset, list(gate.entries)
    own = groups_of(gate.source, rule_of(rule, dataset), ids)
    listed_groups(read_lists(gate.source, dataset), own, groups_of(gate.source, dataset.group, ids))
    sizes = sorted(Counter(own.values()).values())
    size = f"of {sizes[0]}" if sizes[0] == sizes[-1] else f"of {sizes[0]} to {sizes[-1]}"
    fewest = f"; every subset needs one, and there are {len(SUBSETS)}" if len(sizes) < len(SUBSETS) else ""
    return f"{len(sizes)} group(s) {size} image(s){fewest}" + (alike(ids) if sizes[-1] == 1 else "")


def alike(ids: Sequence[str]) -> str:
    """A line on names that begin alike, as frames of a video or slices of a scan do; nothing if few do."""
    begun = [re.match(BEGINNING, image) for image in ids]
    beginnings = Counter(match[1] for match in begun if match).most_common()
    if None in begun or not 1 < len(beginnings) <= len(ids) / 2:
        return ""
    (name, images), count = beginnings[0], len(beginnings)
    what = f"{len(ids)} names have {count} beginnings, as {name!r} of {images}: if each is a video, scan or patient"
    return f'\n{what}, its images must stay together → in dataset.yaml: group: "{BEGINNING}"'


if __name__ == "__main__":
    check = parser("check", __doc__)
    check.add_argument("folder", help="folder with images/, masks/ and, if wanted, a dataset.yaml")
    check.add_argument("--out", type=Path, default=Path("logs/check"), help="where the table and the contact sheet go")
    run(check, main)
