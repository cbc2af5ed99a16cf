"""Train this project and a peer on the same images for the same minutes, and score both by their test masks.

This project plans with `tools.plan --minutes`, trains and predicts; its minutes hold the trials of the plan. The peer
is a script outside this project (benchmarks/peer_runs.py says how it is called); its minutes hold its training. The two
alternate, and no other work should run. A data set is a folder in the one that SEG_DATASETS names, with images/, masks/
and test.txt or a dataset.yaml with official lists. The peer does not train on the images that validate this project,
unless --peer-uses-validation gives them to it. This project uses them to choose, and never trains on them.

One independent program scores the masks of both at native resolution (benchmarks/mask_scores.py): mIoU from the pixels
of all test images together, and mean Dice per image, both over the classes without the background, and without pixels
that the true mask says to ignore. Seconds are those of planning and of training, start of the programs included.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

from benchmarks.mask_scores import MaskScores, score_masks
from benchmarks.peer_runs import Peer, Task, Trained, train_ours, train_peer
from benchmarks.recipe import make_project, setting
from src.errors import UserError
from tools import parser, run

OURS, PEER = "ours", "peer"
EXAMPLES = """examples:
  python -m benchmarks.peer --peer ../smp.py --torch-python ../torch/bin/python --seeds 0 1 2
  python -m benchmarks.peer --peer ../smp.py --torch-python ../torch/bin/python --sets street --minutes 20
  python -m benchmarks.peer --sets street --seeds 0 1 2
"""


Program = Callable[[Task, float, int], Trained]  # of the minutes and the seed


@dataclass(frozen=True)
class Row:
    """One training: its data set, seed and program, and its result."""

    data: str
    seed: int
    program: str
    trained: Trained
    scores: MaskScores

    def __str__(self) -> str:
        steps = "– steps" if self.trained.steps is None else f"{self.trained.steps:,} steps"
        seconds = f"{self.trained.planning:.0f} + {self.trained.training:.0f} s"
        return f"{self.data} | seed {self.seed} | {self.program} | {steps} | {seconds} | {shown(self.scores)}"


def main(arguments: argparse.Namespace) -> None:
    """Run every set and seed with both programs; print a line for each training, then the means of each set."""
    programs: dict[str, Program] = {OURS: train_ours}
    if arguments.peer:
        peer = peer_of(arguments)
        trained_on = "also" if peer.uses_validation else "not"
        print(f"The peer does {trained_on} train on the images that validate this project.", flush=True)
        programs[PEER] = partial(train_peer, peer=peer)
    rows = []
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as work:
            project = make_project(Path(work), name, dict(map(setting, arguments.settings)), validation=False)
            task = Task.of(project, project / "data" / name)
            of_set = [
                row for seed in arguments.seeds for row in trainings(name, task, arguments.minutes, seed, programs)
            ]
        print(means(of_set), flush=True)
        rows += of_set
        if arguments.json:
            arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2, default=str) + "\n")


def peer_of(arguments: argparse.Namespace) -> Peer:
    """The peer with absolute paths, since programs run in a copy of the project."""
    python = shutil.which(arguments.torch_python)
    if not python:
        raise UserError(f"{arguments.torch_python}: there is no such program; --torch-python names the peer's Python")
    if not arguments.peer.is_file():
        raise UserError(f"{arguments.peer}: there is no such script; --peer names it")
    # A link to Python stays as it is: its place tells the environment.
    return Peer(arguments.peer.absolute(), str(Path(python).absolute()), arguments.peer_uses_validation)


def trainings(name: str, task: Task, minutes: float, seed: int, programs: Mapping[str, Program]) -> list[Row]:
    """Train with each program, score its masks, and print a line for each."""
    rows = []
    for program, train in programs.items():
        trained = train(task, minutes, seed)
        try:
            scores = score_masks(task.source / "masks", trained.masks, task.test, task.coding)
        except ValueError as error:
            raise UserError(f"{name}, {program}: {error}") from None
        rows.append(Row(name, seed, program, trained, scores))
        print(rows[-1], flush=True)
    return rows


def means(rows: list[Row]) -> str:
    """The mean of each program over the seeds of one data set, and with a peer the differences of the means."""
    lines, found = [], {}
    for program in dict.fromkeys(row.program for row in rows):
        scores = [row.scores for row in rows if row.program == program]
        miou, dice = mean(one.miou for one in scores), mean(one.dice for one in scores)
        found[program] = replace(scores[0], miou=miou, dice=dice)
        lines.append(f"{rows[0].data} | mean of {len(scores)} | {program} | | | {shown(found[program])}")
    if PEER in found:
        miou, dice = found[OURS].miou - found[PEER].miou, found[OURS].dice - found[PEER].dice
        lines.append(f"{rows[0].data} | ours - peer | | | | mIoU {miou:+.4f} | Dice {dice:+.4f}")
    return "\n".join(lines)


def shown(scores: MaskScores) -> str:
    return f"mIoU {scores.miou:.4f} | Dice {scores.dice:.4f}"


if __name__ == "__main__":
    arguments = parser("peer", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.peer"
    arguments.add_argument("--peer", type=Path, metavar="SCRIPT", help="the peer's script; default: no peer")
    arguments.add_argument("--torch-python", default=sys.executable, help="the Python of the environment with PyTorch")
    sets = ["street", "nuclei", "vessels"]
    arguments.add_argument("--sets", nargs="+", default=sets, metavar="NAME", help=f"default: {' '.join(sets)}")
    arguments.add_argument("--minutes", type=float, default=5, help="of each training, trials included; default: 5")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="of this project; default: 0")
    arguments.add_argument("--settings", nargs="+", default=[], metavar="KEY=VALUE", help="of this project")
    arguments.add_argument("--peer-uses-validation", action="store_true", help="the peer trains on those images, too")
    arguments.add_argument("--json", type=Path, help="write results and plans to this file as well")
    run(arguments, main)
