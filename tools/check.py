"""Check a data set before anything is trained on it: pairs, sizes, values of masks, damaged and doubled images, groups.

Reads every file once, as the prepare stage does, and changes nothing in FOLDER. Takes its settings from params.yaml.
"""

import argparse
from pathlib import Path

from tools import parser, run


def main(arguments: argparse.Namespace) -> None:
    from src import params
    from src.data.checks.dataset_checks import check_dataset
    from src.data.splits.advice import preview_split
    from src.data.store.prepare import described
    from src.report.text.check_report import report
    from src.reproduction.workspace.untracked_files import warn_of_untracked
    from src.section import validate

    read = params.load()
    data = validate(params.Data, read.data.model_dump() | {"source": arguments.folder}, Path(arguments.folder))
    params.check_source(arguments.folder, Path(), Path(arguments.folder), "source")
    gate = check_dataset(Path(arguments.folder), data, lambda image, codes: (0, 0))
    report(gate, arguments.out / "checks.csv", arguments.out / "contact-sheet.png")
    lines, error = preview_split(described(gate), read.split)
    print(*lines, sep="\n")
    warn_of_untracked(arguments.folder)
    print(f"every finding: {arguments.out / 'checks.csv'}", flush=True)
    if error:
        raise error
    print(f"next: set data.source to {arguments.folder}, then dvc repro")


if __name__ == "__main__":
    check = parser("check", __doc__)
    check.add_argument("folder", help="folder with images/, masks/ and, if wanted, a dataset.yaml")
    check.add_argument("--out", type=Path, default=Path("logs/check"), help="where the table and the contact sheet go")
    run(check, main)
