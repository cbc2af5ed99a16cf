"""Show the running training: loss, validation Dice, speed, remaining time and the last validation picture.

Run it in a second terminal, in the folder of the project. It finds trainings of `dvc repro` and `dvc exp run`, and
those of queued experiments. On a terminal, the text is refreshed until the training ends; elsewhere, it is printed
after each epoch. Ctrl-C ends the watcher and not the training.
"""

import argparse
import contextlib
import sys
import time
from pathlib import Path

from tools import parser, run

PAUSE = 1.0  # seconds between refreshes


def main(given: argparse.Namespace) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        watch(Path.cwd(), once=given.once, wait=given.wait)


def watch(root: Path, *, once: bool, wait: bool) -> None:
    """Show the trainings of a project.

    Args:
        root: The project.
        once: Show them once. Otherwise until none is running.
        wait: Wait until a training is running.
    """
    from datetime import datetime

    from src.watch.screen import Screen
    from src.watch.text import overview
    from src.watch.trainings import find_trainings
    from stages import HISTORY_TABLE, LOGS

    screen = Screen(sys.stdout)
    while True:
        found = find_trainings(root, LOGS, HISTORY_TABLE)
        running = any(training.running for training in found)
        if wait and not running:
            screen.show(["waiting for a training …"], "wait")
        else:
            wait = False
            screen.show(overview(found, root, datetime.now().astimezone()), [training.key for training in found])
            if once or not running:
                return
        time.sleep(PAUSE)


def arguments() -> argparse.ArgumentParser:
    watch = parser("watch", __doc__)
    watch.add_argument("--once", action="store_true", help="print the text once and exit")
    watch.add_argument("--wait", action="store_true", help="if no training is running, wait until one starts")
    return watch


if __name__ == "__main__":
    run(arguments(), main)
