"""Real data sets below the folder in the environment variable SEG_DATASETS; skipped without it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from src.data.classes.label_format import LabelFormat
from src.evaluation.metrics.confusion import confusion_matrix, dice, pixel_counts
from src.files import read_csv
from tests.conftest import prepared

FOLDER = Path(os.environ.get("SEG_DATASETS", ""))
pytestmark = pytest.mark.skipif("SEG_DATASETS" not in os.environ, reason="SEG_DATASETS is not set")


@pytest.mark.parametrize(("name", "count", "channels"), [("nuclei", 200, 3), ("vessels", 28, 3)])
def test_real_data_sets_are_prepared_without_findings(tmp_path, name, count, channels):
    store = prepared(FOLDER / name, tmp_path)
    assert read_csv(tmp_path / "checks.csv") == []
    assert len(store) == count and store.channels == channels
    assert store.dataset.names == ["background", "foreground"]
    for index, record in enumerate(store.records):
        assert sum(record.pixels) == record.height * record.width == store.mask(index).size


def test_the_dice_of_the_second_observer_equals_the_published_one(tmp_path):
    """0.7977 on the eight usual test images: the counts and the Dice agree with the figure given beside the data."""
    observers = []
    for masks in ("masks", "masks_2ndHO"):
        source = tmp_path / masks  # copied: links out of a data set's folder are refused
        shutil.copytree(FOLDER / "vessels/images", source / "images")
        shutil.copytree(FOLDER / "vessels" / masks, source / "masks")
        observers.append(prepared(source, source))
    first, second = observers
    scores = []
    for stem in (FOLDER / "vessels/test.txt").read_text().split():
        masks = (store.mask(store.position[stem]) for store in (first, second))
        scores.append(dice(pixel_counts(confusion_matrix(*masks, 2), LabelFormat(2)))[1])
    assert len(scores) == 8 and np.mean(scores) == pytest.approx(0.7977, abs=5e-5)
