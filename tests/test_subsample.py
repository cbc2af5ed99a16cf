"""A few images are chosen that represent a subset."""

from collections import Counter
from types import SimpleNamespace

import pytest

from src.data.store.subsample import subsample
from src.data.store.subsets import FEWEST_GROUPS, Subset


def store_of(pixels):
    """A store with the number of pixels of each class in each image, which is all that `subsample` reads."""
    records = [SimpleNamespace(pixels=list(held)) for held in pixels]
    return SimpleNamespace(records=records, dataset=SimpleNamespace(names=[str(n) for n in range(len(pixels[0]))]))


def test_all_images_are_chosen_if_there_are_no_more():
    store = store_of([(1, 1)] * 20)
    assert subsample(Subset(store, [3, 1, 7], "abc"), 3).indices == [3, 1, 7]
    assert subsample(Subset(store, [3, 1, 7], "abc"), 1000).indices == [3, 1, 7]


@pytest.mark.parametrize("number", [1, 7, 50, 99])
def test_the_wanted_number_is_chosen_in_order_and_repeatably(number):
    store, indices = store_of([(9, 9)] * 200), list(range(199, 99, -1))
    chosen = subsample(Subset(store, indices, [str(index) for index in indices]), number).indices
    assert len(chosen) == number and chosen == [index for index in indices if index in chosen]
    assert subsample(Subset(store, indices, [str(index) for index in indices]), number).indices == chosen


def test_groups_take_turns():
    sizes = {"a": 1000, "b": 10, "c": 10, "d": 2, "e": 10}
    groups = [name for name, size in sizes.items() for _ in range(size)]
    chosen = subsample(Subset(store_of([(1, 1)] * len(groups)), range(len(groups)), groups), 22).indices
    assert Counter(groups[index] for index in chosen) == {"a": 5, "b": 5, "c": 5, "d": 2, "e": 5}
    of_one = [index for index in chosen if groups[index] == "a"]
    assert max(of_one) - min(of_one) > 300  # not its first ones, which may be neighbours


def test_a_rare_class_is_chosen_from_as_many_groups_as_decisions_need():
    """Five patients of two hundred slices, nine of each with a lesion."""
    held = [(100, 10 if 90 <= index % 200 < 99 else 0) for index in range(1000)]
    groups = [str(index // 200) for index in range(1000)]
    chosen = subsample(Subset(store_of(held), range(1000), groups), 16).indices
    assert {groups[index] for index in chosen if held[index][1]} == set("01234")
    assert len(chosen) == 16


def test_a_rare_class_is_in_enough_groups_for_a_decision():
    """A class in one image of each of ten groups of 100 images; fit_decisions asks for `FEWEST_GROUPS` groups."""
    held = [(100, int(index % 100 == 50)) for index in range(1000)]
    groups = [str(index // 100) for index in range(1000)]
    chosen = subsample(Subset(store_of(held), range(1000), groups), 12).indices
    assert len({groups[index] for index in chosen if held[index][1]}) >= FEWEST_GROUPS


def test_the_rarest_classes_come_first_if_not_all_fit():
    held = [[1, *(int(index % 40 == label) for label in range(40))] for index in range(2000)]
    held[777][5] = 0
    for row in held:
        row.append(0)
    held[1234][-1] = 1
    chosen = subsample(Subset(store_of(held), range(2000), [str(index) for index in range(2000)]), 16).indices
    assert 1234 in chosen and len(chosen) == 16
    wide = subsample(Subset(store_of(held), range(2000), [str(index) for index in range(2000)]), 400).indices
    counted = [sum(held[index][label] for index in wide) for label in range(42)]
    assert counted[-1] == 1 and min(counted[:-1]) >= FEWEST_GROUPS and len(wide) == 400
