"""Rasterised polygons, run lengths, discs and bitmaps agree with simple reference code."""

import numpy as np
import pytest

from src.convert.formats.rle import read_rle
from src.convert.problems import Refused
from src.convert.regions import Region, fill_disc, fill_polygons, fill_runs, place_bitmap
from tests.annotated import inside, picture


@pytest.mark.parametrize("grid", [None, 2])
def test_polygons_contain_the_pixels_whose_centres_they_contain(grid):
    rng = np.random.default_rng(0)
    for _ in range(40):  # they cross themselves, and reach out of the image; on the grid, edges run through centres
        points = rng.uniform(-4, 20, (rng.integers(3, 9), 2))
        points = np.round(points * grid) / grid if grid else points
        expected = [[inside(c + 0.5, r + 0.5, points.tolist()) for c in range(15)] for r in range(13)]
        np.testing.assert_array_equal(picture(fill_polygons([points], 13, 15), 13, 15), expected)


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_no_gap():
    rng = np.random.default_rng(1)
    for centre in (rng.uniform(3, 12, (20, 2)), rng.integers(6, 24, (20, 2)) / 2):
        for point in centre:
            corners = np.array([[0, 0], [15, 0], [15, 15], [0, 15]], float)
            fan = [np.array([corners[k], corners[(k + 1) % 4], point]) for k in range(4)]
            assert (sum(picture(fill_polygons([part], 15, 15), 15, 15).astype(int) for part in fan) == 1).all()


def test_a_centre_on_an_edge_belongs_to_the_shape_right_of_it_or_below():
    square = np.array([[1.5, 1.5], [4.5, 1.5], [4.5, 4.5], [1.5, 4.5]])
    expected = np.zeros((7, 7), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(picture(fill_polygons([square], 7, 7), 7, 7), expected)


def test_parts_add_up_and_a_hole_is_not_filled():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    hole = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [0, 0], [3, 3], [3, 7], [7, 7], [7, 3], [3, 3]], float)
    assert fill_polygons([square, square / 2, square + 12], 30, 30).area == 200
    mask = picture(fill_polygons([hole], 10, 10), 10, 10)
    assert mask.sum() == 100 - 16 and not mask[3:7, 3:7].any()


def test_discs_and_bitmaps_are_cut_off_at_the_border_of_the_image():
    rows, columns = np.mgrid[:11, :9]
    for x, y, radius in [(4.2, 5.1, 3.3), (0.0, 0.0, 4.0), (8.5, 10.5, 0.0), (-9.0, 3.0, 2.0), (4.0, 4.0, 40.0)]:
        expected = (rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 <= radius**2
        np.testing.assert_array_equal(picture(fill_disc((x, y), radius, 11, 9), 11, 9), expected)
    pixels = np.array([[True, False, True], [True, True, False]])
    for top, left in [(0, 0), (-1, -2), (10, 7), (3, 4), (20, 20), (-5, -5)]:
        expected = np.zeros((40, 40), bool)
        expected[10 + top : 12 + top, 10 + left : 13 + left] = pixels
        found = picture(place_bitmap(Region(top, left, pixels), 11, 9), 11, 9)
        np.testing.assert_array_equal(found, expected[10:21, 10:19])


RLE = {  # the texts are pycocotools 2.0.11's
    "b47<2N2N2N2O000000000001N2N2N2Nk4": (20, 30, lambda r, c: (r - 9) ** 2 + (c - 14) ** 2 < 60),
    "011010O01000O01020N0O010O010O010O01020N0O01000": (7, 9, lambda r, c: (7 * r + 3 * c) % 11 < 4),
    "0d0": (5, 4, lambda r, c: r >= 0),
    "d0": (5, 4, lambda r, c: r < 0),
    "01c0": (5, 4, lambda r, c: (r < 1) & (c < 1)),
    "c01": (5, 4, lambda r, c: (r == 4) & (c == 3)),
    "hd>`Ym0hd>": (300, 200, lambda r, c: (c >= 50) & (c < 150)),
    "hd>`Ym0hm2h_[OTaNmVGK": (
        300,
        200,
        lambda r, c: ((c >= 50) & (c < 150)) | ((c >= 160) & (c < 190)) | ((c == 195) & (r < 5)),
    ),
}


@pytest.mark.parametrize("text", RLE)
def test_run_lengths_are_read_as_pycocotools_writes_them(text):
    height, width, rule = RLE[text]
    expected = rule(*np.mgrid[:height, :width])
    runs = read_rle({"size": [height, width], "counts": text}, height, width)
    np.testing.assert_array_equal(picture(fill_runs(runs, height, width), height, width), expected)
    again = read_rle({"size": [height, width], "counts": runs.tolist()}, height, width)
    np.testing.assert_array_equal(again, runs)


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ("0c0", "covers 19"),
        ("0d0P", "cut off"),
        ("0d ", "damaged"),
        ("oooooooooooooooo0", "damaged"),
        ("0NT1", "no run lengths"),
        ([-1, 21], "no run lengths"),
        ([5, 4], "covers 9 pixels, the image has 20"),
        ([20.0], "no run lengths"),
        ([True, 19], "no run lengths"),
        (None, "no run lengths"),
    ],
)
def test_damaged_run_lengths_are_refused(counts, why):
    with pytest.raises(Refused, match=why):
        read_rle({"size": [5, 4], "counts": counts}, 5, 4)
