"""Conversion of COCO: masks, and annotations that are refused."""

import math

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.classes import number_classes
from src.convert.formats.coco import read_coco
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import SQUARE, box, from_coco, photo, read_mask, stored
from tests.closure import ROOT
from tests.conftest import prepared


def test_coco_becomes_a_data_set_that_prepare_reads(tmp_path):
    images = [{"id": 7, "file_name": "a.png", "width": 12, "height": 10}, {"id": "x", "file_name": "sub\\b.png"}]
    photo(tmp_path / "photos/sub/b.png", 8, 8)
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/other.png")
    summary = from_coco(tmp_path, (9, box(0, 0, 4, 5), {}), (3, box(2, 2, 6, 6), {}), images=images)
    expected = np.zeros((10, 12), np.uint8)
    expected[:5, :4], expected[2:6, 2:6] = 2, 1  # by category id; the smaller shape is drawn last
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert not stored(tmp_path, "sub/b.png").any()
    for name in ("a.png", "sub/b.png"):
        assert (tmp_path / "out/images" / name).read_bytes() == (tmp_path / "photos" / name).read_bytes()
    dataset = read_dataset(tmp_path / "out")
    assert dataset.classes == {0: "background", 1: "cell", 2: "tree"} and dataset.foreground == [1, 2]
    assert dataset.ignore == 255
    assert (summary.images, summary.unannotated, summary.shapes, summary.overlaps) == (2, 1, 2, 6)
    assert "1 image(s) there are not in the JSON, and left out; the first is 'other.png'" in describe(summary)
    store = prepared(tmp_path / "out", tmp_path)
    np.testing.assert_array_equal(store.mask(0), expected)


def test_smaller_shapes_are_drawn_over_larger_ones_and_crowds_below_all(tmp_path):
    crowd = {"size": [10, 12], "counts": [0, 120]}
    shapes = [(3, box(3, 3, 5, 5), {}), (9, box(1, 1, 8, 8), {}), (3, crowd, {"iscrowd": 1})]
    from_coco(tmp_path, *shapes)
    expected = np.full((10, 12), 255, np.uint8)
    expected[1:8, 1:8], expected[3:5, 3:5] = 2, 1
    np.testing.assert_array_equal(stored(tmp_path), expected)
    from_coco(tmp_path, *shapes, out="as-class", ignore_crowds=False)
    expected[expected == 255] = 1
    np.testing.assert_array_equal(read_mask(tmp_path / "as-class/masks/a.png"), expected)


def test_of_two_shapes_of_equal_area_the_later_one_is_on_top(tmp_path):
    first, second, same = (9, box(0, 0, 4, 4), {}), (3, box(2, 2, 6, 6), {}), (3, box(5, 5, 9, 9), {})
    assert from_coco(tmp_path, first, second, same).overlaps == 4  # shapes of one class do not count
    assert stored(tmp_path)[3, 3] == 1


def test_classes_without_a_pixel_keep_their_value_but_no_name(tmp_path):
    summary = from_coco(tmp_path, (9, box(0, 0, 4, 4), {}), (3, box(0.1, 0.1, 0.3, 0.3), {}))
    assert read_dataset(tmp_path / "out").classes == {0: "background", 2: "tree"}
    assert summary.unused == ["cell"] and summary.invisible == 1
    assert "left out of dataset.yaml: 'cell'" in describe(summary) and "13.333% of the pixels" in describe(summary)


REFUSALS = [
    ((3, [SQUARE[:4]], {}), "a polygon of 2 point"),
    ((3, [SQUARE[:7]], {}), "not a list of x, y, x, y"),
    ((3, [[*SQUARE[:7], "6"]], {}), "not a list of x, y, x, y"),
    ((3, [[*SQUARE[:7], math.nan]], {}), "not a finite number"),
    ((3, [[*SQUARE[:7], 10**400]], {}), "far too large"),
    ((3, [[*SQUARE[:7], 12]], {}), "reaches 2 pixels out of the image of 12 × 10"),
    ((3, [], {}), "has no segmentation"),
    ((4, [SQUARE], {}), "category_id 4 is not among the categories"),
    ((3, [SQUARE], {"image_id": 8}), "image_id 8 is not among the images"),
    ((3, [SQUARE], {"category_id": "cell"}), "category_id: Input should be a valid integer"),
    ((3, {"size": [12, 10], "counts": [0, 120]}, {}), r"RLE is of size \[12, 10\]"),
]


@pytest.mark.parametrize(("annotation", "why"), REFUSALS)
def test_invalid_coco_annotations_are_refused(tmp_path, annotation, why):
    with pytest.raises(UserError, match=rf"1 problem.*\n  'annotations\[1\].*{why}.* → "):
        from_coco(tmp_path, (3, [SQUARE], {}), annotation)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "photos"]


def test_one_message_lists_every_problem(tmp_path):
    with pytest.raises(UserError) as error:
        from_coco(tmp_path, *(annotation for annotation, _ in REFUSALS))
    assert f"{len(REFUSALS)} problem(s)" in str(error.value)
    assert all(f"'annotations[{position}]" in str(error.value) for position in range(len(REFUSALS)))


def test_shapes_that_reach_out_of_the_image_are_cut_off_with_clip(tmp_path):
    far = [-3, -2, 4, -2, 4, 500, -3, 500]
    summary = from_coco(tmp_path, (3, [far], {}), options=Options(clip=True))
    expected = np.zeros((10, 12), np.uint8)
    expected[:, :4] = 1
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert summary.cut == 1 and "1 shape(s) reach out of the image" in describe(summary)
    assert from_coco(tmp_path, (3, [[-0.9, 0, 4, 0, 4, 10.9]], {}), out="near").cut == 0


def test_boxes_are_filled_with_the_option_boxes(tmp_path):
    from_coco(tmp_path, (3, [], {"bbox": [1, 2, 3, 4]}), options=Options(boxes=True))
    expected = np.zeros((10, 12), np.uint8)
    expected[2:6, 1:4] = 1
    np.testing.assert_array_equal(stored(tmp_path), expected)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../photos/b.png", "leads upwards"),
        ("sub/../../x.png", "leads upwards"),
        ("..\\b.png", "leads upwards"),
        ("/etc/b.png", "absolute path"),
        ("C:\\b.png", "absolute path"),
        ("C:b.png", "absolute path"),
        ("\\\\host\\share\\b.png", "absolute path"),
        ("a.png:b.png", "holds a colon"),
        (".a.png", "hidden"),
        ("", "empty"),
        ("a\n.png", "control character"),
        ("a\0.png", "control character"),
        ("a\x7f.png", "control character"),
        ("\x1b[31m.png", "control character"),
        ("\ud800.png", "valid"),
        ("passwd", "an extension that the pipeline does not read"),
        ("a.gif", "an extension that the pipeline does not read"),
        ("missing.png", "is missing in"),
        ("x" * 5000 + ".png", "is missing in"),
        ("folder.png", "is not a file"),
        ("linked.png", "leads out of"),
        ("linked/secret.png", "'linked': is a link to a folder"),
        ("text.png", "cannot be read as an image"),
    ],
)
def test_unsafe_file_names_are_refused(tmp_path, name, why):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "elsewhere/secret.png")
    (tmp_path / "photos/folder.png").mkdir()
    (tmp_path / "photos/linked.png").symlink_to(tmp_path / "elsewhere/secret.png")
    (tmp_path / "photos/text.png").write_text("no image")
    if name.startswith("linked/"):
        (tmp_path / "photos/linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=why) as error:
        from_coco(tmp_path, images=[{"id": 7, "file_name": name}])
    assert not (tmp_path / "out").exists()
    str(error.value).encode()
    assert "\x1b" not in str(error.value) and "\0" not in str(error.value)


@pytest.mark.parametrize("names", [["a.png", "a.png"], ["a.png", "a.jpg"], ["a.png", "A.png"], ["a.png", "./a.png"]])
def test_two_images_whose_masks_would_have_one_name_are_refused(tmp_path, names):
    for name in names:
        photo(tmp_path / "photos" / name)
    with pytest.raises(UserError, match=r"would have the mask of 'a\.png'"):
        from_coco(tmp_path, images=[{"id": k, "file_name": name} for k, name in enumerate(names)])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not valid JSON"),
        ("[" * 10**5, "not valid JSON"),
        ("[]", "not COCO"),
        ('{"images": [], "annotations": {}, "categories": []}', "not COCO"),
        ('{"images": [], "annotations": [], "categories": []}', "no classes"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "no image was found"),
        ('{"images": [3], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', r"'images\[0\]': "),
    ],
)
def test_files_that_are_not_coco_are_refused(tmp_path, content, why):
    (tmp_path / "photos").mkdir()
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=why):
        write_data_set(read_coco(tmp_path / "a.json", tmp_path / "photos", Options()), tmp_path / "out")


@pytest.mark.parametrize(
    ("categories", "why"),
    [
        ([(1, "a"), (1, "b")], "category id 1 occurs twice"),
        ([(1, "a\n")], "classes"),
        ([(k, str(k)) for k in range(255)], "255 classes; at most 254"),
    ],
)
def test_categories_that_cannot_be_classes_are_refused(tmp_path, categories, why):
    with pytest.raises(UserError, match=why):
        from_coco(tmp_path, categories=[{"id": identity, "name": name} for identity, name in categories])


def test_254_classes_are_the_most_since_255_means_ignore():
    values = number_classes([str(k) for k in range(254)], ROOT)
    assert values["253"] == 254 and values["__ignore__"] == 255 and values["background"] == 0
