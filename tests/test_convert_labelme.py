"""Conversion of labelme: masks, and shapes that are refused."""

import math

import numpy as np
import pytest

from src.convert.summary import describe
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import base64_png, from_labelme, labelme, photo, read_mask, stored


def test_later_labelme_shapes_are_drawn_over_earlier_ones(tmp_path):
    patch = np.array([[255, 0], [255, 255]], np.uint8)
    photo(tmp_path / "set/sub/a.png")
    labelme(
        tmp_path / "set/sub/a.json",
        ("wall", None, [[0, 0], [12, 0], [12, 10], [0, 10]], {}),
        ("cell", "rectangle", [[6, 6], [2, 2]], {}),
        ("_background_", "rectangle", [[3, 3], [4, 4]], {}),
        ("__ignore__", "rectangle", [[7, 0], [8, 1]], {}),
        ("cell", "circle", [[9, 7], [9, 8]], {}),
        ("wall", "mask", [[4, 4], [5, 5]], {"mask": base64_png(patch)}),
        ("axis", "line", [[0, 0], [1, 1]], {}),
        ("axis", "point", [[0, 0]], {}),
        image="..\\..\\pictures\\a.png",
    )
    summary = from_labelme(tmp_path)
    expected = np.full((10, 12), 2, np.uint8)
    expected[2:6, 2:6], expected[3, 3], expected[0, 7], expected[6:8, 8:10] = 1, 0, 255, 1
    expected[4:6, 4:6] = [[2, 1], [2, 2]]
    np.testing.assert_array_equal(stored(tmp_path, "sub/a.png"), expected)
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell", 2: "wall"}
    assert "'sub/a.json': shapes without an area are left out: 1 'line', 1 'point'" in describe(summary)


def test_labelme_images_without_a_json_are_left_out_or_background(tmp_path):
    photo(tmp_path / "set/a.png")
    photo(tmp_path / "set/b.png")
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    summary = from_labelme(tmp_path)
    assert (
        summary.images == 1 and "1 image(s) there have no JSON" in describe(summary) and "'b.png'" in describe(summary)
    )
    summary = from_labelme(tmp_path, "more", keep_unlabelled=True)
    assert (summary.images, summary.unannotated) == (2, 1)
    assert not read_mask(tmp_path / "more/masks/b.png").any()


def test_labelme_labels_are_numbered_in_alphabetical_order(tmp_path):
    photo(tmp_path / "set/a.png")
    shapes = [(label, "rectangle", [[k, 0], [k + 1, 1]], {}) for k, label in enumerate("dbeca")]
    labelme(tmp_path / "set/a.json", *shapes)
    from_labelme(tmp_path)
    assert read_dataset(tmp_path / "out").names == ["background", *"abcde"]
    assert stored(tmp_path)[0, :5].tolist() == [4, 2, 5, 3, 1]


def test_the_option_names_fixes_the_values_of_labelme_classes(tmp_path):
    photo(tmp_path / "photos/a.png")
    labelme(tmp_path / "set/session/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    from_labelme(tmp_path, images=tmp_path / "photos", names=["axon", "cell"])
    assert read_dataset(tmp_path / "out").classes == {0: "background", 2: "cell"} and stored(tmp_path).max() == 2
    with pytest.raises(UserError, match=r"'shapes\[0\] in session/a.json': 'cell' is not one of the classes"):
        from_labelme(tmp_path, "other", images=tmp_path / "photos", names=["axon"])


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (("a", "polygon", [[1, 1], [2, 2]], {}), "a polygon of 2 point"),
        (("a", "circle", [[1, 1]], {}), "a circle of 1 point"),
        (("a", "rectangle", [[1, 1], [2, 2], [3, 3]], {}), "a rectangle of 3 point"),
        (("a", "rectangle", [[1, 1], [30, 2]], {}), "reaches 18 pixels out"),
        (("a", "circle", [[1, math.nan], [2, 2]], {}), "not a finite number"),
        (("a", "mask", [[1, 1], [2, 2]], {}), "not a PNG"),
        (("a", "mask", [[1, 1], [2, 2]], {"mask": "%%%"}), "not a PNG"),
        (("a", "mask", [[1, 1], [7, 7]], {"mask": base64_png(np.ones((2, 2), np.uint8))}), "span 7 × 7 pixels"),
        (("a", "polygon", [[1, 1, 1]], {}), "shapes.0.points"),
        ((3, "polygon", [[1, 1]], {}), "shapes.0.label"),
    ],
)
def test_invalid_labelme_shapes_are_refused(tmp_path, shape, why):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", shape)
    with pytest.raises(UserError, match=rf"a\.json': .*{why}"):
        from_labelme(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("image", ["..", "", "c:\\", "a.png/..", "../x/missing.png", "a\n.png"])
def test_unsafe_labelme_image_paths_are_refused(tmp_path, image):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("a", "circle", [[1, 1], [2, 2]], {}), image=image)
    with pytest.raises(UserError, match=r"1 problem.*\n  'a\.json': "):
        from_labelme(tmp_path)


def test_two_jsons_of_one_image_and_a_foreign_json_are_refused(tmp_path):
    photo(tmp_path / "set/a.png")
    for name in ("a", "b"):
        labelme(tmp_path / f"set/{name}.json", ("a", "circle", [[1, 1], [2, 2]], {}))
    (tmp_path / "set/c.json").write_text('{"images": []}')
    with pytest.raises(
        UserError,
        match=r"2 problem[^']*'c.json': imagePath: Field required[^\n]*\n  'a.png': is annotated in two entries",
    ):
        from_labelme(tmp_path)
