"""Data sets of random images with given masks, and what tests of masks share."""

import numpy as np
from PIL import Image

from src.data.source.dataset import IGNORE
from src.files import read_csv
from tests.corpus import palette_image, saved

RNG = np.random.default_rng(0)
LABELS = [RNG.integers(0, 3, (24, 20)).astype(np.uint8) for _ in range(6)]
BINARY = [np.minimum(labels, 1) for labels in LABELS]


def data_set(folder, masks, dataset=""):
    """Random images with these masks, each an array or the content of a file."""
    for number, mask in enumerate(masks):
        content = mask if isinstance(mask, bytes) else saved(Image.fromarray(mask), "PNG")
        height, width = 24, 20
        image = RNG.integers(0, 255, (height, width, 3), np.uint8)
        for kind, data in (("images", saved(Image.fromarray(image), "PNG")), ("masks", content)):
            path = folder / kind / f"m{number:02d}.png"  # the content decides, not the name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if dataset:
        (folder / "dataset.yaml").write_text(dataset)
    return folder


def check(store, wanted):
    """The masks of the store equal the wanted ones, and its records count their pixels."""
    for index, labels in enumerate(wanted):
        np.testing.assert_array_equal(store.mask(index), labels)
        counted = np.bincount(labels[labels != IGNORE].ravel(), minlength=len(store.dataset.classes))
        assert store.records[index].pixels == counted.tolist()


RED, GREEN, BLUE, BLACK, WHITE = (200, 30, 30), (30, 200, 30), (30, 30, 200), (0, 0, 0), (255, 255, 255)


def settings(read="auto", threshold=0):
    return {"read": read, "threshold": threshold}


def warnings_of(folder):
    return [row for row in read_csv(folder / "checks.csv") if row["severity"] == "warning"]


def indexed(labels, colours, format="PNG"):
    """Class indices as the content of a palette image with these colours."""
    return saved(palette_image(labels.astype(np.uint8), [part for colour in colours for part in colour]), format)


def objects(*numbers):
    """A mask of 24 × 20 pixels with background 0 and a stripe of each number."""
    mask = np.zeros((24, 20), np.int64)
    for place, number in enumerate(numbers):
        mask[2 + 2 * (place % 10), 1 + 9 * (place // 10) : 8 + 9 * (place // 10)] = number
    return mask
