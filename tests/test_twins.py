"""From files to the split: images that are the same, or nearly so, end in one subset."""

import cv2
import numpy as np
import pytest

from src.data.divide import notes, split
from src.files import read_csv
from tests.conftest import prepared, write_pair


def photo(seed):
    """A smooth picture with detail, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    coarse, fine = (cv2.resize(rng.normal(size=(n, n, 3)), (128, 128), interpolation=cv2.INTER_CUBIC) for n in (8, 32))
    return (120 + 40 * coarse + 25 * fine).clip(0, 255).astype(np.uint8)


@pytest.fixture
def source(tmp_path):
    """Nine pairs; of 0 there is a copy, of 1 one saved as JPEG, of 2 a smaller one, of 3 a copy with another mask."""
    mask = np.zeros((128, 128), np.uint8)
    mask[40:80, 30:90] = 1
    for number in range(9):
        write_pair(tmp_path / "set", f"{number}", photo(number), mask)
    write_pair(tmp_path / "set", "copy", photo(0), mask)
    saved = cv2.imdecode(cv2.imencode(".jpg", photo(1), [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR)
    write_pair(tmp_path / "set", "saved", saved, mask)
    write_pair(tmp_path / "set", "small", cv2.resize(photo(2), (96, 96), interpolation=cv2.INTER_AREA), mask[:96, :96])
    write_pair(tmp_path / "set", "other", photo(3), mask.T.copy())
    return tmp_path / "set"


def test_twins_are_told_and_stay_together(source, tmp_path, params):
    store = prepared(source, tmp_path)
    twins = {record.id: record.twin for record in store.records if record.twin}
    assert twins == {
        one: min(pair) for pair in (("0", "copy"), ("1", "saved"), ("2", "small"), ("3", "other")) for one in pair
    }
    told = {row["file"]: row["what"] for row in read_csv(tmp_path / "checks.csv")}
    assert told["copy"] == "is the very picture of '0'"
    assert told["other"] == "is the very picture of '3', but its mask is another"
    assert told["saved"].startswith("is nearly the picture of '1'") and told["small"].startswith(
        "is nearly the picture"
    )
    for seed in range(10):
        rows = split(store, params().split, seed)
        subset = {row["id"]: row["subset"] for row in rows}
        assert all(subset[one] == subset[first] for one, first in twins.items())
    assert "8 of 13 images are equal or nearly equal" in notes(store, params().split, rows)[0]


def test_twins_apart_are_reported(source, tmp_path, params):
    store = prepared(source, tmp_path)
    apart = params(**{"split.duplicates": "apart"}).split
    lines = ["\n".join(notes(store, apart, split(store, apart, seed))) for seed in range(10)]
    assert any("across subsets" in line for line in lines)
