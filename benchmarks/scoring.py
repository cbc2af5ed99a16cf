"""Time the scores of one large image: counts, boundaries, objects; and boundaries by SciPy's distance transform alone.

`python -m benchmarks.scoring` makes two pairs of masks, smooth shapes and pure noise, and scores each in its own
process. Figures are medians of three. Memory is the peak that the operating system reports (ru_maxrss), with the memory
before scoring in brackets.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools import parser, run

ROUNDS = 3
SPACING, TOLERANCE = (1.0, 1.0), 2.0
PATCH = 200  # pixels: the size of smooth shapes
KINDS = ("smooth", "noise")
ROWS = ("counts", "boundaries", "objects", "boundary_of_one", "by_scipy", "scipy_over_ours", "memory_mib", "before_mib")


def main(arguments: argparse.Namespace) -> None:
    """Without --kind: score each kind of image in a process of its own, print a table and write JSON."""
    if arguments.kind:
        print(json.dumps(measured(arguments.kind, arguments.side, arguments.classes)))
        return
    found = {kind: _in_a_process(kind, arguments) for kind in KINDS}
    print(f"{arguments.side} × {arguments.side} pixels, {arguments.classes} classes")
    print(f"{'':40}", *(f"{kind:>10}" for kind in KINDS))
    for row, title in zip(ROWS, _titles(), strict=True):
        print(f"{title:40}", *(f"{found[kind][row]:10.2f}" for kind in KINDS))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def _titles() -> list[str]:
    seconds = [
        "counts, s",
        "boundaries, s",
        "objects, s",
        "boundary of one class, s",
        "the same by SciPy's transform, s",
    ]
    return [*seconds, "times as long by SciPy", "highest memory, MiB", "memory before, MiB"]


def _in_a_process(kind: str, arguments: argparse.Namespace) -> dict[str, float]:
    sizes = ["--side", str(arguments.side), "--classes", str(arguments.classes)]
    command = [sys.executable, "-m", "benchmarks.scoring", "--kind", kind, *sizes]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result


def measured(kind: str, side: int, classes: int) -> dict[str, float]:
    """Return the figures of one kind of image, `ROWS`."""
    from src.data.classes.label_format import LabelFormat
    from src.evaluation.metrics.boundary import boundary_scores, class_boundary_scores
    from src.evaluation.metrics.confusion import confusion_matrix
    from src.evaluation.metrics.objects import count_objects

    labels = LabelFormat(classes)
    truth, prediction = (image(kind, side, classes, seed) for seed in (0, 1))
    before = _peak_mib()
    found = {
        "counts": seconds(lambda: confusion_matrix(truth, prediction, classes)),
        "boundaries": seconds(lambda: boundary_scores(truth, prediction, labels, SPACING, TOLERANCE)),
        "objects": seconds(lambda: count_objects(truth, prediction, labels)),
        "memory_mib": _peak_mib(),
        "before_mib": before,
    }
    one, other = truth == 1, prediction == 1
    found["boundary_of_one"] = seconds(lambda: class_boundary_scores(one, other, SPACING, TOLERANCE))
    found["by_scipy"] = seconds(lambda: plain(one, other))
    return found | {"scipy_over_ours": found["by_scipy"] / found["boundary_of_one"]}


def image(kind: str, side: int, classes: int, seed: int) -> NDArray[np.uint8]:
    """Return class indices [side, side]: uniformly random, or the highest of smooth hills, similar for all seeds."""
    import cv2

    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, classes, (side, side), dtype=np.uint8)
    coarse = (classes, side // PATCH + 2, side // PATCH + 2)
    hills = np.random.default_rng(2).normal(size=coarse) + 0.3 * rng.normal(size=coarse)
    highest, labels = np.full((side, side), -np.inf, np.float32), np.zeros((side, side), np.uint8)
    for label, hill in enumerate(hills.astype(np.float32)):
        smooth = np.asarray(cv2.resize(hill, (side, side), interpolation=cv2.INTER_CUBIC))
        labels[smooth > highest] = label
        np.maximum(highest, smooth, out=highest)
    return labels


def plain(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Compute only the distances of both contours' elements, by SciPy's transform of the whole image."""
    from scipy.ndimage import distance_transform_edt

    from src.evaluation.metrics.boundary import contour

    lines = [contour(mask) > 0 for mask in (one, other)]
    return [distance_transform_edt(~line)[others] for line, others in zip(lines, lines[::-1], strict=True)]


def seconds(work: Callable[[], Any]) -> float:
    """Return the median seconds of a call over rounds."""
    laps = [time.perf_counter()]
    for _ in range(ROUNDS):
        work()
        laps.append(time.perf_counter())
    return median(after - before for before, after in pairwise(laps))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    arguments = parser("scoring", __doc__)
    arguments.prog = "python -m benchmarks.scoring"
    arguments.add_argument("--side", type=int, default=4000, help="height and width of the image, in pixels")
    arguments.add_argument("--classes", type=int, default=5)
    arguments.add_argument("--json", type=Path, help="file to write the figures to")
    arguments.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    run(arguments, main)
