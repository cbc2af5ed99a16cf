"""Measure the regret of tools.plan: train every candidate of its start set, and its choice, for equal times.

With --minutes M, the search takes up to a quarter of M, and its choice trains for the rest. Every candidate trains for
three quarters of M, without a search. The score is mean Dice as in metrics/test.json. The regret is that of the best
candidate minus that of the choice; it is negative if the search found something better than every candidate.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks.recipe import SETS, change, make_project, stage, test_dice, train
from src.errors import UserError
from src.files import read_json
from tools import parser, run

if TYPE_CHECKING:
    from src.data.store.subsets import Subset
    from src.plan.plan import Plan
    from src.search.candidate import Candidate
    from src.search.space import Space

EXAMPLES = """examples:
  python -m benchmarks.regret --sets street nuclei --minutes 5
  python -m benchmarks.regret --sets nuclei --minutes 5 --only-choice --seeds 0 1 2
"""
TRAINING = 0.75  # share of the minutes in which a candidate trains


def main(arguments: argparse.Namespace) -> None:
    """Train on every set and seed; print a line for each training, and the regrets."""
    regrets = []
    for name in arguments.sets:
        for seed in arguments.seeds:
            found = on_set(name, seed, arguments.minutes, arguments.only_choice)
            if not arguments.only_choice:
                regrets.append(regret(found))
                print(f"{name} | seed {seed} | regret {regrets[-1]:+.4f}", flush=True)
    if regrets:
        print(f"mean regret {mean(regrets):+.4f}, largest {max(regrets):+.4f}")


def on_set(name: str, seed: int, minutes: float, only_choice: bool) -> dict[str, float]:
    """Train the choice of the search and, unless only_choice, all candidates; return the Dice of each by its name."""
    found = {}
    with tempfile.TemporaryDirectory() as work:
        project = make_project(Path(work), name, {"seed": seed}, False)
        shipped = (project / "params.yaml").read_text()
        candidates = [] if only_choice else start_set(project)
        for candidate in [None, *candidates]:
            (project / "params.yaml").write_text(shipped)
            if candidate is None:
                print(searched(project, minutes), flush=True)
            else:
                change(project / "params.yaml", dict(candidate.settings))
                stage(project, "tools.plan", "--minutes", str(TRAINING * minutes), "--no-trials")
            words = "the choice" if candidate is None else str(candidate)
            took = train(project)
            found[words] = test_dice(project)
            steps = read_json(project / "metrics/train.json")["plan"]["train.steps"]
            line = (name, f"seed {seed}", words, f"{steps} steps", f"{took:.1f} min", f"{found[words]:.4f}")
            print(" | ".join(line), flush=True)
    return found


def regret(found: Mapping[str, float]) -> float:
    """Return the Dice of the best candidate minus that of the choice; the names are those of `on_set`."""
    return max(dice for name, dice in found.items() if name != "the choice") - found["the choice"]


def searched(project: Path, minutes: float) -> str:
    """Run the search in a project; return the table of what was tried, which it prints first."""
    command = [sys.executable, "-m", "tools.plan", "--minutes", str(minutes)]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError("the search failed: see above")
    return done.stdout.partition("\n\n")[0]


def start_set(project: Path) -> "list[Candidate]":
    """The candidates with which a search in this project starts."""
    return search_space(project)[0].start()


def search_space(project: Path) -> "tuple[Space, Subset, Subset]":
    """What a search in this project may try, and its training and validation images."""
    from src import params
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from src.search.space import Space, available_encoders, searched_settings
    from stages import PREPARED, SPLITS

    read, store = params.load(project / "params.yaml"), Store(project / PREPARED)
    trained, validated = (read_subset(project / SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated)
    encoders = available_encoders(read.model, lambda path: (project / path).exists())
    settings = searched_settings(read, [], encoders)

    def planner(asked: params.Params) -> "Plan":
        return plan_training(facts, asked.data, asked.augment, asked.model, asked.train)

    return Space(read, facts, settings, encoders, planner), trained, validated


if __name__ == "__main__":
    arguments = parser("regret", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.regret"
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=["nuclei"], help="default: nuclei")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="default: 0")
    arguments.add_argument("--minutes", type=float, default=5.0, help="for search and training; default: 5")
    arguments.add_argument("--only-choice", action="store_true", help="leave the candidates out")
    run(arguments, main)
