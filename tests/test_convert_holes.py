"""Polygons inside polygons of one COCO annotation: holes, islands, and shapes that change nothing."""

import cv2
import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.holes import find_nested
from src.convert.regions import fill_polygons, overlap
from src.convert.summary import describe
from src.errors import UserError
from tests.annotated import (
    SQUARE,
    from_coco,
    from_labelme,
    labelme,
    photo,
    picture,
    read_mask,
    run,
    stored,
)
from tests.conftest import prepared

OUTER = [1, 1, 11, 1, 11, 9, 1, 9]  # 10 × 8 pixels
BACKWARDS = [1, 9, 11, 9, 11, 1, 1, 1]  # the same
INNER = [3, 3, 8, 3, 8, 7, 3, 7]  # 5 × 4 pixels
RING = np.zeros((10, 12), np.uint8)
RING[1:9, 1:11], RING[3:7, 3:8] = 1, 0
FILLED = np.zeros((10, 12), np.uint8)
FILLED[1:9, 1:11] = 1


@pytest.mark.parametrize("parts", [[OUTER, INNER], [INNER, OUTER], [OUTER, BACKWARDS, INNER]])
@pytest.mark.parametrize("area", [60, 60.4, "60"])
def test_an_inner_polygon_is_a_hole_if_area_says_so(tmp_path, parts, area):
    summary = from_coco(tmp_path, (3, parts, {"area": area, "id": 5}))
    np.testing.assert_array_equal(stored(tmp_path), RING)
    np.testing.assert_array_equal(prepared(tmp_path / "out", tmp_path).mask(0), RING)
    words = describe(summary)
    assert "'annotations[0] (id 5) on a.png': a polygon lies inside another" in words and "drawn as a hole" in words
    assert "area is 60; with a hole it would be about 60, without 80" in words or area == 60.4


@pytest.mark.parametrize("area", [80, 100])  # of the union, or of both polygons added up
def test_an_inner_polygon_is_added_up_if_area_says_so(tmp_path, area):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}))
    np.testing.assert_array_equal(stored(tmp_path), FILLED)
    assert not summary.warnings


@pytest.mark.parametrize("more", [{}, {"area": 0}, {"area": None}, {"area": 80, "bbox": [1, 1, 10, 8]}])
def test_an_inner_polygon_that_no_area_explains_is_added_up_with_a_warning(tmp_path, more):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], more))
    np.testing.assert_array_equal(stored(tmp_path), FILLED)
    assert "no area says whether it is a hole" in describe(summary) and "--holes cut" in describe(summary)


def test_an_area_that_fits_neither_case_is_refused_without_the_option_holes(tmp_path):
    for position, area in enumerate((74, 40, 130)):
        with pytest.raises(UserError, match=r"'annotations\[0\] on a.png': a polygon lies.*area is \d+;.*--holes cut"):
            from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}))
        from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes="cut"), out=f"cut{position}")
        from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes="fill"), out=f"fill{position}")
        np.testing.assert_array_equal(read_mask(tmp_path / f"cut{position}/masks/a.png"), RING)
        np.testing.assert_array_equal(read_mask(tmp_path / f"fill{position}/masks/a.png"), FILLED)


@pytest.mark.parametrize(("holes", "area"), [("cut", 80), ("fill", 60)])
def test_an_option_that_contradicts_the_area_adds_a_warning(tmp_path, holes, area):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes=holes))
    np.testing.assert_array_equal(stored(tmp_path), RING if holes == "cut" else FILLED)
    assert f"--holes {holes} overrides this" in describe(summary)


def test_holes_are_found_if_contours_run_through_pixel_centres_and_area_counts_pixels(tmp_path):
    """cv2.findContours and mask.sum() give this: area exceeds that of the polygons by half a border line."""
    outer, inner = [1, 1, 10, 1, 10, 8, 1, 8], [2, 2, 8, 2, 8, 7, 2, 7]
    hole = from_coco(tmp_path, (3, [outer, inner], {"area": int(RING.sum())}))
    assert "drawn as a hole" in describe(hole) and not stored(tmp_path)[4, 5]
    from_coco(tmp_path, (3, [outer, inner], {"area": int(FILLED.sum())}), out="filled")
    assert read_mask(tmp_path / "filled/masks/a.png")[4, 5] == 1


def test_rings_traced_by_opencv_are_never_taken_for_filled_shapes_or_the_reverse(tmp_path):
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(40):
        outer, inner = np.zeros((2, 120, 140), np.uint8)
        cv2.ellipse(outer, (70, 60), (int(rng.integers(25, 60)), int(rng.integers(25, 55))), 0, 0, 360, 1, -1)
        cv2.circle(inner, (70, 60), int(rng.integers(2, 22)), 1, -1)
        contours, _ = cv2.findContours(outer - inner, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        inside = find_nested([contour[:, 0].astype(float) for contour in contours], 120, 140)
        ring, filled = (inside.check_area(float(mask.sum())).holes for mask in (outer - inner, outer))
        assert ring is not False and filled is not True
        decided += (ring is True) + (filled is False)
    assert decided >= 76  # of 80; the others are refused, and left to --holes


def polygons(seed):
    """Ellipses of several sizes; some occur twice, some contain no pixel's centre."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sizes = rng.choice([0.2, 3, 8, 20, 40], (30, 2), p=[0.1, 0.3, 0.3, 0.2, 0.1])
    parts = [rng.uniform(0, 90, 2) + size * unit for size in sizes]
    return [*parts, parts[3], parts[7]]


@pytest.mark.parametrize("seed", range(5))
def test_depths_of_nested_polygons_agree_with_their_pixels(seed):
    parts = polygons(seed)
    masks = [picture(fill_polygons([part], 90, 90), 90, 90) for part in parts]
    assert any(mask.any() for mask in masks)
    first = [not mask.any() or not any((mask == other).all() for other in masks[:k]) for k, mask in enumerate(masks)]
    parts, masks = ([one for one, kept in zip(all_, first, strict=True) if kept] for all_ in (parts, masks))
    depths = [
        sum(0 < one.sum() < other.sum() and (one & other).sum() >= 0.98 * one.sum() for other in masks) for one in masks
    ]
    found = find_nested(polygons(seed), 90, 90)
    assert found.depths == depths and any(depths) and len(found.parts) == len(parts)


@pytest.mark.parametrize("inside", [False, True])
def test_polygons_that_do_not_touch_are_not_compared_as_pixels(monkeypatch, inside):
    compared = []
    monkeypatch.setattr("src.convert.holes.overlap", lambda one, other: compared.append(True) or overlap(one, other))
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    parts = [square + np.array([6 * (k % 30) + 1, 6 * (k // 30) + 1]) for k in range(900)]
    found = find_nested([*parts, square * 50] if inside else parts, 200, 200)
    assert len(compared) == 900 * inside and (found is not None) == inside
    assert not inside or (found.depths == [1] * 900 + [0] and found.cut().area == 200 * 200 - 900 * 16)


def test_islands_in_holes_stay_and_several_holes_are_cut(tmp_path):
    island, second = [4, 4, 6, 4, 6, 6, 4, 6], [9, 2, 10, 2, 10, 8, 9, 8]
    from_coco(tmp_path, (3, [OUTER, INNER, island, second], {"area": 80 - 20 + 4 - 6}))
    expected = RING.copy()
    expected[4:6, 4:6], expected[2:8, 9] = 1, 0
    np.testing.assert_array_equal(stored(tmp_path), expected)


def test_separate_and_equal_polygons_need_no_area(tmp_path):
    apart = [[0, 0, 4, 0, 4, 4, 0, 4], [3, 3, 6, 3, 6, 6, 3, 6]]
    for number, (parts, area) in enumerate([(apart, 24), (apart, None), ([SQUARE, SQUARE], 16), ([SQUARE, SQUARE], 3)]):
        assert not from_coco(tmp_path, (3, parts, {"area": area}), out=f"out{number}").warnings


def test_shapes_inside_others_of_their_class_are_counted(tmp_path):
    photo(tmp_path / "set/a.png")
    big, small = [[0, 0], [9, 9]], [[2, 2], [4, 4]]
    more = {"group_id": 1}
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", big, more), ("cell", "rectangle", small, more))
    words = describe(from_labelme(tmp_path))
    assert "1 shape(s) lie inside others of their class and change nothing, in 'a.png'" in words
    assert "_background_" in words
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", big, {}), ("_Background_", "rectangle", small, {}))
    summary = from_labelme(tmp_path, "hole")
    assert not summary.redundant and read_mask(tmp_path / "hole/masks/a.png").sum() == 81 - 4


def test_the_command_has_an_option_for_holes(tmp_path):
    from_coco(tmp_path, (3, [OUTER, INNER], {"area": 70}), options=Options(holes="fill"))
    source = (tmp_path / "a.json", "--images", tmp_path / "photos")
    assert run("coco", *source, "--holes", "cut", "--out", tmp_path / "cut").returncode == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "cut/masks/a.png"), RING)
