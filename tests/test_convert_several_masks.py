"""Conversion of data sets with several mask files for an image: classes, objects and parts."""

import numpy as np
import pytest
from PIL import Image

from src.convert.annotations import Options
from src.convert.formats.several_masks import Layout, read_several_masks
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.data.checks.dataset_checks import check_dataset, store_nothing
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import convert_here, photo, read_mask
from tests.conftest import data_section

LEFT, MIDDLE, RIGHT = (np.zeros((10, 12), bool) for _ in range(3))
LEFT[2:6, 1:4], MIDDLE[2:6, 4:7], RIGHT[5:9, 8:11] = True, True, True  # the first two touch


def save(path, inside, high=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(inside, high, 0).astype(np.uint8)).save(path)


def convert(folder, each, images=None, out="out", **more):
    layout = Layout(each, **more)
    return write_data_set(read_several_masks(folder / "set", images, layout, Options()), folder / out)


def dsb(folder, identities=("ab", "cd")):
    """Write the layout of DSB 2018: a folder for each image, a mask for each nucleus."""
    for one in identities:
        photo(folder / f"set/{one}/images/{one}.png")
        for name, inside in (("0f", LEFT), ("1e", MIDDLE), ("2d", RIGHT)):
            save(folder / f"set/{one}/masks/{name}.png", inside)


def test_objects_in_files_of_their_own_become_numbers_that_the_pipeline_reads(tmp_path):
    dsb(tmp_path)
    summary = convert(tmp_path, "object", names=["nucleus"])
    mask = read_mask(tmp_path / "out/masks/ab.png")
    np.testing.assert_array_equal(mask, LEFT + 2 * MIDDLE + 3 * RIGHT)
    assert mask.dtype == np.uint16 and "data.masks.read to instances" in describe(summary)
    dataset = read_dataset(tmp_path / "out")
    assert dataset.classes == {0: "background", 1: "nucleus"} and dataset.ignored_value is None
    masks = {"read": "instances", "threshold": 0, "exif": "auto"}
    checked = check_dataset(tmp_path / "out", data_section(tmp_path / "out", masks=masks), store_nothing)
    assert not checked.errors and list(checked.pairs) == ["ab", "cd"]
    assert checked.pixels(checked.pairs["ab"]) == [120 - 36, 36]


def test_more_than_255_objects_keep_their_numbers(tmp_path):
    photo(tmp_path / "set/images/a.png", 20, 15)
    for number in range(300):
        inside = np.zeros((15, 20), bool)
        inside.flat[number] = True
        save(tmp_path / f"set/masks/a_{number:03}.png", inside)
    convert(tmp_path, "object")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png").ravel(), np.arange(1, 301))


@pytest.mark.parametrize("folders", [("images/", "masks/"), ("", ""), ("train/images/", "train/masks/")])
def test_second_masks_of_an_image_are_added_up(tmp_path, folders):
    """BUSI: benign (1).png, benign (1)_mask.png and benign (1)_mask_1.png; benign (10) is another image."""
    for name in ("benign (1)", "benign (10)"):
        photo(tmp_path / f"set/{folders[0]}{name}.png")
        save(tmp_path / f"set/{folders[1]}{name}_mask.png", LEFT)
    save(tmp_path / f"set/{folders[1]}benign (1)_mask_1.png", RIGHT)
    assert convert(tmp_path, "part", names=["lesion"]).dataset.names == ["background", "lesion"]
    below = tmp_path / "out/masks" / ("train" if "train" in folders[0] else "")
    np.testing.assert_array_equal(read_mask(below / "benign (1).png"), LEFT | RIGHT)
    np.testing.assert_array_equal(read_mask(below / "benign (10).png"), LEFT)


@pytest.mark.parametrize("name", ["{image}_{label}", "{label}/{image}", "{label}/{image}_x", "{image}/{label}"])
def test_a_suffix_or_a_folder_names_the_class(tmp_path, name):
    for image in ("a", "b"):
        photo(tmp_path / f"set/images/{image}.png")
    save(tmp_path / f"set/masks/{name.format(image='a', label='MA')}.png", LEFT | MIDDLE)
    save(tmp_path / f"set/masks/{name.format(image='a', label='HE')}.png", MIDDLE | RIGHT, 1)
    save(tmp_path / f"set/masks/{name.format(image='b', label='MA')}.png", RIGHT)
    summary = convert(tmp_path, "class")
    assert summary.dataset.classes == {0: "background", 1: "HE", 2: "MA"}
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), 2 * (LEFT | MIDDLE) + RIGHT)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/b.png"), 2 * RIGHT)
    assert "of the pixels lie in shapes of two classes" in describe(summary)
    convert(tmp_path, "class", out="named", names=["MA", "HE"])
    np.testing.assert_array_equal(read_mask(tmp_path / "named/masks/a.png"), LEFT + 2 * (MIDDLE | RIGHT))


def test_masks_in_a_tree_of_their_own_are_paired_by_folder_and_name(tmp_path):
    """IDRiD: the folders of images and masks agree below their roots."""
    for part in ("a. Training Set", "b. Testing Set"):
        photo(tmp_path / f"photos/{part}/IDRiD_01.png")
        for label, inside in (("1. Microaneurysms", LEFT), ("3. Hard Exudates", RIGHT)):
            save(tmp_path / f"set/{part}/{label}/IDRiD_01_{label[3:5].upper()}.tif", inside)
    summary = convert(tmp_path, "class", tmp_path / "photos")
    assert summary.dataset.names == ["background", "1. Microaneurysms", "3. Hard Exudates"]
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/b. Testing Set/IDRiD_01.png"), LEFT + 2 * RIGHT)


def test_an_image_without_masks_is_left_out_or_background(tmp_path):
    dsb(tmp_path)
    photo(tmp_path / "set/ef/images/ef.png")
    assert "1 image(s) there have no mask" in describe(convert(tmp_path, "object"))
    assert convert(tmp_path, "object", out="all", keep_unlabelled=True).unannotated == 1
    assert not read_mask(tmp_path / "all/masks/ef.png").any()


def test_masks_that_cannot_be_used_are_listed_together_and_nothing_is_written(tmp_path):
    dsb(tmp_path, ("ab", "cd", "ef"))
    grey = np.arange(120, dtype=np.uint8).reshape(10, 12)
    Image.fromarray(grey).save(tmp_path / "set/ab/masks/1e.png")
    Image.fromarray(grey * 0 + 255).save(tmp_path / "set/ab/masks/2d.jpg")
    (tmp_path / "set/ab/masks/3c.png").write_bytes(b"no image")
    save(tmp_path / "set/cd/masks/2d.png", LEFT[:5])
    save(tmp_path / "set/masks/unknown.png", LEFT)
    with pytest.raises(UserError, match="5 problem") as error:
        convert(tmp_path, "object")
    for words in (
        "'ab/masks/1e.png': holds 0, 1, 2",
        "'ab/masks/2d.jpg': is in a lossy format",
        "'ab/masks/3c.png': ",
        "'cd/images/cd.png': its masks have different sizes",
        "'masks/unknown.png': is a mask, and neither its name nor a folder",
    ):
        assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_threshold_reads_masks_with_soft_edges(tmp_path):
    photo(tmp_path / "set/images/a.png")
    soft = np.where(LEFT, 250, 0) + np.where(MIDDLE, 100, 0) + np.where(RIGHT, 30, 0)
    for name in ("mask", "mask_1"):
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        Image.fromarray(soft.astype(np.uint8)).save(tmp_path / f"set/masks/a_{name}.png")
    convert(tmp_path, "part", threshold=100)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), LEFT | MIDDLE)


def test_a_mask_that_two_images_may_own_is_refused(tmp_path):
    for image in ("1", "2"):
        photo(tmp_path / f"set/images/{image}.png")
        for number in ("1", "2"):
            save(tmp_path / f"set/masks/{image}/{number}.png", LEFT)
    with pytest.raises(UserError, match=r"the mask 'masks/1/2\.png' belongs to 'images/1\.png' or 'images/2\.png'"):
        convert(tmp_path, "object")


def test_folders_called_after_images_do_not_hide_equal_names(tmp_path):
    for name in ("a", "b", "c"):
        photo(tmp_path / f"set/images/a/{name}.png")
        save(tmp_path / f"set/masks/a/{name}.png", {"a": LEFT, "b": MIDDLE, "c": RIGHT}[name])
    convert(tmp_path, "part")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a/c.png"), RIGHT)


@pytest.mark.parametrize(
    ("files", "more", "why"),
    [
        (["images/a.png"], {}, r"1 image\(s\) and 0 mask\(s\) are there .*--images"),
        (["masks/a.png"], {}, r"0 image\(s\) and 1 mask\(s\)"),
        (["images/a.png", "masks/a.png"], {"each": "class"}, "no classes are named|says no class"),
        (["images/a.png", "masks/a.png"], {"names": ["x", "y"]}, "with --each part there is one class"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(tmp_path, files, more, why):
    (tmp_path / "set").mkdir()
    for file in files:
        save(tmp_path / "set" / file, LEFT)
    with pytest.raises(UserError, match=why):
        convert(tmp_path, more.pop("each", "part"), **more)


def test_the_command_converts_several_masks(tmp_path, capsys):
    dsb(tmp_path)
    convert_here("masks", tmp_path / "set", "--each", "object", "--names", "nucleus", "--out", tmp_path / "out")
    assert "data.masks.read to instances" in capsys.readouterr().out
    assert read_dataset(tmp_path / "out").names == ["background", "nucleus"]


def test_covered_objects_and_parts_that_change_nothing_are_reported(tmp_path):
    photo(tmp_path / "set/a.png")
    for name in ("a_mask", "a_mask_1"):
        save(tmp_path / f"set/{name}.png", LEFT)
    objects, parts = (convert(tmp_path, each, out=each) for each in ("object", "part"))
    assert objects.hidden == 1 and "1 shape(s) are completely covered by shapes of other objects" in describe(objects)
    assert parts.redundant == 1 and "holes" not in describe(parts)
