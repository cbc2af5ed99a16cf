"""Data sets of noise whose masks are what a test says."""

import numpy as np
from PIL import Image

from src.data.source.dataset import IGNORE
from tests.corpus import saved

RNG = np.random.default_rng(0)
LABELS = [RNG.integers(0, 3, (24, 20)).astype(np.uint8) for _ in range(6)]
BINARY = [np.minimum(labels, 1) for labels in LABELS]


def data_set(folder, masks, dataset=""):
    """Images of noise with these masks, each an array or the content of a file."""
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
    for index, labels in enumerate(wanted):
        np.testing.assert_array_equal(store.mask(index), labels)
        counted = np.bincount(labels[labels != IGNORE].ravel(), minlength=len(store.dataset.classes))
        assert store.records[index].pixels == counted.tolist()
