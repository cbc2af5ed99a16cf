"""Splits keep groups and near-duplicates together, divide evenly, repeat for a seed, and follow folds and lists."""

from dataclasses import replace

import numpy as np
import pytest

from src.data.source.dataset import Dataset, write_dataset
from src.data.splits.divide import group_contents, split, split_notes, subset_table, twin_note
from src.data.splits.stratify import assign_groups, cover_classes
from src.data.store.store import Store
from src.data.store.subsets import read_subset, write_splits
from src.errors import UserError
from tests.conftest import prepared, write_data_set


def grouped_store(tmp_path, files=None, count=12, **keys) -> Store:
    """A three-class data set of 12 images in 6 groups of two, with the official lists in `files`."""
    source = write_data_set(tmp_path / "set", count, classes=3)
    write_dataset(source, Dataset(**{"group": r"^case (\d+)-"} | keys))
    for name, lines in (files or {}).items():
        (source / name).write_text("# a comment\n\n" + "".join(f"{line}\n" for line in lines))
    return prepared(source, tmp_path)


def with_twins(store: Store, *clusters: str) -> Store:
    """Mark the images of these numbers as near-duplicates, such as "0 5" for case 0-0 and case 2-5."""
    for cluster in clusters:
        positions = [int(number) for number in cluster.split()]
        first = min(store.records[position].id for position in positions)
        for position in positions:
            store.records[position] = replace(store.records[position], twin=first)
    return store


def subsets_of(rows, key="group") -> dict[str, set[str]]:
    return {value: {row["subset"] for row in rows if row[key] == value} for value in {row[key] for row in rows}}


def test_groups_stay_whole_and_every_subset_is_filled(tmp_path, params):
    store = grouped_store(tmp_path)
    for seed in range(20):
        rows = split(store, params().split, seed)
        assert [row["id"] for row in rows] == [record.id for record in store.records]
        subsets = {group: {row["subset"] for row in rows if row["group"] == group} for group in "012345"}
        assert all(len(found) == 1 for found in subsets.values())
        assert set.union(*subsets.values()) == {"train", "validation", "test"}


def test_equal_seeds_give_equal_splits_and_other_seeds_others(store, params):
    splits = [tuple(row["subset"] for row in split(store, params().split, seed)) for seed in (0, 0, 1, 2, 3, 4)]
    assert splits[0] == splits[1] and len(set(splits)) > 2


def test_shares_and_classes_are_spread_evenly():
    rng = np.random.default_rng(0)
    contents = {str(number): np.array([1, *rng.exponential([1000, 10])]) for number in range(200)}
    position = assign_groups(contents, np.array([0.6, 0.2, 0.2]), seed=0)
    total = sum(contents.values())
    for subset, share in enumerate([0.6, 0.2, 0.2]):
        held = sum(content for group, content in contents.items() if position[group] == subset) / total
        np.testing.assert_allclose(held, share, atol=0.03)


@pytest.mark.parametrize(("groups", "folds"), [(12, 5), (24, 10), (14, 10), (3, 3), (100, 7)])
def test_folds_are_of_even_size(groups, folds):
    contents = {str(number): np.array([1.0, 5.0]) for number in range(groups)}
    sizes = np.bincount(list(assign_groups(contents, np.full(folds, 1 / folds), 0).values()), minlength=folds)
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


def test_lists_name_images_or_groups_and_the_rest_is_divided(tmp_path, params):
    store = grouped_store(tmp_path, {"official.txt": ["4", "case 2-5"]}, test="official.txt")
    rows = split(store, params().split, 0)
    assert {row["group"] for row in rows if row["subset"] == "test"} == {"4", "2"}
    assert {row["subset"] for row in rows if row["group"] not in "42"} == {"train", "validation"}


def test_with_folds_a_list_of_test_stays_the_test_subset(tmp_path, params):
    store = grouped_store(tmp_path, {"official.txt": ["4"]}, test="official.txt")
    validated = []
    for fold in range(3):
        rows = split(store, params(**{"split.folds": 3, "split.fold": fold}).split, 0)
        assert {(row["group"], row["fold"]) for row in rows if row["subset"] == "test"} == {("4", "")}
        validated += [row["group"] for row in rows if row["subset"] == "validation"]
        assert {row["fold"] for row in rows if row["subset"] == "validation"} == {str(fold)}
    assert sorted(validated) == sorted("0011223355")


def test_lists_of_train_or_validation_are_refused_with_folds(tmp_path, params):
    store = grouped_store(tmp_path, {"a.txt": ["4"], "b.txt": ["3"]}, test="a.txt", validation="b.txt")
    with pytest.raises(
        UserError, match=r"list of test images only, but dataset\.yaml also names one of validation.*\n  split.folds: 0"
    ):
        split(store, params(**{"split.folds": 3}).split, 0)


def test_lists_keep_their_meaning_when_split_group_overrides_the_data_set(tmp_path, params):
    store = grouped_store(tmp_path, {"official.txt": ["4", "case 2-5"]}, test="official.txt")
    rows = split(store, params(**{"split.group": "none"}).split, 0)
    assert [row["id"] for row in rows if row["subset"] == "test"] == ["case 2-5", "case 4-8", "case 4-9"]


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"test": ["9"]}, ["'9': on the list of test, but neither an image nor a group"]),
        ({"test": ["4"], "train": ["case 4-8"]}, ["'4': its group '4' is on the lists of train and of test"]),
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


@pytest.mark.parametrize(
    ("changes", "twins", "words", "unsaid"),
    [
        (
            {"split.group": "^(case)"},
            [],
            ["1 group(s) of 12 image(s) cannot fill 3 subsets", "group: none   # 12"],
            "folds",
        ),
        ({"split.folds": 7}, [], ["6 group(s)", "fill 7 folds", "split.folds: 6", "split.folds: 0", "# 12"], "apart"),
        ({}, ["1 2", "3 5 6", "8 10"], ["2 group(s)", "duplicates: apart   # 6 groups", "more images"], "folds"),
        ({"split.folds": 13, "split.group": "none"}, [], ["split.folds: 12", "more images"], "split.group"),
    ],
)
def test_too_few_groups_are_refused_with_every_remedy_that_helps(tmp_path, params, changes, twins, words, unsaid):
    store = with_twins(grouped_store(tmp_path), *twins)
    with pytest.raises(UserError) as error:
        split(store, params(**changes).split, 0)
    assert all(word in str(error.value) for word in words) and unsaid not in str(error.value), error.value


def test_shorter_lists_are_a_remedy_for_too_few_groups(tmp_path, params):
    store = grouped_store(tmp_path, {"t.txt": list("01234")}, test="t.txt")
    with pytest.raises(UserError, match=r"1 group.* of 2 image.* on no list cannot fill 2 subsets") as error:
        split(store, params().split, 0)
    assert "fewer lines in the lists" in str(error.value)


@pytest.mark.parametrize("folds", [0, 3])
def test_groups_and_near_duplicates_stay_in_one_subset(tmp_path, params, folds):
    store = grouped_store(tmp_path, count=40)
    for seed in range(30):
        kinds = np.random.default_rng(seed).integers(0, 200, 40).tolist()  # about four pairs of equal ones
        firsts = [store.records[kinds.index(kind)].id for kind in kinds]
        store.records[:] = [
            replace(record, twin=first if first != record.id else "")
            for record, first in zip(store.records, firsts, strict=True)
        ]
        rows = split(store, params(**{"split.folds": folds}).split, seed)
        assert all(len(found) == 1 for found in subsets_of(rows).values())
        cases = [row | {"case": row["id"].split("-")[0]} for row in rows]
        assert all(len(found) == 1 for found in subsets_of(cases, "case").values())
        subset_of = {row["id"]: row["subset"] for row in rows}
        assert all(not record.twin or subset_of[record.id] == subset_of[record.twin] for record in store.records)
        assert not any("across" in line for line in split_notes(store, params().split, rows))


def test_duplicates_apart_keeps_groups_and_reports_pairs_across_subsets(tmp_path, params):
    store = with_twins(
        grouped_store(tmp_path, {"t.txt": ["0"], "v.txt": ["1"]}, test="t.txt", validation="v.txt"), "0 11"
    )
    apart = params(**{"split.duplicates": "apart"}).split
    rows = split(store, apart, 0)
    assert len({row["group"] for row in rows}) == 6
    said = split_notes(store, apart, rows)
    assert twin_note(store).startswith("2 of 12 images") and "'case 0-0' (test) = 'case 5-11' (train)" in said[-1]
    rows = split(store, params().split, 0)
    assert {row["group"] for row in rows if row["subset"] == "test"} == {"0"} and rows[11]["group"] == "0"
    said = "\n".join(split_notes(store, params().split, rows))
    assert (
        "6 groups became 5" in said
        and "similar image that is on one: 2\n  'case 5-10': test\n  'case 5-11': test" in said
    )
    assert "across" not in said


def test_without_near_duplicates_only_their_number_is_reported(store, params):
    assert twin_note(store) == "0 of 12 images are equal or nearly equal to another one"
    assert split_notes(store, params().split, split(store, params().split, 0)) == []


def test_lists_that_separate_near_duplicates_are_refused_unless_duplicates_are_apart(tmp_path, params):
    lists = {"t.txt": ["0"], "v.txt": ["1"]}
    store = with_twins(grouped_store(tmp_path, lists, test="t.txt", validation="v.txt"), "0 5", "4 3")
    with pytest.raises(UserError, match=r"split\.duplicates: apart") as error:  # 0 (test), 2 (no list), 1 (validation)
        split(store, params().split, 0)
    assert "'case 0-0' (test) = 'case 2-5' (no list)" in str(error.value)
    assert "'case 1-3' (validation) = 'case 2-4' (no list)" in str(error.value)
    rows = split(store, params(**{"split.duplicates": "apart"}).split, 0)
    assert subsets_of(rows)["0"] == {"test"} and subsets_of(rows)["1"] == {"validation"}


def test_split_group_overrides_the_data_set(tmp_path, params):
    store = grouped_store(tmp_path)
    for rule, groups in (("auto", 6), ("none", 12), (r"(\d)$", 10), ("folder", 12)):
        assert len({row["group"] for row in split(store, params(**{"split.group": rule}).split, 0)}) == groups


def test_values_of_a_stratify_column_are_divided_evenly(tmp_path, params):
    source = write_data_set(tmp_path / "set", 90, classes=3)
    sites = ["abc"[min(number % 9 // 4, 2)] for number in range(90)]  # 40, 40 and 10 images
    table = "".join(f"case {number // 2}-{number},{site}\n" for number, site in enumerate(sites))
    (source / "sites.csv").write_text(f"image,site\n{table}")
    store = prepared(source, tmp_path)

    def unevenness(stratify):
        """Mean over seeds of the largest difference between a site's share in a subset and its wanted share."""
        worst = []
        for seed in range(10):
            rows = split(store, params(**{"split.stratify": stratify}).split, seed)
            site_of = dict(zip((f"case {number // 2}-{number}" for number in range(90)), sites, strict=True))
            for subset, share in (("validation", 0.2), ("test", 0.2)):
                held = [site_of[row["id"]] for row in rows if row["subset"] == subset]
                assert len(held) == 18
                worst.append(max(abs(held.count(site) / sites.count(site) - share) for site in "abc"))
        return np.mean(worst)

    assert unevenness("sites.csv:site") < 0.6 * min(unevenness("none"), unevenness("classes"))


def test_stratify_none_counts_only_images(store):
    groups = {record.id: record.id for record in store.records}
    assert {content.tolist()[0] for content in group_contents(store, groups, "none").values()} == {1.0}
    assert {len(content) for content in group_contents(store, groups, "none").values()} == {1}
    assert {len(content) for content in group_contents(store, groups, "classes").values()} == {4}


def test_a_column_of_too_many_values_is_refused(tmp_path, params):
    store = grouped_store(tmp_path)
    rows = "".join(f"{record.id},{number % 5}\n" for number, record in enumerate(store.records))
    (store.folder / "t.csv").write_text("image,age\n" + rows)
    with pytest.raises(UserError, match="5 values for 12 images"):
        split(store, params(**{"split.stratify": "t.csv:age"}).split, 0)


def test_a_class_without_training_images_is_refused(tmp_path, params):
    lists = {"train.txt": ["0", "1", "2"], "rest.txt": ["3", "4", "5"]}
    store = grouped_store(tmp_path, lists, train="train.txt")
    for record in store.records:
        record.pixels[2] = 0 if record.id[5] in "012" else 9
    with pytest.raises(UserError, match="no training image holds class_2"):
        split(store, params().split, 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_class_of_a_single_group_is_trained_on(tmp_path, params, seed):
    store = grouped_store(tmp_path)
    for record in store.records:
        record.pixels[2] = 9 if record.id.startswith("case 4") else 0
    rows = split(store, params().split, seed)
    assert {row["subset"] for row in rows if row["group"] == "4"} == {"train"}
    assert {row["subset"] for row in rows} == {"train", "validation", "test"}


@pytest.mark.parametrize("single", [3, 16, 60])
def test_groups_are_exchanged_until_training_holds_every_class(single):
    rng = np.random.default_rng(single)
    pixels = np.hstack([np.eye(200)[:, :single], rng.integers(0, 2, (200, 10)), np.ones((200, 1))])
    contents = {str(group): np.array([1, *row]) for group, row in enumerate(rng.permutation(pixels))}
    chosen = assign_groups(contents, np.array([0.6, 0.2, 0.2]), 0)
    made = cover_classes(chosen, contents, 0)
    assert np.all(np.any([contents[group] for group in made if made[group] == 0], axis=0))
    assert np.bincount(list(made.values())).tolist() == [120, 40, 40]
    moved = [group for group in made if made[group] != chosen[group]]
    assert len(moved) <= 2 * single and cover_classes(made, contents, 0) == made


def test_no_class_leaves_training_for_another_one():
    contents = {group: np.array([1, group == "a", group == "b"]) for group in "ab"}
    assert cover_classes({"a": 0, "b": 1}, contents, 0) == {"a": 0, "b": 1}


def test_a_group_is_exchanged_for_one_of_similar_size():
    contents = {"large": np.array([900, 5, 0]), "small": np.array([2, 5, 0]), "rare": np.array([1, 0, 5])}
    assert cover_classes({"large": 0, "small": 0, "rare": 1}, contents, 0) == {"large": 0, "small": 1, "rare": 0}


def test_validation_without_foreground_is_refused(tmp_path, params):
    store = grouped_store(
        tmp_path, {"v.txt": ["3"]}, validation="v.txt", classes={0: "a", 1: "b", 2: "c"}, background="a"
    )
    for record in store.records:
        if record.id.startswith("case 3"):
            record.pixels[1:] = [0, 0]
    with pytest.raises(UserError, match="no validation image holds b or c"):
        split(store, params().split, 0)


def test_splits_are_read_back_as_written_and_the_table_has_their_shares(tmp_path, params):
    store = grouped_store(tmp_path)
    rows = split(store, params().split, 0)
    write_splits(tmp_path / "splits.csv", rows)
    subsets = {name: read_subset(tmp_path / "splits.csv", store, name) for name in ("train", "validation", "test")}
    group_of = {row["id"]: row["group"] for row in rows}
    for found in subsets.values():
        assert found.groups == [group_of[record.id] for record in found.records]
    assert sorted(index for found in subsets.values() for index in found.indices) == list(range(12))
    table = subset_table(store, rows)
    for subset, found in subsets.items():
        masks = np.concatenate([store.mask(index).ravel() for index in found.indices])
        shares = [row["share"] for row in table if row["subset"] == subset]
        np.testing.assert_allclose(shares, np.bincount(masks, minlength=3) / masks.size, atol=1e-6)
