"""The size of the parts of each class, against shapes whose size is known, and against SciPy's labels."""

import numpy as np
import pytest
from scipy import ndimage

from src.data.store import Store
from src.plan import parts
from src.plan.parts import areas_and_borders, part_sides
from tests.conftest import prepared, write_pair

SHAPES = {
    "a square": (lambda y, x: (abs(y) < 30) & (abs(x) < 30), 59),
    "a disc": (lambda y, x: y**2 + x**2 < 40**2, 0.79 * 80),
    "a long strip": (lambda y, x: abs(y) < 5, 2 * 9),  # from border to border of the picture, which is none of it
    "half of the picture": (lambda y, x: y < 0, 400),
}


def store_of(tmp_path, masks) -> Store:
    for number, mask in enumerate(masks):
        write_pair(tmp_path / "set", f"{number:02d}", np.zeros((*mask.shape, 3), np.uint8), mask.astype(np.uint8))
    return prepared(tmp_path / "set", tmp_path)


def drawn(shape):
    rows, columns = np.mgrid[:200, :200] - 100
    return shape(rows, columns)


@pytest.mark.parametrize("shape", SHAPES)
def test_of_shapes_that_are_known(shape):
    inside, side = SHAPES[shape]
    (_, area), (_, border) = areas_and_borders(drawn(inside).astype(np.uint8), 2)
    assert 4 * area / border == pytest.approx(side, rel=0.03)


def test_borders_are_counted_as_scipy_counts_neighbours():
    mask = np.random.default_rng(0).integers(0, 3, (40, 30), dtype=np.uint8)
    mask[:5] = 255
    areas, borders = areas_and_borders(mask, 3)
    for label in range(3):
        own = np.pad(mask == label, 1, "edge")
        others = ndimage.convolve((~own).astype(int), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))[1:-1, 1:-1]
        assert areas[label] == (mask == label).sum() and borders[label] == others[mask == label].sum()


def test_of_a_set_it_is_the_lower_quartile_of_the_images_that_hold_the_class(tmp_path):
    squares = [drawn(lambda y, x, half=half: (abs(y) < half) & (abs(x) < half)) for half in (5, 10, 20, 40, 60)]
    store = store_of(tmp_path, [*squares, np.zeros((200, 200))])
    assert part_sides(store, range(6)) == {"foreground": pytest.approx(19)}
    assert part_sides(store, [3, 4, 5]) == {"foreground": pytest.approx(79)}
    assert part_sides(store, [5]) == {}


def test_looks_at_some_masks_and_at_their_middles(tmp_path, monkeypatch):
    store = store_of(tmp_path, [drawn(lambda y, x: (abs(y) < 20) & (abs(x) < 20))] * 7)
    monkeypatch.setattr(parts, "WINDOW", 30)
    assert part_sides(store, range(7)) == {"foreground": np.inf}  # in the middle there is nothing else
    looked, mask = [], Store.mask
    monkeypatch.setattr(Store, "mask", lambda self, index: looked.append(index) or mask(self, index))
    monkeypatch.setattr(parts, "LOOKED_AT", 3)
    part_sides(store, range(7))
    assert looked == [0, 3, 6]
