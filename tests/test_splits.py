"""The split: whole groups, even shares, the same for a seed, and official lists."""

import numpy as np
import pytest

from src.data.dataset import Dataset, write_dataset
from src.data.prepare import prepare
from src.data.splits import read_subset, split, spread, subset_rows, write_splits
from src.data.store import Store
from src.errors import UserError
from tests.conftest import write_data_set


def grouped_store(tmp_path, files=None, **keys) -> Store:
    """A three-class data set of 12 images in 6 groups of two, with lists of subsets where `files` gives them."""
    source = write_data_set(tmp_path / "set", classes=3)
    dataset = Dataset(group=r"^case (\d+)-", **keys)
    write_dataset(source, dataset)
    for name, lines in (files or {}).items():
        (source / name).write_text("# a comment\n\n" + "".join(f"{line}\n" for line in lines))
    return prepare(source, tmp_path / "prepared", tmp_path / "checks.csv")


def test_groups_stay_whole_and_every_subset_is_filled(tmp_path, params):
    store = grouped_store(tmp_path)
    for seed in range(20):
        rows = split(store, params().split, seed)
        assert [row["id"] for row in rows] == [record.id for record in store.records]
        subsets = {group: {row["subset"] for row in rows if row["group"] == group} for group in "012345"}
        assert all(len(found) == 1 for found in subsets.values())
        assert set.union(*subsets.values()) == {"train", "validation", "test"}


def test_repeats_from_the_seed_and_changes_with_it(store, params):
    splits = [tuple(row["subset"] for row in split(store, params().split, seed)) for seed in (0, 0, 1, 2, 3, 4)]
    assert splits[0] == splits[1] and len(set(splits)) > 2


def test_shares_and_classes_are_spread_evenly():
    rng = np.random.default_rng(0)
    contents = {str(number): np.array([1, *rng.exponential([1000, 10])]) for number in range(200)}
    position = spread(contents, np.array([0.6, 0.2, 0.2]), seed=0)
    total = sum(contents.values())
    for subset, share in enumerate([0.6, 0.2, 0.2]):
        held = sum(content for group, content in contents.items() if position[group] == subset) / total
        np.testing.assert_allclose(held, share, atol=0.03)


@pytest.mark.parametrize(("groups", "folds"), [(12, 5), (24, 10), (14, 10), (3, 3), (100, 7)])
def test_folds_are_of_even_size(groups, folds):
    contents = {str(number): np.array([1.0, 5.0]) for number in range(groups)}
    sizes = np.bincount(list(spread(contents, np.full(folds, 1 / folds), 0).values()), minlength=folds)
    assert sizes.sum() == groups and sizes.min() >= 1 and np.ptp(sizes) <= 1


def test_every_fold_is_tested_once(tmp_path, params):
    store = grouped_store(tmp_path)
    tested = []
    for fold in range(3):
        rows = split(store, params(**{"split.folds": 3, "split.fold": fold}).split, 0)
        tested += [row["id"] for row in rows if row["subset"] == "test"]
        assert {row["fold"] for row in rows if row["subset"] == "test"} == {str(fold)}
        assert {row["fold"] for row in rows if row["subset"] == "validation"} == {str((fold + 1) % 3)}
    assert sorted(tested) == sorted(record.id for record in store.records)


def test_lists_name_images_or_groups_and_the_rest_is_spread(tmp_path, params):
    store = grouped_store(tmp_path, {"official.txt": ["4", "case 2-5"]}, test="official.txt")
    rows = split(store, params().split, 0)
    assert {row["group"] for row in rows if row["subset"] == "test"} == {"4", "2"}
    assert {row["subset"] for row in rows if row["group"] not in "42"} == {"train", "validation"}


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"test": ["9"]}, ["9: on the list of test, but neither an image nor a group"]),
        ({"test": ["4"], "train": ["case 4-8"]}, ["4: its group 4 is on the lists of train and of test"]),
        ({"test": []}, ["test: its list names no image"]),
        ({"train": ["0", "1"], "validation": ["2"], "test": ["3"]}, ["are on none", "4", "5"]),
    ],
)
def test_wrong_lists_are_refused(tmp_path, params, lists, words):
    files = {f"{subset}.txt": lines for subset, lines in lists.items()}
    store = grouped_store(tmp_path, files, **{subset: f"{subset}.txt" for subset in lists})
    with pytest.raises(UserError) as error:
        split(store, params().split, 0)
    for word in words:
        assert word in str(error.value)


def test_too_few_groups_are_refused_with_the_choices_left(tmp_path, params):
    source = write_data_set(tmp_path / "set", count=2)
    store = prepare(source, tmp_path / "prepared", tmp_path / "checks.csv")
    with pytest.raises(UserError, match=r"2 group\(s\) of images cannot fill 3 subsets: add images"):
        split(store, params().split, 0)


def test_a_class_without_training_images_is_refused(tmp_path, params):
    lists = {"train.txt": ["0", "1", "2"], "rest.txt": ["3", "4", "5"]}
    store = grouped_store(tmp_path, lists, train="train.txt")
    for record in store.records:
        record.pixels[2] = 0 if record.group in "012" else 9
    with pytest.raises(UserError, match="no training image holds class_2"):
        split(store, params().split, 0)


def test_validation_without_foreground_is_refused(tmp_path, params):
    store = grouped_store(
        tmp_path, {"v.txt": ["3"]}, validation="v.txt", classes={0: "a", 1: "b", 2: "c"}, background="a"
    )
    for record in store.records:
        if record.group == "3":
            record.pixels[1:] = [0, 0]
    with pytest.raises(UserError, match="no validation image holds b or c"):
        split(store, params().split, 0)


def test_table_of_shares_and_reading_back(tmp_path, params):
    store = grouped_store(tmp_path)
    rows = split(store, params().split, 0)
    write_splits(tmp_path / "splits.csv", rows)
    indices = {name: read_subset(tmp_path / "splits.csv", store, name) for name in ("train", "validation", "test")}
    assert sorted(index for found in indices.values() for index in found) == list(range(12))
    table = subset_rows(store, rows)
    for subset, found in indices.items():
        masks = np.concatenate([store.mask(index).ravel() for index in found])
        shares = [row["share"] for row in table if row["subset"] == subset]
        np.testing.assert_allclose(shares, np.bincount(masks, minlength=3) / masks.size, atol=1e-6)
