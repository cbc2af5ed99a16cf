"""Read the data set, check every pair, and store it so that random patches are read without decoding whole images."""

from src.params import Params
from stages import CHECKS, PREPARED, SHEET, run


def main(params: Params) -> None:
    from src.data.store.prepare import prepare
    from src.report.text.check_report import report
    from src.reproduction.workspace.untracked_files import warn_of_untracked

    prepare(params.data, PREPARED, lambda gate: report(gate, CHECKS, SHEET))
    warn_of_untracked(params.data.source)


if __name__ == "__main__":
    run("prepare", __doc__, main)
