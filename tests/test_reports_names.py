"""Problems that users of other segmentation tools reported, rebuilt: pairing images and masks by name."""

import numpy as np
import pytest

from tests.reported import COUNT, data_set, index_mask, picture, refused, same_pixels, save, unremarked

MASKS = {f"c{number}": index_mask(number) for number in range(COUNT)}
IMAGES = {f"c{number}": picture(number) for number in range(COUNT)}


@pytest.mark.parametrize("names", [("c{0}.png", "c{0}.gif"), ("{0}_training.tif", "{0}_manual1.gif")])
def test_masks_in_an_unsupported_format_are_given_as_the_reason(tmp_path, names):
    """DRIVE's masks are GIF (DrSleep/tensorflow-deeplab-lfov#16)."""
    errors = refused(tmp_path, data_set(tmp_path / "set", names=names), "format that is not read (.gif)", "save it as")
    assert len(errors) == COUNT and all(row["file"].startswith("images/") for row in errors)


def test_annotations_in_place_of_masks_are_pointed_to_the_converter(tmp_path):
    source = data_set(tmp_path / "set")
    for path in sorted((source / "masks").iterdir()):
        path.unlink()
        path.with_suffix(".json").write_text("{}")
    refused(tmp_path, source, "format that is not read (.json)", "tools.convert")


def test_a_single_mask_in_an_unsupported_format_is_refused_with_its_image(tmp_path):
    source = data_set(tmp_path / "set")
    (source / "masks/c3.png").unlink()
    np.save(source / "masks/c3.npy", index_mask(3))
    (error,) = refused(tmp_path, source, "format that is not read (.npy)", "save it as PNG")
    assert error["file"] == "images/c3"


@pytest.mark.parametrize("extensions", [[".jpg", ".png"], [".jpg", ".JPG", ".jpeg", ".png"], [".jpg"] * 7 + [".jpeg"]])
@pytest.mark.parametrize("suffix", ["", "_mask"])
def test_masks_named_after_whole_files_are_paired(tmp_path, extensions, suffix):
    """a.jpg has the mask a.jpg.png, b.png the mask b.png.png (colmap/colmap#3611)."""
    for number in range(COUNT):
        name = f"c{number}{extensions[number % len(extensions)]}"
        save(tmp_path / "set/images" / name, picture(number), format="JPEG" if "j" in name.lower() else "PNG")
        save(tmp_path / f"set/masks/{name}{suffix}.png", index_mask(number) * 255)
    same_pixels(unremarked(tmp_path, tmp_path / "set"), MASKS)


@pytest.mark.parametrize("names", [("image_{0:03d}.png", "mask_{0}.png"), ("{0:04d}.png", "{0}.png")])
def test_names_that_differ_in_leading_zeros_are_given_as_the_reason(tmp_path, names):
    """570 in place of 0570 (zc-alexfan/render_mano_ih#5)."""
    source = data_set(tmp_path / "set", names=names)
    (error,) = refused(tmp_path, source, "differ in leading zeros", "rename", on_error="skip")
    assert "8 name(s)" in error["what"]


@pytest.mark.parametrize("names", [("train/c{0}.png", "c{0}.png"), ("c{0}.png", "labels/c{0}_mask.png")])
def test_partners_in_another_folder_are_given_as_the_reason(tmp_path, names):
    refused(tmp_path, data_set(tmp_path / "set", names=names), "8 name(s) differ in their folders", "the same folders")


@pytest.mark.parametrize("video", ["", "first/"])
def test_masks_numbered_from_another_start_are_not_paired_with_their_neighbours(tmp_path, video):
    """Frames from 0, labels from 1 (favyen/miris#4): 7 of 8 names would go together, all with the wrong mask."""
    for number in range(COUNT):
        save(tmp_path / f"set/images/{video}frame_{number:04d}.png", picture(number))
        save(tmp_path / f"set/masks/{video}mask_{number + 1:04d}.png", index_mask(number) * 255)
        if video:
            save(tmp_path / f"set/images/second/frame_{number:04d}.png", picture(number + COUNT))
            save(tmp_path / f"set/masks/second/mask_{number:04d}.png", index_mask(number + COUNT) * 255)
    refused(tmp_path, tmp_path / "set", "numbered from 0 to 7, as many masks from 1 to 8", "rename", on_error="skip")


def test_a_few_names_that_match_by_chance_are_not_paired(tmp_path):
    """Every fifth frame is labelled, and labels are counted by themselves (leolyliu/TACO-Instructions#16)."""
    for number in range(COUNT):
        save(tmp_path / f"set/images/{5 * number:04d}.png", picture(number))
        save(tmp_path / f"set/masks/{number:04d}.png", index_mask(number) * 255)
    refused(tmp_path, tmp_path / "set", "only 2 of 8 images and 8 masks", "after its image", on_error="skip")


def test_pairing_does_not_depend_on_the_order_of_the_files(tmp_path):
    """os.listdir gives any order (minar09/cp-vton-plus#8)."""
    for number in reversed(range(COUNT)):
        save(tmp_path / f"set/images/image_{number + 5}.png", picture(number))
    for number in range(COUNT):
        save(tmp_path / f"set/masks/mask_{number + 5}.png", index_mask(number) * 255)
    masks = {f"image_{number + 5}": index_mask(number) for number in range(COUNT)}
    same_pixels(unremarked(tmp_path, tmp_path / "set"), masks)


def test_system_files_of_macos_and_windows_are_ignored(tmp_path):
    """._c0.png beside c0.png (OpenNeuroOrg/openneuro#2520)."""
    source = data_set(tmp_path / "set")
    for folder in ("images", "masks"):
        for name in ("._c0.png", ".DS_Store", "Thumbs.db", "__MACOSX/._c0.png"):
            path = source / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    same_pixels(unremarked(tmp_path, source), MASKS, IMAGES)
