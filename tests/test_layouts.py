"""Layouts other than one mask per image, and files that are not images, are recognised and named in the message."""

import numpy as np
import pytest
from PIL import Image

from src.data.source.folder_files import View
from src.data.source.pairs import folder_pairs
from src.errors import UserError
from tests.conftest import data_section, prepared
from tests.corpus import saved

NOISE = np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)
MASK = np.pad(np.full((8, 8), 255, np.uint8), ((4, 12), (4, 8)))


def write(folder, images, masks):
    for kind, names, pixels in (("images", images, NOISE), ("masks", masks, MASK)):
        for number, name in enumerate(names):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            array = (pixels.astype(int) + (7 * number if kind == "images" else 0)).clip(0, 255).astype(np.uint8)
            path.write_bytes(saved(Image.fromarray(array), "PNG"))
    return folder


NAMES = [f"scan_{number:02d}" for number in range(6)]
SEVERAL_MASKS = {
    "a suffix for each class": (NAMES, [f"{name}_{tail}" for name in NAMES for tail in ("MA", "HE")]),
    "a class missing in one": (NAMES, [f"{n}_{t}" for n in NAMES for t in ("MA", "HE") if (n, t) != (NAMES[3], "HE")]),
    "a second mask of two images": (NAMES, [f"{n}_mask" for n in NAMES] + [f"{n}_mask_1" for n in NAMES[2:4]]),
    "a folder for each class": (NAMES, [f"{tail}/{name}" for name in NAMES for tail in ("car", "road")]),
    "a folder for each image": (NAMES, [f"{name}/{number}" for name in NAMES for number in range(3)]),
    "a prefix for each class": (NAMES, [f"{tail}_{name}" for name in NAMES for tail in ("cell", "nucleus")]),
    "a folder for each class in that of the image": (
        [f"train/{name}" for name in NAMES],
        [f"train/{tail}/{name}" for name in NAMES for tail in ("car", "road")],
    ),
    "a folder for each class around that of the image": (
        [f"train/{name}" for name in NAMES],
        [f"{tail}/train/{name}" for name in NAMES for tail in ("car", "road")],
    ),
    "a folder called after each image": (NAMES, [f"{name}_masks/{number}" for name in NAMES for number in range(3)]),
    "a folder for each image on both sides": (
        [f"{name}/{name}" for name in NAMES],
        [f"{name}/object{number}" for name in NAMES for number in range(3)],
    ),
    "classes before the names": ([f"{n}_img" for n in NAMES], [f"{n}_{t}" for n in NAMES for t in ("a", "b", "c")]),
}


@pytest.mark.parametrize("name", SEVERAL_MASKS)
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_several_masks_of_an_image_stop_the_run_with_one_message(tmp_path, name, on_error):
    images, masks = SEVERAL_MASKS[name]
    source = write(tmp_path / "set", images, masks)
    with pytest.raises(
        UserError, match=r"image\(s\) have several masks, as '.*scan_0.*merge the files of an image"
    ) as error:
        prepared(source, tmp_path, on_error=on_error)
    assert "data.on_error" not in str(error.value) and str(error.value).count("\n") == 1, str(error.value)


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_in_separate_files_stop_the_run_with_one_message(tmp_path, channels):
    images = [f"{name}_{number:04d}" for name in NAMES for number in range(channels)]
    with pytest.raises(UserError, match=r"6 mask\(s\) in masks have several images.*channels of one image") as error:
        prepared(write(tmp_path / "set", images, NAMES), tmp_path)
    assert str(error.value).count("\n") == 1 and "'scan_00_0000', 'scan_00_0001'" in str(error.value)


def test_channels_as_a_prefix_are_recognised(tmp_path):
    images = [f"{channel}_{name}" for name in NAMES for channel in ("dapi", "gfp")]
    with pytest.raises(UserError, match=r"6 mask\(s\) in masks have several images, as 'scan_00' has 'dapi_scan_00'"):
        prepared(write(tmp_path / "set", images, NAMES), tmp_path)


def test_several_masks_of_an_unwanted_image_do_not_stop_the_run(tmp_path):
    source = write(tmp_path / "set", NAMES, [*NAMES, "scan_00_1"])
    for only, several in ((frozenset(NAMES[2:]), False), (frozenset(NAMES[:2]), True)):
        findings = folder_pairs(source, data_section(source), False, None, View(only=only)).findings
        assert [finding.whole for finding in findings] == [True] * several


def test_a_mask_without_an_image_is_not_assigned_to_an_image_with_a_similar_name(tmp_path):
    names = [f"scan_{number:02d}_{view}" for number in range(4) for view in ("a", "b")]
    with pytest.raises(UserError, match="'masks/scan_03_c': has no image") as error:
        prepared(write(tmp_path / "set", names, [*names, "scan_03_c"]), tmp_path)
    assert "several" not in str(error.value)


def test_the_message_names_the_classes_in_the_file_names(tmp_path):
    masks = [f"{name}{tail}" for name in NAMES for tail in ("OD", "OC")]
    with pytest.raises(UserError, match=r"if each file is a class \('OC', 'OD'\)"):
        prepared(write(tmp_path / "set", NAMES, masks), tmp_path)


@pytest.mark.parametrize("missing", ["scan_12", "scan_1", "scan_03"])
def test_a_missing_mask_is_reported_although_names_begin_alike(tmp_path, missing):
    names = [f"scan_{number}" for number in range(1, 13)] + ["scan_03"]
    with pytest.raises(UserError, match=rf"'images/{missing}': has no mask") as error:
        prepared(write(tmp_path / "set", names, [name for name in names if name != missing]), tmp_path)
    assert "several" not in str(error.value)


def test_a_single_modality_is_paired_by_its_suffix(tmp_path):
    store = prepared(write(tmp_path / "set", [f"{name}_0000" for name in NAMES], NAMES), tmp_path)
    assert len(store) == 6


def test_a_mask_without_an_image_is_reported_by_itself(tmp_path):
    with pytest.raises(UserError, match="'masks/other': has no image"):
        prepared(write(tmp_path / "set", NAMES, [*NAMES, "other"]), tmp_path)


OTHERS = {
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
    "git-annex": (b"/annex/objects/SHA256E-s1--00.png\n", "git annex get"),
    "git-annex, as Git writes its link": (b"../.git/annex/objects/xx/yy/SHA256E-s1--00.png", "git annex get"),
    "a web page": (b"<!DOCTYPE html><html>not found</html>", "download it again"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(40), "heic.* → save it as PNG"),
    "GIF": (saved(Image.fromarray(MASK), "GIF"), "GIF format → save it as PNG"),
    "ZIP": (b"PK\x03\x04" + bytes(30), "unpack it"),
    "nothing": (b"", "is empty"),
}


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_not_an_image_is_identified_with_a_remedy(tmp_path, name, kind):
    content, words = OTHERS[name]
    source = write(tmp_path / "set", NAMES, NAMES)
    for path in sorted((source / kind).iterdir())[:2]:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"'scan_00': {kind}/scan_00\.png .*{words}") as error:
        prepared(source, tmp_path)
    assert "'scan_01'" in str(error.value)
