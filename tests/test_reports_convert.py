"""Problems with annotations that people reported for other segmentation tools, rebuilt."""

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.summary import describe
from src.errors import UserError
from tests.annotated import SQUARE, base64_png, from_labelme, from_yolo, labelme, photo, read_mask, stored, yolo

OUTER = [[2, 2], [10, 2], [10, 9], [2, 9]]
INNER = [[4, 4], [7, 4], [7, 7], [4, 7]]
RING = np.zeros((10, 12), np.uint8)
RING[2:9, 2:10] = 1
FULL = RING.copy()
RING[4:7, 4:7] = 0


def shares(points):
    return " ".join(f"{value / side}" for value, side in zip(points, [12, 10] * (len(points) // 2), strict=True))


@pytest.mark.parametrize("empty", [{0}, {0, 1}, {2}])
@pytest.mark.parametrize("content", ["", "\n \n", None])
def test_empty_label_files_move_no_mask_to_another_image(tmp_path, empty, content):
    """Masks were shifted by the number of empty files (ultralytics/ultralytics#18832)."""
    for number in range(4):
        lines = content if number in empty else f"0 {shares([value + number for value in SQUARE])}\n"
        yolo(tmp_path / "set", lines or "", image=f"images/a{number}.png", names="names: [cell]")
        if lines is None:
            (tmp_path / f"set/labels/a{number}.txt").unlink()
    assert from_yolo(tmp_path / "set").unannotated == len(empty)
    for number in range(4):
        wanted = np.zeros((10, 12), np.uint8)
        wanted[2 + number : 6 + number, 2 + number : 6 + number] = number not in empty
        np.testing.assert_array_equal(read_mask(tmp_path / f"out/masks/a{number}.png"), wanted)


def test_coordinates_outside_by_a_rounding_error_are_cut_off(tmp_path):
    """1.0021 in place of 1 (ultralytics/yolov5#10632)."""
    from_yolo(yolo(tmp_path / "set", "0 0.5 0.1 1.0021 0.1 1.0021 0.6 0.5 0.6\n", names="names: [cell]"))
    wanted = np.zeros((10, 12), np.uint8)
    wanted[1:6, 6:] = 1
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), wanted)


@pytest.mark.parametrize(
    "size",
    [
        {"imageWidth": None, "imageHeight": None},
        {"imageWidth": 0, "imageHeight": 0},
        {"imageWidth": -1, "imageHeight": -1},
        {"imageHeight": None},
    ],
)
def test_unknown_labelme_sizes_are_read_from_the_image(tmp_path, size):
    """A JSON without imageWidth (CVHub520/X-AnyLabeling#477)."""
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("1", "polygon", OUTER, {}), **size)
    from_labelme(tmp_path)
    np.testing.assert_array_equal(stored(tmp_path), FULL)


def test_labelme_sizes_of_another_image_are_still_refused(tmp_path):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("1", "polygon", OUTER, {}), imageWidth=10, imageHeight=12)
    with pytest.raises(UserError, match="is 12 × 10 pixels, but its annotations say 10 × 12"):
        from_labelme(tmp_path)


@pytest.mark.parametrize("set_as", [1, 255])
@pytest.mark.parametrize("points", [[[3, 2], [6, 4]], [[3.0, 2.0], [6.0, 4.0]], [[3.2, 1.8], [6.1, 4.3]]])
def test_labelme_masks_lie_where_their_two_points_say(tmp_path, set_as, points):
    """ "Polygon must have points more than 2" (wkentaro/labelme#1553); 8-bit masks and float points (#1569)."""
    patch = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1]], np.uint8)
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("cell", "mask", points, {"mask": base64_png(patch * np.uint8(set_as))}))
    from_labelme(tmp_path)
    wanted = np.zeros((10, 12), np.uint8)
    wanted[2:5, 3:7] = patch
    np.testing.assert_array_equal(stored(tmp_path), wanted)


def test_labelme_background_after_a_shape_is_a_hole(tmp_path):
    """wkentaro/labelme#813."""
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("cell", "polygon", OUTER, {}), ("_background_", "polygon", INNER, {}))
    assert from_labelme(tmp_path).hidden == 0
    np.testing.assert_array_equal(stored(tmp_path), RING)


@pytest.mark.parametrize("below", ["_background_", "nucleus"])
def test_shapes_that_are_covered_completely_are_counted(tmp_path, below):
    """A hole or a part that is drawn before the shape around it is not visible in the mask."""
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", (below, "polygon", INNER, {}), ("cell", "polygon", OUTER, {}))
    words = describe(from_labelme(tmp_path))
    assert "1 shape(s) are completely covered by shapes of other classes, in 'a.png'" in words
    assert "draw them after the shapes that cover them" in words
    np.testing.assert_array_equal(stored(tmp_path), FULL)


@pytest.mark.parametrize("more", [{"group_id": 0}, {"group_id": 0, "difficult": True}])
def test_the_summary_says_how_holes_are_drawn(tmp_path, more):
    """Both contours in one group, the inner one `difficult` (wkentaro/labelme#813, CVHub520/X-AnyLabeling#991)."""
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("cell", "polygon", OUTER, {"group_id": 0}), ("cell", "polygon", INNER, more))
    words = describe(from_labelme(tmp_path, options=Options()))
    assert "1 shape(s) lie inside others of their class and change nothing, in 'a.png'" in words
    assert "with the label _background_" in words
