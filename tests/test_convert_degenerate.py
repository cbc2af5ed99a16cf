"""Polygons that enclose nothing, empty segmentations and unusual lists of points."""

import json

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.summary import describe
from src.errors import UserError
from tests.annotated import SQUARE, from_coco, from_labelme, from_yolo, labelme, photo, run, stored, yolo
from tools.convert import arguments

SKIP = Options(skip_degenerate=True)
SHAPES = [[[5, 5]], [[5, 5, 9, 9]], [[5, 5, 9, 5, 9]], [[]], [SQUARE, [1, 1]]]
EXPECTED = np.zeros((10, 12), np.uint8)
EXPECTED[2:6, 2:6] = 1


@pytest.mark.parametrize("segmentation", SHAPES[:4])
def test_degenerate_polygons_are_refused_with_the_option_that_helps(tmp_path, segmentation):
    with pytest.raises(UserError, match=r"'annotations\[1\] on a\.png': .*--skip-degenerate"):
        from_coco(tmp_path, (3, [SQUARE], {}), (3, segmentation, {}))


def test_degenerate_polygons_are_left_out_and_listed_with_the_option(tmp_path):
    summary = from_coco(tmp_path, *((3, shape, {"id": 10 + k}) for k, shape in enumerate(SHAPES)), options=SKIP)
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)
    assert summary.shapes == 1 and len(summary.skipped) == 5
    words = describe(summary)
    assert "5 degenerate polygon(s) were left out" in words
    for place in ("annotations[0] (id 10)", "annotations[3] (id 13)", "polygon 1 of annotations[4] (id 14)"):
        assert f"'{place} on a.png'" in words


def test_skip_degenerate_leaves_other_errors_alone(tmp_path):
    shapes = [[[5, 5]], [[60, 4, 95, 4, 95, 6]], [], [["a", 1, 2, 3, 4, 5]], [[1, 1], [5, 1], [5, 5]]]
    with pytest.raises(UserError, match="4 problem") as error:
        from_coco(tmp_path, *((3, shape, {}) for shape in shapes), options=SKIP)
    for place, why in [
        (1, "reaches 83 pixels out"),
        (2, "has no segmentation, only an empty list, as Label Studio writes for brush labels"),
        (3, "not a list of x, y"),
        (4, "holds 3 polygons of one point each"),
    ]:
        assert f"'annotations[{place}] on a.png': " in str(error.value) and why in str(error.value)


def test_points_as_pairs_are_read_as_a_polygon(tmp_path):
    from_coco(tmp_path, (3, [[[2, 2], [6, 2], [6, 6], [2, 6]]], {}))
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)


def test_an_empty_segmentation_is_drawn_as_a_box_with_the_option_boxes(tmp_path):
    from_coco(tmp_path, (3, [], {"bbox": [2, 2, 4, 4]}), options=Options(boxes=True))
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)


def test_degenerate_shapes_of_labelme_and_yolo_are_left_out_with_the_option(tmp_path):
    photo(tmp_path / "set/a.png")
    good = ("cell", "polygon", [[2, 2], [6, 2], [6, 6], [2, 6]], {})
    bad = [("cell", "polygon", [[1, 1], [2, 2]], {}), ("cell", "circle", [[1, 1]], {}), ("cell", "polygon", [], {})]
    labelme(tmp_path / "set/a.json", good, *bad)
    with pytest.raises(UserError, match=r"3 problem.*\n  'shapes\[1\] in a\.json': .*--skip-degenerate"):
        from_labelme(tmp_path)
    summary = from_labelme(tmp_path, options=SKIP)
    assert [finding.file for finding in summary.skipped] == [f"shapes[{k}] in a.json" for k in (1, 2, 3)]
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)
    yolo(tmp_path / "yolo/set", "0 0 0 1 0 1 1\n0 .5 .5\n0")
    with pytest.raises(UserError, match=r"line 2 of labels/a.txt: .*\n.*line 3 of labels/a.txt: "):
        from_yolo(tmp_path / "yolo/set")
    assert len(from_yolo(tmp_path / "yolo/set", options=SKIP).skipped) == 2


@pytest.mark.parametrize("dropped", [[9, 9], [9, 9, 11, 9], [9, 9, 11, 9, 11]])
def test_a_box_around_polygons_that_were_left_out_is_not_compared(tmp_path, dropped):
    more = {"bbox": [2, 2, 9, 7]}
    assert not from_coco(tmp_path, (3, [SQUARE, dropped], more), options=SKIP).warnings
    (warning,) = from_coco(tmp_path, (3, [SQUARE], more), options=SKIP, out="all").warnings
    assert "bbox and segmentation differ" in warning.what


def test_the_hint_if_no_pixel_belongs_to_a_class_depends_on_the_format(tmp_path):
    shares = [0.1, 0.1, 0.4, 0.1, 0.4, 0.4]
    with pytest.raises(UserError, match=r"no pixel belongs to a class.* export them in pixels"):
        from_coco(tmp_path, (3, [shares], {}))
    yolo(tmp_path / "yolo/set", "0 .01 .01 .02 .01 .02 .02")
    with pytest.raises(UserError, match=r"no pixel belongs to a class.* check that the shapes lie on their images"):
        from_yolo(tmp_path / "yolo/set")


def test_the_command_has_the_option_skip_degenerate(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1\n0 .5 .5")
    found = run("yolo", tmp_path / "set", "--skip-degenerate", "--out", tmp_path / "out")
    assert found.returncode == 0 and "1 degenerate polygon(s) were left out" in found.stdout


def labelled(path, encoding):
    content = {
        "imagePath": f"{path.stem}.png",
        "shapes": [{"label": "细胞", "points": [[2, 2], [6, 2], [6, 6], [2, 6]]}],
    }
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))


def test_json_files_of_other_encodings_are_read_with_the_option_or_refused(tmp_path):
    for name, encoding in [("a", "utf-8-sig"), ("b", "utf-16"), ("c", "gbk"), ("d", "utf-8")]:
        photo(tmp_path / f"set/{name}.png")
        labelled(tmp_path / f"set/{name}.json", encoding)
    with pytest.raises(UserError, match=r"1 problem.*\n  'c\.json': is not UTF-8.*--encoding gbk"):
        from_labelme(tmp_path)
    assert from_labelme(tmp_path, options=Options(encoding="gbk")).dataset.names == ["background", "细胞"]
    np.testing.assert_array_equal(stored(tmp_path, "c.png"), EXPECTED)
    with pytest.raises(UserError, match=r"'c\.json': is neither UTF-8 nor ascii"):
        from_labelme(tmp_path, "more", options=Options(encoding="ascii"))


@pytest.mark.parametrize("name", ["klingon", "hex", "rot13", "base64", "zip", "undefined", ""])
def test_unknown_encodings_are_refused_as_arguments(name, capsys):
    with pytest.raises(SystemExit) as end:
        arguments().parse_args(["labelme", "set", "--encoding", name, "--out", "out"])
    assert end.value.code == 2 and f"--encoding: no such encoding: {name}" in capsys.readouterr().err
