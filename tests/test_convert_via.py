"""Conversion of the JSON of VGG Image Annotator (VIA) 2."""

import json
import math

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.formats.via import Labelling, read_via
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.errors import UserError
from tests.annotated import convert_here, photo, read_mask

SQUARE = {"name": "polygon", "all_points_x": [2, 6, 6, 2], "all_points_y": [2, 2, 6, 6]}
FULL = np.zeros((10, 12), np.uint8)
FULL[2:6, 2:6] = 1


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def write(folder, *regions, project=True, name="a.png", more=(), numbered=False):
    """Write a project or an export with one image; more: other files and their regions."""
    entries = {}
    for file, listed in ((name, regions), *more):
        photo(folder / "photos" / file.rpartition("/")[2])
        listed = {str(at): one for at, one in enumerate(listed)} if numbered else list(listed)
        entries[f"{file}123"] = {"filename": file, "size": 123, "regions": listed, "file_attributes": {}}
    content = {"_via_settings": {}, "_via_img_metadata": entries, "_via_attributes": {}} if project else entries
    (folder / "via.json").write_text(json.dumps(content))
    return folder / "via.json"


def convert(folder, options=None, out="out", **more):
    source = read_via(folder / "via.json", folder / "photos", Labelling(**more), options or Options())
    return write_data_set(source, folder / out)


@pytest.mark.parametrize("project", [True, False])
@pytest.mark.parametrize("numbered", [True, False])
def test_polygons_become_classes_and_later_ones_are_on_top(tmp_path, project, numbered):
    inner = {"name": "polygon", "all_points_x": [3, 5, 5, 3], "all_points_y": [3, 3, 5, 5]}
    write(tmp_path, region(SQUARE, type="cell"), region(inner, type="nucleus"), project=project, numbered=numbered)
    assert convert(tmp_path).dataset.classes == {0: "background", 1: "cell", 2: "nucleus"}
    wanted = FULL.copy()
    wanted[3:5, 3:5] = 2
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), wanted)


def test_circles_and_ellipses_contain_the_pixels_whose_centres_they_contain(tmp_path):
    rows, columns = np.mgrid[:10, :12] + 0.5
    write(tmp_path, region({"name": "circle", "cx": 5, "cy": 5, "r": 3.2}, type="a"))
    convert(tmp_path)
    expected = (columns - 5) ** 2 + (rows - 5) ** 2 <= 3.2**2
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), expected)
    turn = math.pi / 6
    write(tmp_path, region({"name": "ellipse", "cx": 6, "cy": 5, "rx": 4.5, "ry": 2, "theta": turn}, type="a"))
    convert(tmp_path, out="second")
    offset = (columns - 6 + 1j * (rows - 5)) * np.exp(-1j * turn)
    expected = (offset.real / 4.5) ** 2 + (offset.imag / 2) ** 2 <= 1
    np.testing.assert_array_equal(read_mask(tmp_path / "second/masks/a.png"), expected)


def test_boxes_are_filled_only_if_that_is_wanted(tmp_path):
    write(tmp_path, region({"name": "rect", "x": 2, "y": 2, "width": 4, "height": 4}, type="a"))
    with pytest.raises(UserError, match=r"region 0 of a\.png123': is a box, not an outline → .*--boxes"):
        convert(tmp_path)
    convert(tmp_path, Options(boxes=True))
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), FULL)


def test_the_attribute_of_the_class_is_the_only_one_or_named(tmp_path):
    write(tmp_path, region(SQUARE, type={"cell": True, "other": False}, quality="good"))
    with pytest.raises(UserError, match=r"several attributes: 'type', 'quality' → .*--property type"):
        convert(tmp_path)
    with pytest.raises(UserError, match="no region has the attribute 'kind'"):
        convert(tmp_path, key="kind")
    assert convert(tmp_path, key="type").dataset.names == ["background", "cell"]
    write(tmp_path, region(SQUARE))
    with pytest.raises(UserError, match="--unclassified cell"):
        convert(tmp_path, out="second")
    assert convert(tmp_path, out="second", unclassified="cell").dataset.names == ["background", "cell"]


def test_files_and_regions_that_are_left_out_are_named(tmp_path):
    lines = region({"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}, type="a")
    write(tmp_path, region(SQUARE, type="a"), lines, more=[("b.png", [])], name="https://host/x/a.png")
    words = describe(convert(tmp_path))
    assert "1 file(s) have no region, and are left out: 'b.png'" in words and "left out: 1 'polyline'" in words
    assert "found by decoded name or base name: 'https://host/x/a.png' is 'a.png'" in words
    assert convert(tmp_path, out="all", keep_unlabelled=True).images == 2


def test_malformed_regions_are_listed_together_and_nothing_is_written(tmp_path):
    broken = [
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, {"type": "a"}, "has 3 x and 2 y"),
        ({"name": "polygon", "all_points_x": "x", "all_points_y": [1]}, {"type": "a"}, "x: 'x' is not a list"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, {"type": "a"}, "a polygon of 2 point"),
        ({"name": "circle", "cx": 5, "cy": 5, "r": 0}, {"type": "a"}, "its radii are not above 0"),
        ({"name": "circle", "cx": 5, "cy": 5}, {"type": "a"}, "cx, cy, r: [5, 5, None] is not"),
        ({"name": "circle", "cx": 11, "cy": 5, "r": 4}, {"type": "a"}, "reaches 3 pixels out of the image"),
        ({"name": "blob"}, {"type": "a"}, "is a 'blob'"),
        ({"name": ["blob"]}, {"type": "a"}, "is a ['blob']"),
        (SQUARE, {"type": " "}, "has no 'type'"),
        (SQUARE, {"type": {"a": True, "b": True}}, "is of 2 classes: 'a', 'b'"),
    ]
    write(tmp_path, region(SQUARE, type="a"), *[region(shape, **attributes) for shape, attributes, _ in broken])
    with pytest.raises(UserError, match="10 problem") as error:
        convert(tmp_path)
    for position, (_, _, why) in enumerate(broken, 1):
        assert f"'region {position} of a.png123': {why}" in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"project": {}, "metadata": {}, "view": {}}', "is a project of VIA 3"),
        ("[]", "is not the JSON of VIA 2"),
        ('{"a": {"filename": "a.png"}}', "is not the JSON of VIA 2"),
        ("{", "is not valid JSON"),
    ],
)
def test_other_files_are_refused(tmp_path, content, why):
    write(tmp_path).write_text(content)
    with pytest.raises(UserError, match=why):
        convert(tmp_path)


def test_the_command_converts_via(tmp_path):
    path = write(tmp_path, region(SQUARE, type="b"))
    convert_here("via", path, "--images", tmp_path / "photos", "--names", "a,b", "--out", tmp_path / "out")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), 2 * FULL)
