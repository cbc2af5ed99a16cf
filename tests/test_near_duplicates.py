"""Equal and nearly equal images are found and stay in one subset, from files to the split."""

import tracemalloc

import cv2
import numpy as np
import pytest

from src.data.similarity.duplicates import clusters, near_pairs
from src.data.splits.divide import split, split_notes, twin_note
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


def test_near_duplicates_are_reported_and_stay_in_one_subset(source, tmp_path, params):
    store = prepared(source, tmp_path)
    twins = {record.id: record.twin for record in store.records if record.twin}
    assert twins == {
        one: min(pair) for pair in (("0", "copy"), ("1", "saved"), ("2", "small"), ("3", "other")) for one in pair
    }
    reported = {row["file"]: row["what"] for row in read_csv(tmp_path / "checks.csv")}
    assert reported["copy"] == "is identical to the image '0'"
    assert reported["other"] == "is identical to the image '3', but its mask differs"
    assert reported["saved"].startswith("is nearly identical to the image '1'") and reported["small"].startswith(
        "is nearly identical to"
    )
    for seed in range(10):
        rows = split(store, params().split, seed)
        subset = {row["id"]: row["subset"] for row in rows}
        assert all(subset[one] == subset[first] for one, first in twins.items())
    assert "8 of 13 images are equal or nearly equal" in twin_note(store)


def test_near_duplicates_in_different_subsets_are_reported(source, tmp_path, params):
    store = prepared(source, tmp_path)
    apart = params(**{"split.duplicates": "apart"}).split
    lines = ["\n".join(split_notes(store, apart, split(store, apart, seed))) for seed in range(10)]
    assert any("across subsets" in line for line in lines)


def test_equal_images_are_found_although_their_masks_ignore_different_pixels(tmp_path):
    """Equal images whose masks leave out different pixels; too small for a fingerprint."""
    image = np.random.default_rng(0).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    for name, row in (("a", 0), ("b", 6)):
        mask = np.tile(np.array([0, 1, 0, 1, 0, 1, 0], np.uint8), (7, 1))
        mask[row] = 255
        write_pair(tmp_path / "set", name, image, mask)
    (tmp_path / "set/dataset.yaml").write_text("classes: {0: no, 1: yes}\nignore: 255")
    assert [record.twin for record in prepared(tmp_path / "set", tmp_path).records] == ["a", "a"]


@pytest.mark.slow
def test_millions_of_pairs_take_little_memory():
    """2,000 equal frames make 2 million pairs, which are processed one by one."""
    prints = np.tile(np.eye(1, 832, dtype=np.float16), (2000, 1))
    tracemalloc.start()
    assert clusters(near_pairs(prints), 2000) == [0] * 2000
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
