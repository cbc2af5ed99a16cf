"""A peer for `benchmarks.peer` that learns nothing: it predicts the first class, and prints its arguments."""

import argparse
from pathlib import Path

import cv2
import numpy as np

parser = argparse.ArgumentParser()
for name in ("data", "test", "minutes", "out", "classes", "ignore", "exclude"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
out = Path(given.out)
out.mkdir()
for name in Path(given.test).read_text().split():
    shape = cv2.imread(next(map(str, Path(given.data, "images").glob(f"{name}.*")))).shape
    cv2.imwrite(str(out / f"{name}.png"), np.zeros(shape[:2], np.uint8))
excluded = Path(given.exclude).read_text().split() if given.exclude else []
print("steps 1 ignore", given.ignore, "classes", given.classes, "excluded", *excluded)
