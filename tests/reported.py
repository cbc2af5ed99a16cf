"""Small data sets for tests of problems that users reported for other segmentation tools."""

import csv
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from src.errors import UserError
from tests.conftest import prepared

HEIGHT, WIDTH, COUNT = 48, 40, 8
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


def index_mask(number, classes=2):
    """A disc of each class except the first, at separate places."""
    rng, mask = np.random.default_rng(number), np.zeros((HEIGHT, WIDTH), np.uint8)
    for label in range(1, classes):
        row, column = rng.uniform(0.25, 0.75, 2) * [HEIGHT, WIDTH]
        mask[np.hypot(ROWS - row, COLUMNS - column) < 8] = label
    return mask


def picture(number):
    """A noisy image of the discs of `index_mask`, brighter than their surroundings."""
    noise = np.random.default_rng(100 + number).normal(0, 12, (HEIGHT, WIDTH, 3))
    return (40 + 5 * number + 80 * index_mask(number)[..., None] + noise).clip(0, 255).astype(np.uint8)


def save(path: Path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, **options)


def data_set(folder, mask=lambda number: index_mask(number) * 255, image=picture, names=("c{0}.png", "c{0}.png"), **o):
    """Write `COUNT` pairs. `names`: number → names of image and mask. Options go to the writer of masks."""
    for number in range(COUNT):
        save(folder / "images" / names[0].format(number), image(number))
        save(folder / "masks" / names[1].format(number), mask(number), **o)
    return folder


def findings(folder, source, **changes):
    """Prepare `source` into `folder`/out. Return the store, or None after an error, and the rows of checks.csv."""
    out = folder / "out"
    out.mkdir()
    try:
        store = prepared(source, out, **changes)
    except UserError:
        store = None
    with (out / "checks.csv").open() as file:
        return store, list(csv.DictReader(file))


def refused(folder, source, words, setting, **changes):
    """Check that preparing fails and all errors contain `words` and `setting`. Return their rows."""
    store, rows = findings(folder, source, **changes)
    errors = [row for row in rows if row["severity"] == "error"]
    assert store is None and errors
    for row in errors:
        assert words in row["what"] and setting in row["setting"], row
    return errors


def warned(folder, source, words, **changes):
    """Check that a warning contains `words`. Return the store."""
    store, rows = findings(folder, source, **changes)
    assert any(words in row["what"] and row["severity"] == "warning" for row in rows), rows
    return store


def unremarked(folder, source, **changes):
    """Check that there is no finding. Return the store."""
    store, rows = findings(folder, source, **changes)
    assert store is not None and not rows, rows
    return store


def same_pixels(store, masks, images=None):
    """Check that the store holds these: id → array, masks as class indices."""
    assert {record.id for record in store.records} == set(masks)
    for index, record in enumerate(store.records):
        np.testing.assert_array_equal(store.mask(index), masks[record.id])
        if images is not None:
            np.testing.assert_array_equal(np.squeeze(store.image(index)), images[record.id])
