"""Check a data set before training: pairs, image sizes, mask values, damaged files, duplicates, groups.

The checks are those of the prepare stage, with the settings of params.yaml. Nothing in FOLDER is changed. If FOLDER
holds annotations of another program, the message shows the command that converts them.
"""

import argparse
from pathlib import Path

from tools import parser, run


def main(given: argparse.Namespace) -> None:
    from src import params
    from src.convert.guide.recognise import conversion_hint
    from src.data.checks.dataset_checks import check_dataset, store_nothing
    from src.data.splits.advice import preview_split
    from src.data.splits.scene_cuts import group_rows
    from src.data.store.prepare import checked_dataset
    from src.errors import UserError
    from src.files import write_csv
    from src.report.text.check_report import report_findings
    from src.reproduction.workspace.untracked_files import warn_of_untracked
    from src.section import validate

    read = params.load()
    data = validate(params.Data, read.data.model_dump() | {"source": given.folder}, Path(given.folder))
    params.check_source(given.folder, Path(), Path(given.folder), "source")
    try:
        result = check_dataset(Path(given.folder), data, store_nothing)
        report_findings(result, given.out / "checks.csv", given.out / "contact-sheet.png")
    except UserError as error:
        raise UserError(f"{error}{conversion_hint(Path(given.folder))}") from None
    preview = preview_split(checked_dataset(result), read.split)
    print(*preview.lines, sep="\n")
    if preview.groups:
        table, count = given.out / "groups.csv", len(set(preview.groups.values()))
        write_csv(table, group_rows(preview.groups), ["image", "group"])
        print(f"  → proposed table: {table}, {count} groups of consecutive images that resemble each other")
        print("    look at it, copy it beside dataset.yaml, and set group to groups.csv:group")
    warn_of_untracked(given.folder)
    print(f"all findings: {given.out / 'checks.csv'}", flush=True)
    if preview.error:
        raise preview.error
    print(f"next: set data.source to {given.folder}, then dvc repro")


def arguments() -> argparse.ArgumentParser:
    check = parser("check", __doc__)
    check.add_argument("folder", metavar="FOLDER", help="a folder with images/, masks/ and, optionally, dataset.yaml")
    out = "where checks.csv and contact-sheet.png are written (default: logs/check)"
    check.add_argument("--out", type=Path, default=Path("logs/check"), metavar="FOLDER", help=out)
    return check


if __name__ == "__main__":
    run(arguments(), main)
