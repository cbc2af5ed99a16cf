"""The size of the parts of each class, compared with known shapes and with SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from src.data.classes.label_format import LabelFormat
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.plan import object_sizes
from src.plan.object_sizes import areas_and_borders, typical_sizes
from tests.conftest import prepared, write_pair

SHAPES = {
    "a square": (lambda y, x: (abs(y) < 30) & (abs(x) < 30), 59),
    "a disc": (lambda y, x: y**2 + x**2 < 40**2, 0.79 * 80),
    "a long strip": (lambda y, x: abs(y) < 5, 2 * 9),  # from border to border of the picture, which is none of it
    "half of the picture": (lambda y, x: y < 0, 400),
}


def sizes_in(store, indices):
    """`typical_sizes` of the images at these positions."""
    return typical_sizes(Subset.ungrouped(store, indices))


def store_of(tmp_path, masks) -> Store:
    for number, mask in enumerate(masks):
        write_pair(tmp_path / "set", f"{number:02d}", np.zeros((*mask.shape, 3), np.uint8), mask.astype(np.uint8))
    return prepared(tmp_path / "set", tmp_path)


def drawn(shape):
    rows, columns = np.mgrid[:200, :200] - 100
    return shape(rows, columns)


@pytest.mark.parametrize("shape", SHAPES)
def test_known_shapes_have_their_known_size(shape):
    inside, side = SHAPES[shape]
    (_, area), (_, border) = areas_and_borders(drawn(inside).astype(np.uint8), LabelFormat(2))
    assert 4 * area / border == pytest.approx(side, rel=0.03)


@pytest.mark.parametrize("form", [LabelFormat(3), LabelFormat(3, overlap=True)])
def test_borders_are_counted_as_scipy_counts_neighbours(form):
    mask = np.random.default_rng(0).integers(0, form.limit, (40, 30), dtype=np.uint8)
    mask[:5] = 255
    areas, borders = areas_and_borders(mask, form)
    for label in range(3):
        inside = (mask < 255) & ((mask >> label & 1 == 1) if form.overlap else mask == label)
        own = np.pad(inside, 1, "edge")
        others = ndimage.convolve((~own).astype(int), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))[1:-1, 1:-1]
        assert areas[label] == inside.sum() and borders[label] == others[inside].sum()


def square(half, side=200):
    rows, columns = np.mgrid[:side, :side] - side // 2
    return (abs(rows) < half) & (abs(columns) < half)


def test_the_size_is_the_median_over_images_that_contain_the_class(tmp_path):
    store = store_of(tmp_path, [*(square(half) for half in (5, 10, 20, 40, 60)), np.zeros((200, 200))])
    assert sizes_in(store, range(6)) == {"foreground": pytest.approx(39 / 200)}
    assert sizes_in(store, [3, 4, 5]) == {"foreground": pytest.approx(79 / 200)}
    assert sizes_in(store, [5]) == {}


def test_the_size_is_a_share_of_the_size_of_each_image(tmp_path):
    masks = [square(side // 4, side) for side in (40, 80, 400)]
    assert sizes_in(store_of(tmp_path, masks), range(3))["foreground"] == pytest.approx(0.5, rel=0.06)


def test_large_masks_are_thinned_and_only_some_of_many_are_measured(tmp_path, monkeypatch):
    store = store_of(tmp_path, [square(60)] * 7)
    whole = sizes_in(store, range(7))["foreground"]
    monkeypatch.setattr(object_sizes, "SIDE", 50)
    looked, mask = [], Store.mask
    monkeypatch.setattr(Store, "mask", lambda self, index: looked.append(index) or mask(self, index))
    monkeypatch.setattr(object_sizes, "MOST_MASKS", 3)
    assert sizes_in(store, range(7))["foreground"] == pytest.approx(whole, rel=0.05)
    assert looked == [0, 3, 6]


def test_a_class_without_a_border_has_no_size(tmp_path):
    assert sizes_in(store_of(tmp_path, [np.ones((20, 20)), np.zeros((20, 20))]), [0]) == {"foreground": np.inf}
