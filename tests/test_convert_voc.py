"""Conversion of masks in the colours of a labelmap.txt: classes, official lists, and masks that are refused."""

import numpy as np
import pytest
from PIL import Image

from src.convert.annotations import Options
from src.convert.formats.voc import read_voc
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import photo, read_mask, run, stored
from tests.conftest import prepared

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\ndog:51,221,255::\n"
COLOURS = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255], [224, 224, 192]], np.uint8)
LABELS = np.zeros((10, 12), np.uint8)
LABELS[1:4, 1:6], LABELS[5:9, 4:11], LABELS[4, 4:11] = 1, 2, 3
EXPECTED = np.where(LABELS == 3, 255, LABELS)


def paletted(labels):
    image = Image.fromarray(labels)
    image.putpalette(COLOURS.ravel().tolist())
    return image


def in_colours(labels):
    return Image.fromarray(COLOURS[labels])


def voc(folder, labels=LABELS, names=("a",), folders=("images", "masks"), labelmap=LABELMAP, save=in_colours):
    for name in names:
        photo(folder / folders[0] / f"{name}.jpg")
        target = folder / folders[1] / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        save(labels).save(target)
    (folder / "labelmap.txt").write_text(labelmap)
    return folder


def from_voc(folder, **more):
    return write_data_set(read_voc(folder, Options(**more)), folder.parent / "out")


@pytest.mark.parametrize("folders", [("images", "masks"), ("JPEGImages", "SegmentationClass")])
@pytest.mark.parametrize("save", [in_colours, paletted])
def test_masks_in_colours_become_classes(tmp_path, folders, save):
    voc(tmp_path / "set", folders=folders, save=save)
    from_voc(tmp_path / "set")
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)
    dataset = read_dataset(tmp_path / "out")
    assert dataset.classes == {0: "background", 1: "cat", 2: "dog"} and dataset.ignore == 255
    assert dataset.class_colours == {"background": "#000000", "cat": "#FA3253", "dog": "#33DDFF"}
    np.testing.assert_array_equal(prepared(tmp_path / "out", tmp_path).mask(0), EXPECTED)


@pytest.mark.parametrize(
    "labelmap",
    [
        "\ufeff" + LABELMAP.replace("\n", "\r\n"),
        "background:0, 0, 0\n\n cat : 250,50,83 :\n# a comment\ndog:51,221,255:head,tail:run,sit\n",
        LABELMAP + "ignored:224,224,192::\n",
    ],
)
def test_labelmaps_of_several_programs_are_read(tmp_path, labelmap):
    voc(tmp_path / "set", labelmap=labelmap)
    assert from_voc(tmp_path / "set").dataset.names == ["background", "cat", "dog"]
    np.testing.assert_array_equal(stored(tmp_path), EXPECTED)


def test_classes_are_numbered_in_the_order_of_the_labelmap_whatever_the_colours(tmp_path):
    voc(tmp_path / "set", labelmap="dog:51,221,255::\nBackground:0,0,0::\nroad: 12:250,50,83::\nvoid:224,224,192::\n")
    assert from_voc(tmp_path / "set").dataset.classes == {0: "background", 1: "dog", 2: "road: 12"}
    np.testing.assert_array_equal(stored(tmp_path), np.array([0, 2, 1, 255], np.uint8)[LABELS])


@pytest.mark.parametrize("name", ["void", "Void", "ignore", "unlabelled", "Un-labeled", "don't care", "__ignore__"])
@pytest.mark.parametrize("colour", ["224,224,192", "51,221,255"])
def test_a_class_for_unannotated_pixels_becomes_pixels_to_ignore(tmp_path, name, colour):
    voc(tmp_path / "set", labelmap=LABELMAP.replace("dog:51,221,255", f"{name}:{colour}"), labels=LABELS % 2 * LABELS)
    if colour == "51,221,255":
        voc(tmp_path / "set", labelmap=LABELMAP.replace("dog", name))
    summary = from_voc(tmp_path / "set")
    assert summary.dataset.names == ["background", "cat"] and not summary.warnings
    np.testing.assert_array_equal(stored(tmp_path) == 255, LABELS == 3 if colour == "224,224,192" else LABELS >= 2)


@pytest.mark.parametrize(
    ("labelmap", "count", "colour"),
    [("background:0,0,0::\ncat:250,50,83::\n", 28, "51,221,255"), (LABELMAP.partition("\n")[2][20:], 70, "0,0,0")],
)
def test_a_colour_that_the_labelmap_does_not_name_is_refused(tmp_path, labelmap, count, colour):
    voc(tmp_path / "set", names=("a", "b"), labelmap=labelmap)
    with pytest.raises(UserError, match="2 problem") as error:
        from_voc(tmp_path / "set")
    for name in "ab":
        what = f"'images/{name}.jpg': its mask {name}.png: holds 1 colour(s) that labelmap.txt does not name"
        assert f"{what}, in {count} pixel(s): '{colour}' →" in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("cat", "line 2, 'cat', is not name:red,green,blue"),
        ("cat:250,50,300::", "is not name:red,green,blue"),
        ("cat:1,2,3::\ncat:4,5,6::", "line 3, 'cat:4,5,6::', has the name or the colour of 'cat'"),
        ("cat:1,2,3::\ndog:1,2,3::", "line 3, 'dog:1,2,3::', has the name or the colour of 'cat'"),
        ("", "no classes are named there"),
        ("BG:1,2,3::\ncat:4,5,6::", "several names mean the background: 'background', 'BG'; keep one"),
        ("_background_:1,2,3::\ncat:4,5,6::", "several names mean the background"),
    ],
)
def test_invalid_labelmaps_are_refused(tmp_path, lines, why):
    voc(tmp_path / "set", labelmap=f"background:0,0,0::\n{lines}\n")
    with pytest.raises(UserError, match=f"labelmap.txt: .*{why}"):
        from_voc(tmp_path / "set")


def test_a_missing_labelmap_or_folder_is_named(tmp_path):
    voc(tmp_path / "set", folders=("JPEGImages", "SegmentationClass"))
    (tmp_path / "set/JPEGImages").rename(tmp_path / "set/pictures")
    with pytest.raises(UserError, match="neither JPEGImages/ with SegmentationClass/ or images/ with masks/"):
        from_voc(tmp_path / "set")
    (tmp_path / "set/labelmap.txt").unlink()
    with pytest.raises(UserError, match=r"labelmap\.txt: no such file.*classes in dataset\.yaml"):
        from_voc(tmp_path / "set")


def test_images_and_masks_without_a_partner_are_named(tmp_path):
    voc(tmp_path / "set", names=("a", "sub/b"))
    photo(tmp_path / "set/images/c.jpg")
    words = describe(from_voc(tmp_path / "set"))
    assert "1 image(s) there have no mask of that name, and are left out; the first is 'c.jpg'" in words
    np.testing.assert_array_equal(stored(tmp_path, "sub/b.png"), EXPECTED)
    (tmp_path / "set/images/sub/b.jpg").unlink()
    with pytest.raises(UserError, match=r"'masks/sub/b\.png': has no image of that name"):
        read_voc(tmp_path / "set", Options()).findings.stop_on_errors()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda image, path: image.save(path.with_suffix(".jpg")), "a.jpg: is a JPEG, which changes colours"),
        (lambda image, path: image.resize((6, 5), 0).save(path), "its annotations say 6 × 5"),
        (lambda image, path: image.resize((24, 20), 2).resize((12, 10), 2).save(path), "colour.* from smooth edges"),
        (lambda image, path: path.write_bytes(b"no image"), "a.png: cannot be read as an image"),
        (lambda image, path: image.save(path, "GIF"), "a.png: cannot be read as an image"),
        (lambda image, path: _half_transparent(image).save(path), "is transparent in part"),
    ],
)
def test_masks_whose_colours_are_not_certain_are_refused_with_their_image(tmp_path, change, why):
    voc(tmp_path / "set")
    path = tmp_path / "set/masks/a.png"
    image = Image.open(path).copy()
    path.unlink()
    change(image, path)
    with pytest.raises(UserError, match=rf"1 problem.*\n  'images/a\.jpg': .*{why}"):
        from_voc(tmp_path / "set")


def _half_transparent(image):
    image.putalpha(Image.fromarray(np.where(LABELS > 0, 255, 0).astype(np.uint8)))
    return image


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_masks_of_turned_images_lie_as_the_image_is_shown(tmp_path, orientation):
    voc(tmp_path / "set")
    photo(tmp_path / "set/images/a.jpg", orientation=orientation)
    if orientation == 3:
        with pytest.raises(UserError, match=r"EXIF orientation 3.*--coordinates"):
            from_voc(tmp_path / "set")
    from_voc(tmp_path / "set", coordinates="stored")
    turns = {3: 2, 6: 3, 8: 1}  # quarter turns to the left
    np.testing.assert_array_equal(stored(tmp_path), np.rot90(EXPECTED, turns[orientation]))


def test_lists_of_images_become_the_official_division(tmp_path):
    voc(tmp_path / "set", names=("a", "b", "c"))
    lists = tmp_path / "set/ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for name, lines in {"train": "a\n", "val": "b\ngone\n", "default": "a\nb\nc\n"}.items():
        (lists / f"{name}.txt").write_text(lines)
    summary = from_voc(tmp_path / "set")
    assert summary.subsets == {"validation": 1} and (tmp_path / "out/validation.txt").read_text() == "b\n"
    assert "1 image(s) of the list have no pair of image and mask; the first is 'gone'" in describe(summary)
    (lists / "test.txt").write_text("c\n")
    assert read_voc(tmp_path / "set", Options()).subsets.keys() == {"train", "validation", "test"}


LISTED = [
    ({"train": "a", "val": "a", "test": "c"}, {"validation": ["a"], "test": ["c"]}, "1 image(s) are on two lists"),
    (
        {"train": "a a", "val": "b", "test": "c"},
        {"validation": ["b"], "test": ["c"]},
        "twice on one; the first is 'a",
    ),
    ({"train": "a", "val": "b b"}, {"validation": ["b"]}, "1 image(s) are on two lists, or twice on one"),
    ({"train": "a b", "val": "b", "test": "c"}, {"validation": ["b"], "test": ["c"]}, "the first is 'b.jpg'"),
    ({"train": "a", "val": "b", "test": ""}, {"validation": ["b"]}, None),
    ({"train": "a", "val": "", "test": "b c"}, {"test": ["b", "c"]}, None),
    ({"train": "a", "val": "b", "test": "c"}, {"train": ["a"], "validation": ["b"], "test": ["c"]}, None),
]


@pytest.mark.parametrize(("lists", "expected", "warned"), LISTED)
def test_the_list_of_training_images_is_kept_only_if_every_image_is_on_one_list(tmp_path, lists, expected, warned):
    voc(tmp_path / "set", names=("a", "b", "c"))
    folder = tmp_path / "set/ImageSets/Segmentation"
    folder.mkdir(parents=True)
    for name, images in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(images.split()))
    source = read_voc(tmp_path / "set", Options())
    assert {subset: [name.stem for name in names] for subset, names in source.subsets.items()} == expected
    assert [warned in finding.what for finding in source.findings.warnings] == [True] * (warned is not None)


def test_the_refusal_of_masks_without_a_class_does_not_mention_coordinates(tmp_path):
    voc(tmp_path / "set", labels=LABELS * 0)
    with pytest.raises(UserError, match=r"no pixel belongs to a class.* → check that labelmap\.txt gives") as error:
        from_voc(tmp_path / "set")
    assert "coordinates" not in str(error.value)


def test_two_masks_of_one_name_are_refused_with_both_names(tmp_path):
    voc(tmp_path / "set", names=("a", "sub/b"))
    for name in ("a", "sub/b"):
        in_colours(LABELS * 0).save(tmp_path / f"set/masks/{name}.bmp")
    with pytest.raises(UserError, match="2 problem") as error:
        from_voc(tmp_path / "set")
    assert "'masks/a.png': 'a.bmp' there has the same name" in str(error.value)
    assert "'masks/sub/b.png': 'sub/b.bmp' there has the same name" in str(error.value)


def test_the_command_converts_masks_in_colours_and_warns_of_similar_names(tmp_path):
    voc(tmp_path / "set", labelmap=LABELMAP.replace("dog", "Cat"))
    found = run("voc", tmp_path / "set", "--out", tmp_path / "out")
    assert found.returncode == 0 and "class names differ in case" in found.stdout and "'cat', 'Cat'" in found.stdout
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), EXPECTED)
