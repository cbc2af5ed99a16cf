"""Outlines of objects: exact to the pixel by the rule of tools.convert, simple rings, and their simplification."""

import time

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import src.objects.outlines as outlines
import src.objects.pieces as pieces
from src.convert.regions import fill_polygons
from src.objects.annotated import join_holes
from src.objects.outlines import Polygon, trace_outlines
from src.objects.simplify import simplify_polygon, simplify_ring
from tests.annotated import picture
from tests.outlined import blobs, numbered
from tests.test_object_components import small_strips


def painted(polygons, height, width):
    """The pixels whose centres lie in the outlines and not in the holes, bool [height, width]."""
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        parts = [picture(fill_polygons([ring], height, width), height, width) for ring in polygon.rings]
        mask |= parts[0] & ~np.any(parts[1:], axis=0)
    return mask


@pytest.mark.parametrize("seed", range(3))
def test_outlines_hold_exactly_the_pixels_of_their_objects(seed):
    numbers = numbered(blobs(seed))
    outlines = trace_outlines(numbers)
    assert list(outlines) == list(range(1, numbers.max() + 1))
    assert any(polygon.holes for polygons in outlines.values() for polygon in polygons)
    for number, polygons in outlines.items():
        np.testing.assert_array_equal(painted(polygons, *numbers.shape), numbers == number)


def test_outlines_of_every_small_mask_are_simple_rings_with_the_object_on_the_right():
    masks = (np.arange(2**9)[:, None] >> np.arange(9) & 1).reshape(-1, 3, 3)
    tiles = np.pad(masks * np.arange(2**9)[:, None, None], ((0, 0), (0, 1), (0, 0)))  # a tile of 4 × 3 for each
    outlines = trace_outlines(tiles.reshape(-1, 3))
    for number in range(1, 2**9):
        polygons = [
            Polygon(one.outer - [0, 4 * number], [hole - [0, 4 * number] for hole in one.holes])
            for one in outlines[number]
        ]
        np.testing.assert_array_equal(painted(polygons, 3, 3), masks[number])
        for polygon in polygons:
            for ring, sign in [(polygon.outer, 1), *((hole, -1) for hole in polygon.holes)]:
                assert len({*map(tuple, ring.tolist())}) == len(ring)
                (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
                assert np.sign((x * next_y - next_x * y).sum()) == sign
                assert ((x == next_x) != (y == next_y)).all()


def test_pixels_that_touch_by_a_corner_are_two_polygons_of_one_object():
    (first, second) = trace_outlines(np.eye(2, dtype=np.uint8))[1]
    assert first.outer.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert second.outer.tolist() == [[1, 1], [2, 1], [2, 2], [1, 2]]


def test_a_mask_without_objects_has_no_outlines():
    assert trace_outlines(np.zeros((3, 4), np.uint8)) == {} == trace_outlines(np.zeros((0, 4), np.int32))


def test_outlines_are_found_strip_by_strip_as_in_one_piece(monkeypatch):
    numbers = numbered(blobs(7))
    whole = trace_outlines(numbers)
    for module in (outlines, pieces):
        monkeypatch.setattr(module, "strips", small_strips)
    for number, polygons in trace_outlines(numbers).items():
        for one, other in zip(polygons, whole[number], strict=True):
            np.testing.assert_equal(one.rings, other.rings)


def test_the_time_of_outlines_grows_with_the_pixels_not_with_pixels_times_objects():
    tile = np.pad(np.ones((4, 4), np.uint8), 1)
    times = []
    for side in (20, 80):
        numbers = numbered(np.tile(tile, (side, side)))
        start = time.process_time()
        assert len(trace_outlines(numbers)) == side**2
        times.append(time.process_time() - start)
    assert times[1] < 60 * max(times[0], 0.01)  # 16 times the pixels and the objects; 256 times would be quadratic


def test_one_ring_with_its_holes_holds_the_same_pixels():
    numbers = numbered(blobs(4))
    for number, polygons in trace_outlines(numbers).items():
        joined = [Polygon(join_holes(polygon)) for polygon in polygons]
        np.testing.assert_array_equal(painted(joined, *numbers.shape), numbers == number)


def distances(points, ring):
    """The distance of each point to the nearest of many points on the ring."""
    following = np.roll(ring, -1, axis=0)
    dense = np.concatenate([ring + share * (following - ring) for share in np.linspace(0, 1, 200)])
    return cdist(points, dense).min(axis=1)


@pytest.mark.parametrize("deviation", [0.8, 1.5, 3])
def test_simplified_outlines_deviate_by_no_more_than_was_asked(deviation):
    rows, columns = np.mgrid[:120, :120]
    disc = np.hypot(rows - 60, columns - 55) < 50 + 4 * np.sin(columns / 3)
    disc &= np.hypot(rows - 60, columns - 50) > 20
    (polygon,) = trace_outlines(disc.astype(np.uint8))[1][:1]
    simple = simplify_polygon(polygon, deviation)
    for before, after in zip(polygon.rings, simple.rings, strict=True):
        assert 3 <= len(after) < len(before) and {*map(tuple, after)} < {*map(tuple, before)}
        assert distances(before, after).max() <= deviation + 0.05


def test_simplification_keeps_small_objects_and_changes_nothing_at_zero():
    (pixel,) = trace_outlines(np.ones((1, 1), np.uint8))[1]
    assert len(simplify_ring(pixel.outer, 50)) == 4
    assert simplify_polygon(pixel, 0) is pixel
