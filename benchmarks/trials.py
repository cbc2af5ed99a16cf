"""What short trials tell: validation Dice of the candidates of tools.plan after trainings of growing lengths.

Every training starts anew, and its learning rate falls to 0, as in the search. The output shows from which length on
the order of the candidates is that of long trainings.
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

from benchmarks.recipe import SETS, make_project
from benchmarks.regret import search_space
from tools import parser, run

IMAGES = 32  # validation images that are scored
EXAMPLES = """examples:
  python -m benchmarks.trials --sets street blue-marble
  python -m benchmarks.trials --sets nuclei --seconds 10 20 --only "as the rules choose"
"""


def main(arguments: argparse.Namespace) -> None:
    """Train all candidates on every set, the short trainings first; print a line for each training."""
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as work:
            project = make_project(Path(work), name, {"seed": arguments.seed}, False)
            with contextlib.chdir(project):  # weights of encoders are found from there
                on_set(name, arguments)


def on_set(name: str, arguments: argparse.Namespace) -> None:
    """Train the candidates in the project that is the current folder."""
    from src.model.search.trainer import DeviceTrainer

    space, trained, validated = search_space(Path())
    trainer = DeviceTrainer(space, trained, validated, lambda: None)
    chosen = [each for each in space.start() if not arguments.only or str(each) in arguments.only]
    steps = {candidate: trainer.prepare(candidate).step for candidate in chosen}
    for seconds in arguments.seconds:
        for candidate in chosen:
            trial = trainer.train(candidate, seconds, max(int(seconds / steps[candidate]), 1), IMAGES)
            steps[candidate] = trial.step
            line = (name, str(candidate), f"{seconds:g} s", f"{trial.steps} steps", f"{trial.dice:.4f}")
            print(" | ".join(line), flush=True)


if __name__ == "__main__":
    arguments = parser("trials", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.trials"
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=["nuclei"], help="default: nuclei")
    arguments.add_argument("--seconds", nargs="+", type=float, default=[9, 18, 37, 75, 150], help="of each training")
    arguments.add_argument("--only", nargs="+", default=[], metavar="NAME", help="candidates, as they are printed")
    arguments.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    run(arguments, main)
