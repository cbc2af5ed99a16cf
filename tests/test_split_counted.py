"""A split is refused if a subset, listed or drawn, has no pixel that counts."""

import numpy as np
import pytest

from src.data.splits.divide import split
from src.errors import UserError
from src.files import write_yaml
from tests.conftest import changed_params, prepared, write_pair

SIDE = 16


def write_set(folder, ignored, count=10, lists=None):
    """Images case0 … of two classes; the masks of those in `ignored` hold only the value to ignore."""
    rng = np.random.default_rng(0)
    for number in range(count):
        mask = rng.integers(0, 2, (SIDE, SIDE)).astype(np.uint8)
        if number in ignored:
            mask[:] = 255
        write_pair(folder, f"case{number}", rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8), mask)
    for subset, numbers in (lists or {}).items():
        (folder / f"{subset}.txt").write_text("".join(f"case{number}\n" for number in numbers))
    content = {"classes": {0: "background", 1: "cell"}, "ignore": 255}
    write_yaml(folder / "dataset.yaml", content | {subset: f"{subset}.txt" for subset in lists or {}})
    return folder


def divided(folder, work, seed=0, **changes):
    params = changed_params(**{"split.duplicates": "apart"} | changes)
    return split(prepared(folder, work), params.split, seed)


@pytest.mark.parametrize("subset", ["train", "validation", "test"])
@pytest.mark.parametrize("ignored", [[6], [6, 7]])
def test_a_list_without_counted_pixels_is_refused_and_its_images_are_named(tmp_path, subset, ignored):
    folder = write_set(tmp_path / "set", ignored, lists={subset: ignored})
    words = rf"no {subset} image has a pixel that counts: all pixels of their masks are to be ignored; .*lists"
    with pytest.raises(UserError, match=words) as error:
        divided(folder, tmp_path)
    assert str(error.value).splitlines()[1:] == [f"  case{number}" for number in ignored]


def test_all_three_lists_are_checked(tmp_path):
    lists = {"train": range(6), "validation": [6, 7], "test": [8, 9]}
    folder = write_set(tmp_path / "set", [8, 9], lists=lists)
    with pytest.raises(UserError, match="no test image has a pixel that counts"):
        divided(folder, tmp_path)


def test_a_list_with_counted_pixels_in_one_image_is_accepted(tmp_path):
    folder = write_set(tmp_path / "set", [6], lists={"test": [6, 7]})
    assert [row["id"] for row in divided(folder, tmp_path) if row["subset"] == "test"] == ["case6", "case7"]


@pytest.mark.parametrize("folds", [0, 5])
def test_a_drawn_subset_without_counted_pixels_is_refused(tmp_path, folds):
    """For every seed, each subset has a pixel that counts, or the split is refused."""
    folder = write_set(tmp_path / "set", range(4, 10))
    store, refused = prepared(folder, tmp_path), 0
    counts = {record.id: sum(record.pixels) for record in store.records}
    for seed in range(12):
        changes = {"split.duplicates": "apart", "split.stratify": "none", "split.folds": folds}
        try:
            rows = split(store, changed_params(**changes).split, seed)
        except UserError as error:
            assert "has a pixel that counts" in str(error) or "holds" in str(error)
            refused += 1
            continue
        for subset in ("train", "validation", "test"):
            assert sum(counts[row["id"]] for row in rows if row["subset"] == subset)
    assert 0 < refused < 12 or folds
