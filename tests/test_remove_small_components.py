"""Removal of small components, in strips of all heights, against loops over components of the whole mask."""

import numpy as np
import pytest
from scipy.ndimage import label as labelled

import src.evaluation.metrics.remove_small_components as absorb
from src.evaluation.metrics.remove_small_components import remove_small_components
from tests.pixel_masks import class_images

CORNERS, SIDES = np.ones((3, 3)), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def brute_force(mask, labels, smallest, inside):
    result = mask.copy()
    height, width = mask.shape
    for value in labels:
        components, count = labelled(mask == value, SIDES if inside else CORNERS)
        for number in range(1, count + 1):
            pixels = set(zip(*map(list, np.nonzero(components == number)), strict=True))
            border = any(row in (0, height - 1) or column in (0, width - 1) for row, column in pixels)
            if len(pixels) >= smallest or (inside and border):
                continue
            around = {
                (row + down, column + right) for row, column in pixels for down in (-1, 0, 1) for right in (-1, 0, 1)
            }
            seen = [mask[at] for at in around if 0 <= at[0] < height and 0 <= at[1] < width and mask[at] != value]
            if seen:
                winner = min(set(seen), key=lambda found: (-seen.count(found), found))
                for at in pixels:
                    result[at] = winner
    return result


def masks():
    return [mask for pair in class_images(3, 60, 3, side=28, ignored=False) for mask in pair]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("strip", [1, 90, 2**22])
def test_strips_of_any_height_equal_plain_loops(strip, inside, monkeypatch):
    monkeypatch.setattr(absorb, "STRIP", strip)
    changed = 0
    for number, mask in enumerate(masks()):
        smallest = (2, 5, 1, 12)[number % 4]
        labels = ([0, 1, 2], [1], [2, 0])[number % 3]
        found = remove_small_components(mask, labels, smallest, inside=inside)
        np.testing.assert_array_equal(found, brute_force(mask, labels, smallest, inside))
        changed += (found != mask).any()
    assert changed > 10


@pytest.mark.parametrize("turned", [False, True])
def test_long_components_across_many_strips_are_judged_as_a_whole(turned, monkeypatch):
    """A line of n pixels down the picture: the longest that a component of n pixels can be."""
    monkeypatch.setattr(absorb, "STRIP", 1)
    for length in range(1, 40):
        mask = np.full((50, 7), 3, np.uint8)
        mask[5 : 5 + length, 2] = 1
        mask[4 + length, 2:5] = 1
        mask[:30, 6] = 2
        mask = mask[::-1].copy() if turned else mask
        for smallest in (length + 1, length + 2, length + 3, length + 4):
            found = remove_small_components(mask, [1], smallest)
            assert (found == 1).any() == (length + 2 >= smallest)
            np.testing.assert_array_equal(found, brute_force(mask, [1], smallest, False))


@pytest.mark.parametrize("turned", [False, True])
def test_the_pixel_beyond_the_end_of_a_line_counts(turned, monkeypatch):
    monkeypatch.setattr(absorb, "STRIP", 1)
    for length in range(1, 9):
        for start in range(1, 20):
            column = np.full((40, 1), 5, np.uint8)
            column[start : start + length], column[start + length :] = 3, 2
            column = column[::-1].copy() if turned else column
            wanted = np.where(column == 3, 2, column)  # of the two that touch it the lower
            np.testing.assert_array_equal(remove_small_components(column, [3], length + 1), wanted)


def test_a_component_that_fills_the_image_stays():
    mask = np.ones((4, 5), np.uint8)
    for inside in (False, True):
        np.testing.assert_array_equal(remove_small_components(mask, [0, 1], 100, inside=inside), mask)


def test_ties_go_to_the_lowest_class_and_each_neighbour_counts_once():
    mask = np.array([[4, 4, 4, 2, 2], [4, 1, 1, 1, 2], [4, 4, 2, 2, 2]], np.uint8)
    assert (mask == 4).sum() == (mask == 2).sum() == 6
    assert remove_small_components(mask, [1], 4)[1].tolist() == [4, 2, 2, 2, 2]
    mask[0, 3] = 4
    assert remove_small_components(mask, [1], 4)[1].tolist() == [4, 4, 4, 4, 2]


def test_holes_are_components_that_do_not_touch_the_border():
    mask = np.ones((6, 7), np.uint8)
    mask[1, 1] = mask[2, 2] = mask[4, 0] = 0  # two holes that touch by a corner, and a notch
    filled = mask.copy()
    filled[1, 1] = filled[2, 2] = 1
    np.testing.assert_array_equal(remove_small_components(mask, [0], 2, inside=True), filled)
    np.testing.assert_array_equal(
        remove_small_components(mask, [0], 2)[:4], mask[:4]
    )  # 8-connected they are one of two pixels


def test_the_given_mask_is_not_changed(tmp_path):
    path = tmp_path / "masks.bin"
    mask = masks()[40]
    path.write_bytes(mask.tobytes())
    mapped = np.memmap(path, np.uint8, "r", shape=mask.shape)
    found = remove_small_components(mapped, [0, 1, 2], 4)
    assert type(found) is np.ndarray and path.read_bytes() == mask.tobytes()
    np.testing.assert_array_equal(found, remove_small_components(mask, [0, 1, 2], 4))
