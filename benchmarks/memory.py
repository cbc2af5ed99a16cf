"""Measure the peak memory of short trainings, each in its own process, and compare it with the estimate.

A training is a few steps and the validation of one image, as the stage does them. The peak is the Linux kernel's VmHWM
(ru_maxrss would begin at what the parent process held), which counts every page that is mapped, those of the libraries
and of the store included.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tools import parser, run

STEPS = 6  # the peak rises by a few per cent after the first ones, until the allocator has found its places
PAIRS = 3  # two to train on, one to validate on
COLUMNS = ("filters", "depth", "crop", "batch", "classes", "side", "bfloat16")
GRID: list[tuple[int, ...]] = [
    (8, 2, 128, 2, 2, 256),
    (8, 4, 256, 8, 5, 256),
    (16, 2, 256, 8, 2, 256),
    (16, 4, 128, 8, 3, 256),
    (16, 4, 128, 16, 5, 256),
    (16, 4, 256, 8, 2, 256),
    (16, 4, 512, 2, 2, 256),
    (32, 2, 256, 8, 5, 256),
    (32, 4, 256, 8, 2, 256),
    (32, 4, 512, 4, 5, 256),
    (64, 4, 128, 2, 2, 256),
    (16, 4, 128, 2, 2, 1536),
    (32, 4, 128, 2, 16, 1536),
]


def main(arguments: argparse.Namespace) -> None:
    """Without --one: the rows of the grid, each in both arithmetics."""
    if arguments.one:
        print(json.dumps(measure(dict(zip(COLUMNS, arguments.one, strict=True)), arguments.work)))
        return
    print(*COLUMNS, "measured", "estimated", "ratio", sep="\t")
    for row, bfloat16 in itertools.product(GRID[: arguments.rows], (0, 1)):
        found = measured((*row, bfloat16))
        ratio = found["estimated_mib"] / found["measured_mib"]
        print(*row, bfloat16, found["measured_mib"], found["estimated_mib"], f"{ratio:.2f}", sep="\t", flush=True)


def measured(row: tuple[int, ...]) -> dict[str, int]:
    """`measure` in a process of its own; row: as in `COLUMNS`."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "benchmarks.memory", "--work", work, "--one", *map(str, row)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, int] = json.loads(printed.splitlines()[-1])
    return found


def measure(setting: dict[str, int], work: Path) -> dict[str, int]:
    """Prepare a small data set and train on it; return the process's peak memory and the estimate, in MiB."""
    from src import params
    from src.data.store.prepare import prepare
    from src.data.store.subsets import Subset
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.params import PlannedModel, Precision
    from src.plan.facts import Facts
    from src.plan.memory import TrainingSize, peak_bytes
    from src.plan.plan import plan_training

    import_tensorflow_quietly()  # as the train stage does; the peak depends on it
    from src.model.training.loop import train_unet
    from src.model.training.setup import prepare_training

    make(work / "set", setting["side"], setting["classes"])
    chosen = params.load()
    data = chosen.data.model_copy(update={"source": str(work / "set"), "resize": 0, "crop": setting["crop"]})
    precision: Precision = "bfloat16" if setting["bfloat16"] else "float32"
    train = {"precision": precision, "epochs": 1, "batch": setting["batch"], "steps": STEPS, "memory_gib": 1e3}
    store = prepare(data, work / "prepared", lambda gate: None)
    trained, validated = Subset.ungrouped(store, range(PAIRS - 1)), Subset.ungrouped(store, [PAIRS - 1])
    facts, unet = Facts.of(trained, validated), PlannedModel(filters=setting["filters"], depth=setting["depth"])
    plan = plan_training(facts, data, chosen.augment, unet, chosen.train.model_copy(update=train))
    places = work / "checkpoints"
    training, patches = prepare_training(trained, validated, plan, seed=0, checkpoints=places)
    train_unet(training, patches, validated, plan.train)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    size = TrainingSize.of(facts, unet, crop=setting["crop"], batch=setting["batch"], precision=precision)
    estimated = peak_bytes(size)
    return {"measured_mib": int(peak[1]) // 1024, "estimated_mib": estimated // 2**20}


def make(source: Path, side: int, classes: int) -> None:
    """Write pairs of side × side pixels: noise, and stripes of every class."""
    import tifffile

    for name in ("images", "masks"):
        (source / name).mkdir(parents=True)
    for number in range(PAIRS):
        image = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
        mask = np.tile((np.arange(side) // 8 % classes).astype(np.uint8), (side, 1))
        tifffile.imwrite(source / "images" / f"{number}.tif", image, photometric="rgb")
        tifffile.imwrite(source / "masks" / f"{number}.tif", mask)


if __name__ == "__main__":
    arguments = parser("memory", __doc__)
    arguments.prog = "python -m benchmarks.memory"
    arguments.add_argument("--rows", type=int, help=f"only so many of the grid's {len(GRID)} rows, from the first on")
    arguments.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--one", type=int, nargs=len(COLUMNS), help=argparse.SUPPRESS)
    run(arguments, main)
