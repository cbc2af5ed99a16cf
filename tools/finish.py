"""Finish a running training early, with all its outputs: shorten its schedule instead of stopping it.

After its next step, the learning rate falls to 0 in a tenth as many steps as were done so far. Validation, decisions
and all outputs follow, as after a training of full length. With several machines, run this on the first one; it takes
effect after the epoch. metrics/train.json holds the step in shortened_after. train.finish_after in params.yaml repeats
such a training.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.finish
  python -m tools.finish --process 4711
"""


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError, listing
    from src.trainings import running_trainings

    running = running_trainings(Path.cwd())
    chosen = [training for training in running if given.process in (None, training.process)]
    if not running:
        raise UserError("no training is running in this project or in its experiments")
    if not chosen:
        raise UserError(f"process {given.process} is not a training; running are:\n{listing(map(str, running))}")
    if len(chosen) > 1:
        raise UserError(f"several trainings are running; choose one by --process:\n{listing(map(str, chosen))}")
    chosen[0].request_finish()
    print(f"asked {chosen[0]} to shorten its training; it answers in its own output")


if __name__ == "__main__":
    arguments = parser("finish", __doc__, EXAMPLES)
    arguments.add_argument("--process", type=int, metavar="PID", help="which training, if several are running")
    run(arguments, main)
