"""Measure the objects of a large image, and how well touching objects are separated.

The large image has discs in a grid. Its mask, pixels and probabilities are arrays on the disk, as in tools.predict; the
label image and the table are written in a process of its own. Memory is the peak that the operating system reports
(ru_maxrss), which counts every page that is mapped, whether it could be given back or not.

Separation is scored on drawn discs that overlap, with known numbers, and on the true masks of nuclei (in the folder
that SEG_DATASETS names), where index.csv has the number of nuclei in each image.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools import parser, run

RADIUS = (0.15, 0.4)  # of the discs of the large image, as a share of the distance of their centres
DRAWN, SIDE, DISCS = 20, 512, 60  # images of overlapping discs, their side in pixels, and discs in each
Numbers = NDArray[np.int64]


def main(arguments: argparse.Namespace) -> None:
    """Without --alone: measure the large image in a process of its own, then score the separation."""
    if arguments.alone:
        print(json.dumps(measured(arguments)))
        return
    more = ["--work", str(arguments.work)] if arguments.work else []
    more += ["--split-touching"] if arguments.split_touching else []
    sizes = ["--side", str(arguments.side), "--count", str(arguments.count)]
    command = [sys.executable, "-m", "benchmarks.objects", "--alone", *sizes, *more]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print("large image:", printed.splitlines()[-1], flush=True)
    print("drawn discs:", json.dumps(drawn_discs(arguments.images)), flush=True)
    nuclei = Path(os.environ.get("SEG_DATASETS", "")) / "nuclei"
    if os.environ.get("SEG_DATASETS") and (nuclei / "index.csv").is_file():
        print("nuclei of the test images:", json.dumps(counted_nuclei(nuclei)))


def measured(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds and memory of the label image and the table of one image."""
    from src.data.classes.label_format import LabelFormat
    from src.data.predictions.inputs import Input
    from src.data.predictions.prediction_files import NO_GEOREFERENCE
    from src.objects.predicted import PredictedImage
    from src.objects.results import ObjectFiles, ObjectOptions

    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        folder, side = Path(work), arguments.side
        mask, pixels, shares = large_arrays(side, arguments.count, folder)
        options = ObjectOptions(table=True, split=arguments.split_touching)
        files = ObjectFiles(folder, options, ["background", "disc"], LabelFormat(2), [1])
        (folder / "a.png").write_bytes(b"the size of its pixels is not known")
        source = Input(folder / "a.png", Path("a"))
        before, started, used = _peak(), time.perf_counter(), time.process_time()
        files.write(PredictedImage(source, pixels, mask, shares, NO_GEOREFERENCE, files.paths(source.name)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        with (folder / "objects/a.csv").open() as table:
            count = sum(1 for _ in table) - 1
    found = {"side": side, "objects": count, "seconds": seconds, "cpu_seconds": cpu, "per_cpu_second": count / cpu}
    return {key: round(value, 1) for key, value in found.items()} | {"peak_gib": _peak(), "before_gib": before}


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def large_arrays(
    side: int, count: int, folder: Path
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    """A mask of discs, an image [side, side, 3] and probabilities uint16 [side, side, 1], on the disk if large."""
    from src.data.predictions.prediction_files import allocate
    from src.data.store.store import release, strips

    across = max(round(count**0.5), 1)
    step = side / across
    radii = np.random.default_rng(0).uniform(*RADIUS, (across + 1, across + 1)) * step
    shapes = (((side, side), "uint8"), ((side, side, 3), "uint8"), ((side, side, 1), "uint16"))
    mask, pixels, shares = (allocate(shape, kind, folder) for shape, kind in shapes)
    column = np.arange(side)
    for rows in strips(side, side):
        row = np.arange(rows.start, rows.stop)[:, None]
        far = np.hypot(row % step - step / 2, column % step - step / 2)
        mask[rows] = far < radii[(row / step).astype(int), (column / step).astype(int)]
        pixels[rows] = (far * 3).astype(np.uint8)[..., None]
        shares[rows] = np.where(mask[rows] > 0, 60_000, 3000)[..., None]
        for array in (mask, pixels, shares):
            release(array)
    return mask, pixels, shares


def drawn_discs(images: int) -> dict[str, float]:
    """F1 of objects at an IoU above 0.5, with and without the separation, over images of overlapping discs."""
    pairs = [(whole, split, truth) for truth in _discs(images) for whole, split in [_numbered(truth > 0)]]
    totals = np.array([[_counts(truth, whole), _counts(truth, split)] for whole, split, truth in pairs]).sum(axis=0)
    matched, found, true = totals.T
    f1 = 2 * matched / (found + true)
    return {"discs": int(true[0]), "f1": round(float(f1[0]), 3), "f1_split_touching": round(float(f1[1]), 3)}


def _discs(images: int) -> Iterator[Numbers]:
    """Numbered discs; a later disc covers at most a part of an earlier one."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(images):
        numbers = np.zeros((SIDE, SIDE), np.int64)
        for number in range(1, DISCS + 1):
            (y, x), radius = rng.uniform(0, SIDE, 2), rng.uniform(8, 25)
            disc = np.hypot(rows + 0.5 - y, columns + 0.5 - x) < radius
            if np.count_nonzero(numbers[disc]) < 0.15 * np.count_nonzero(disc):
                numbers[disc & (numbers == 0)] = number
        yield numbers


def _numbered(inside: NDArray[np.bool_]) -> list[Numbers]:
    """The objects of a mask without and with the separation."""
    from src.data.classes.label_format import LabelFormat
    from src.objects.components import number_objects

    mask = inside.view(np.uint8)
    return [
        number_objects(mask, LabelFormat(2), [1], Path(), split=split).numbers.astype(np.int64)
        for split in (False, True)
    ]


def _counts(truth: Numbers, found: Numbers) -> list[int]:
    """Matched, found and true objects."""
    (one, other), shared = np.unique(np.stack([truth.ravel(), found.ravel()]), axis=1, return_counts=True)
    true, predicted = np.bincount(truth.ravel()), np.bincount(found.ravel())
    union = true[one] + predicted[other] - shared
    matched = (2 * shared > union) & (one > 0) & (other > 0)
    return [int(np.count_nonzero(part)) for part in (matched, predicted[1:], true[1:])]


def counted_nuclei(folder: Path) -> dict[str, float]:
    """How far the number of objects in the true masks is from the number of nuclei, summed over the test images."""
    from PIL import Image

    chosen = set((folder / "test.txt").read_text().split())
    with (folder / "index.csv").open() as table:
        numbers = {row["id"]: int(row["n_nuclei"]) for row in csv.DictReader(table) if row["id"] in chosen}
    errors = []
    for name, number in numbers.items():
        mask = np.asarray(Image.open(folder / "masks" / f"{name}.png").convert("L")) > 0
        errors.append([abs(int(found.max()) - number) for found in _numbered(mask)])
    whole, split = np.sum(errors, axis=0).tolist()
    return {"nuclei": sum(numbers.values()), "count_error": whole, "count_error_split_touching": split}


if __name__ == "__main__":
    arguments = parser("objects", __doc__)
    arguments.prog = "python -m benchmarks.objects"
    arguments.add_argument("--side", type=int, default=30_000, help="height and width of the large image, in pixels")
    arguments.add_argument("--count", type=int, default=100_000, help="objects in the large image")
    arguments.add_argument("--images", type=int, default=DRAWN, help="images of overlapping discs")
    arguments.add_argument("--split-touching", action="store_true", help="also separate the objects of the large image")
    arguments.add_argument("--work", type=Path, help="folder for the files, by default the system's for temporary ones")
    arguments.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    run(arguments, main)
