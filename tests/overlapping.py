"""A made data set of two overlapping classes: discs on stripes, with a folder of masks for each class."""

from pathlib import Path

import cv2
import numpy as np

DISC, STRIPE = 0, 1  # class indices: the names of the folders, sorted
NAMES = ("disc", "stripe")


def planes_of(rng: np.random.Generator, height: int, width: int) -> list[np.ndarray]:
    """Masks of a disc and of a stripe, bool [height, width]; most of them overlap."""
    rows, columns = np.mgrid[:height, :width]
    centre, turn = rng.uniform(0.3, 0.7, 2) * [height, width], rng.uniform(0, np.pi)
    disc = np.hypot(rows - centre[0], columns - centre[1]) < min(height, width) / 4
    across = (rows - height / 2) * np.cos(turn) + (columns - width / 2) * np.sin(turn)
    return [disc, np.abs(across) < min(height, width) / 8]


def image_of(rng: np.random.Generator, planes: list[np.ndarray]) -> np.ndarray:
    """A noisy RGB image: discs are red, stripes are green, and where both are it is yellow."""
    image = np.full((*planes[0].shape, 3), 40.0)
    for label, plane in enumerate(planes):
        image[..., label] += 90 * plane
    return (image + rng.normal(0, 12, image.shape)).clip(0, 255).astype(np.uint8)


def write_overlapping(folder: Path, count: int = 12) -> Path:
    """`count` images of mixed sizes in groups of two; some hold no disc, some no stripe, some ignored pixels."""
    rng = np.random.default_rng(0)
    for number in range(count):
        planes = planes_of(rng, *([48, 64], [70, 50], [64, 64])[number % 3])
        if number % 6 > 3:
            planes[number % 2][:] = False
        name = f"case {number // 2}-{number}.png"
        write(folder / "images" / name, image_of(rng, planes)[..., ::-1])
        for label, plane in zip(NAMES, planes, strict=True):
            mask = np.where(plane, 255, 0).astype(np.uint8)
            mask[:4, :4] = 128 if number % 4 == 0 else 0
            write(folder / "masks" / label / name, mask)
    (folder / "dataset.yaml").write_text("overlap: true\nignore: 128\n")
    return folder


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
