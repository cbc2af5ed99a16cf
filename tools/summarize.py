"""Summarize the experiments of a sweep: mean, spread and one interval over folds of a cross-validation, or seeds."""

import argparse
from pathlib import Path

from tools import experiment_files, parser, run

EXAMPLES = """examples:
  dvc exp run --queue -S split.folds=5 -S 'split.fold=range(0,5)' && dvc queue start
  python -m tools.summarize
"""


def main(arguments: argparse.Namespace) -> None:
    from src.evaluation.comparison.cv_summary import summarize_sweep
    from src.files import write_json
    from src.report.text.cv_summary import joined_text
    from src.reproduction.history.experiments import read_runs

    joined = summarize_sweep(read_runs(arguments.experiments, experiment_files()))
    print(joined_text(joined))
    if arguments.json:
        write_json(arguments.json, joined)


if __name__ == "__main__":
    summarize = parser("summarize", __doc__, EXAMPLES)
    summarize.add_argument(
        "experiments",
        nargs="*",
        metavar="EXPERIMENT",
        help="experiments or Git revisions; default: those of HEAD that differ only in split.fold, or in seed",
    )
    summarize.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers as JSON")
    run(summarize, main)
