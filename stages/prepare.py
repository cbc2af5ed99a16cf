"""Read the data set, check every pair, and store it so that random crops are read without decoding whole images."""

from src.params import Params
from stages import CHECKS, PREPARED, SHEET, run


def main(params: Params) -> None:
    from src.data.copies import remark
    from src.data.prepare import prepare
    from src.report.gate import report

    prepare(params.data, PREPARED, lambda gate: report(gate, CHECKS, SHEET))
    remark(params.data.source)


if __name__ == "__main__":
    run("prepare", __doc__, main)
