"""A synthetic data set whose objects are larger than a patch: closed outlines among open arcs of the same look."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH, PAIRS, TESTED = 600, 800, 60, 12
ARCS, LINE = 25, 5  # number of arcs, and their width in pixels
BORDER = 9  # pixels: width of the border, where it is a class


def make(folder: Path, *, bordered: bool = False) -> None:
    """Write pairs of grey images and masks, and a list of test images; every run writes the same ones.

    Masks hold 0, 1 and, if bordered, 2 along the outline: a thin class around a large one.
    """
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(PAIRS):
        image, mask, outline = _pair(rng)
        if bordered:
            cv2.polylines(mask, [outline], isClosed=True, color=(2,), thickness=BORDER)
        cv2.imwrite(str(folder / "images" / f"{number:02d}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{number:02d}.png"), mask)
    (folder / "test.txt").write_text("".join(f"{number:02d}\n" for number in range(TESTED)))


def _pair(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int32]]:
    """Return image, mask and outline, which is 220 to 340 pixels wide. Inside is foreground; outside looks the same."""
    mask, lines = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.float32)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    waves = [rng.uniform(-0.12, 0.12) * np.cos(times * angles + rng.uniform(0, 6)) for times in (2, 3, 4)]
    radius = rng.uniform(110, 170) * (1 + np.sum(waves, axis=0))
    middle = rng.uniform([180, 180], [WIDTH - 180, HEIGHT - 180])
    outline = (middle + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)).round().astype(np.int32)
    cv2.fillPoly(mask, [outline], (1,))
    cv2.polylines(lines, [outline], isClosed=True, color=(1.0,), thickness=LINE)
    for _ in range(ARCS):
        place, axes = rng.integers([0, 0], [WIDTH, HEIGHT]), rng.integers(20, 120, 2)
        turned, begin, length = rng.uniform([0, 0, 30], [180, 360, 140])
        cv2.ellipse(lines, place.tolist(), axes.tolist(), turned, begin, begin + length, (1.0,), LINE)
    grey = 120 + _clouds(rng, 40, 12) + _clouds(rng, 6, 8) + rng.normal(0, 6, mask.shape)
    grey += 4.0 * mask - 35 * cv2.GaussianBlur(lines, (0, 0), 2)
    return grey.clip(0, 255).astype(np.uint8), mask, outline


def _clouds(rng: np.random.Generator, size: float, contrast: float) -> NDArray[np.float64]:
    noise = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH)), (0, 0), size)
    return np.asarray(contrast * noise / noise.std(), np.float64)
