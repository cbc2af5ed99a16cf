"""Read and check the data set, and store it so that random patches are read without decoding whole images."""

from src.params import Params
from stages import CHECKS, PREPARED, SHEET, run


def main(params: Params) -> None:
    from src.data.store.prepare import prepare
    from src.report.text.check_report import report_findings
    from src.reproduction.workspace.untracked_files import warn_of_untracked

    prepare(params.data, PREPARED, lambda result: report_findings(result, CHECKS, SHEET))
    warn_of_untracked(params.data.source)


if __name__ == "__main__":
    run("prepare", __doc__, main)
