"""Does run B score better than run A on the same test images? In words: better, worse, or cannot tell.

A and B are experiments, Git revisions, or folders: a project's, or one with scores.csv and dataset.yaml. Both are
scored on the same drawn test images many times over (a paired bootstrap over groups), which tells a difference from the
luck of which images were tested. Images that only one of them tests are left out; if masks have changed, nothing is
compared.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import parser, run, run_files

if TYPE_CHECKING:
    from src.evaluation.comparison.runs import Run

EXAMPLES = """\
examples:
  python -m tools.compare HEAD .                         what is committed, and what is in the workspace
  python -m tools.compare main slower --markdown pr.md   a branch and an experiment, for a pull request
  python -m tools.compare HEAD~1 HEAD --gate dice.mean=0.01 --gate iou.cell=0.02
                                                         exit status 1 if a score fell by more, with confidence
  python -m tools.compare slower --seeds                 how much is the luck of training (all seeds of this setting)
  python -m tools.compare a1,a2,a3 b1,b2,b3 --seeds      two settings, with that luck taken into account
"""


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.evaluation.comparison.limits import check_gates, read_gates, stop_on_failed
    from src.files import write_json, write_text
    from src.report.text.comparison import comparison_markdown, comparison_text

    if given.second is None and (given.gate or not given.seeds):
        raise UserError("name two runs, A and B; one alone is enough for --seeds without --gate")
    names = [text for text in (given.first, given.second) if text is not None]
    if not all(all(text.split(",")) for text in names):
        raise UserError("a name is empty; A and B are experiments, Git revisions or folders")
    if not given.seeds and any("," in text for text in names):
        raise UserError("several runs of one setting, a,b,c, are compared by --seeds")
    sides, without = read(given)
    gates = read_gates(given.gate, sides[0][0].dataset.names)
    compared = compared_as(given, sides)
    if without:
        compared["without_scores"] = ", ".join(without)
    results = check_gates(gates, compared)
    if results:
        compared["gates"] = {key: asdict(result) for key, result in results.items()}
    print(comparison_text(compared))
    if given.json:
        write_json(given.json, compared)
    if given.markdown:
        write_text(given.markdown, comparison_markdown(compared))
    stop_on_failed(results)


def read(given: argparse.Namespace) -> tuple[list[list["Run"]], list[str]]:
    """The runs of A, and of B if it is named; and the names of other seeds that have no scores at hand."""
    from src.reproduction.history.experiments import read_runs, with_other_seeds

    files = run_files()
    texts = [text for text in (given.first, given.second) if text is not None]
    if not given.seeds:
        first, second = read_runs(texts, files)
        return [[first], [second]], []
    sides, without = [], []
    for text in texts:
        names = text.split(",")
        runs, missing = with_other_seeds(text, files) if len(names) == 1 else (read_runs(names, files), [])
        sides.append(runs)
        without += missing
    return sides, list(dict.fromkeys(without))


def compared_as(given: argparse.Namespace, sides: list[list["Run"]]) -> dict[str, Any]:
    from src.evaluation.comparison.comparison import compare
    from src.evaluation.comparison.seeds import compare_seeds, summarize_seeds

    if not given.seeds:
        return compare(sides[0][0], sides[1][0], given.method)
    if len(sides) == 1:
        return summarize_seeds(sides[0], given.method)
    return compare_seeds(sides[0], sides[1], given.method)


def arguments() -> argparse.ArgumentParser:
    compare = parser("compare", __doc__, EXAMPLES)
    compare.add_argument("first", metavar="A", help="an experiment, a Git revision or a folder")
    compare.add_argument("second", metavar="B", nargs="?", help="the one that may be better")
    several = "A and B are several runs of one setting, a,b,c; one alone is joined by all other seeds of its setting"
    compare.add_argument("--seeds", action="store_true", help=f"{several} among HEAD and its experiments")
    compare.add_argument(
        "--method", metavar="NAME", help="whose scores, of both (default: unet, or a table's only one)"
    )
    gate = "exit with 1 if this score falls by more than NUMBER with confidence: dice.mean, iou.mean, dice.CLASS …"
    compare.add_argument("--gate", action="append", default=[], metavar="KEY=NUMBER", help=f"{gate} (may be repeated)")
    compare.add_argument("--markdown", type=Path, metavar="FILE", help="write it there for a pull request, too")
    compare.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return compare


if __name__ == "__main__":
    run(arguments(), main)
