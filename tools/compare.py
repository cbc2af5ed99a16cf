"""Does run B score better than run A on the same test images? The answer is better, worse, or cannot tell.

A and B are experiments, Git revisions, or folders: a project, or a folder with scores.csv and dataset.yaml. A paired
bootstrap over groups of test images gives the interval of the difference. Images that only one of the runs tests are
left out. If masks differ between the runs, nothing is compared. With --all, the current commit, its experiments and the
workspace are ranked, and those that are indistinguishable from the best are marked.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import experiment_files, parser, run

if TYPE_CHECKING:
    from src.evaluation.comparison.runs import Run

EXAMPLES = """\
examples:
  python -m tools.compare HEAD .                         the commit against the workspace
  python -m tools.compare main slower --markdown pr.md   a branch against an experiment, for a pull request
  python -m tools.compare HEAD~1 HEAD --gate dice.mean=0.01 --gate iou.cell=0.02
                                                         exit status 1 if a score fell by more, with confidence
  python -m tools.compare slower --seeds                 how much scores vary between all seeds of this setting
  python -m tools.compare a1,a2,a3 b1,b2,b3 --seeds      two settings, with the variation between seeds included
  python -m tools.compare --all --by dice.cell           all experiments of this commit, ranked by one class
"""


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.evaluation.comparison.limits import check_gates, read_gates, stop_on_failed
    from src.files import write_json, write_text
    from src.report.text.comparison import comparison_markdown, comparison_text

    if given.all:
        rank(given)
        return
    if given.by is not None:
        raise UserError("--by chooses the score of --all; without it, all scores are compared")
    if given.first is None:
        raise UserError("name two runs, A and B, or give --all")
    if given.second is None and (given.gate or not given.seeds):
        raise UserError("name two runs, A and B; a single run is allowed with --seeds and without --gate only")
    names = [text for text in (given.first, given.second) if text is not None]
    if not all(all(text.split(",")) for text in names):
        raise UserError("a name is empty: A and B are experiments, Git revisions or folders")
    if not given.seeds and any("," in text for text in names):
        raise UserError("a list of runs such as a,b,c: several runs of one setting are compared by --seeds")
    sides, without = read_sides(given)
    gates = read_gates(given.gate, sides[0][0].dataset.names)
    compared = compare_sides(given, sides)
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


def rank(given: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.evaluation.comparison.ranking import BY, rank_runs
    from src.files import write_json, write_text
    from src.report.text.ranking import ranking_markdown, ranking_text
    from src.reproduction.history.all_runs import read_all_runs

    if given.first is not None or given.seeds or given.gate:
        raise UserError("--all ranks all experiments: give no names, no --seeds and no --gate with it")
    found = read_all_runs(experiment_files())
    ranked = rank_runs(found.runs, given.by or BY, given.method, found.left_out)
    print(ranking_text(ranked))
    if given.json:
        write_json(given.json, ranked)
    if given.markdown:
        write_text(given.markdown, ranking_markdown(ranked))


def read_sides(given: argparse.Namespace) -> tuple[list[list["Run"]], list[str]]:
    """Read the runs of A and, if it is named, of B. Also return the names of other seeds whose scores are missing."""
    from src.reproduction.history.experiments import read_runs, with_other_seeds

    files = experiment_files()
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


def compare_sides(given: argparse.Namespace, sides: list[list["Run"]]) -> dict[str, Any]:
    from src.evaluation.comparison.comparison import compare
    from src.evaluation.comparison.seeds import compare_seeds, summarize_seeds

    if not given.seeds:
        return compare(sides[0][0], sides[1][0], given.method)
    if len(sides) == 1:
        return summarize_seeds(sides[0], given.method)
    return compare_seeds(sides[0], sides[1], given.method)


def arguments() -> argparse.ArgumentParser:
    compare = parser("compare", __doc__, EXAMPLES)
    compare.add_argument("first", metavar="A", nargs="?", help="an experiment, a Git revision or a folder")
    compare.add_argument("second", metavar="B", nargs="?", help="another one, which may be better")
    compare.add_argument("--all", action="store_true", help="rank the commit, its experiments and the workspace")
    compare.add_argument("--by", metavar="KEY", help="score to rank by: dice.mean (default), iou.mean, dice.CLASS …")
    several = "A and B are lists of runs such as a,b,c; for a single run, all other seeds of its setting are added,"
    compare.add_argument("--seeds", action="store_true", help=f"{several} from HEAD and its experiments")
    compare.add_argument(
        "--method",
        metavar="NAME",
        help="method to compare (default: unet, or the only one in the table)",
    )
    gate = "exit with 1 if this score falls by more than NUMBER, with confidence: dice.mean, iou.mean, dice.CLASS …"
    compare.add_argument("--gate", action="append", default=[], metavar="KEY=NUMBER", help=f"{gate} (may be repeated)")
    compare.add_argument("--markdown", type=Path, metavar="FILE", help="also write it as Markdown, for a pull request")
    compare.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers as JSON")
    return compare


if __name__ == "__main__":
    run(arguments(), main)
