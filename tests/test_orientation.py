"""Masks of images with an EXIF orientation: the sizes decide if only one way fits, else a setting must."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from src.errors import UserError
from src.files import read_csv
from tests.conftest import prepared
from tests.ready_masks import scored

ORIENTATION = 0x0112


def write_set(folder, orientation, drawn, size=(24, 16), mask_orientation=None, suffix="png", count=3):
    """Images of noise with a white object; the masks are drawn on the pixels as stored, or as Pillow shows them."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        stored = rng.integers(0, 90, (size[1], size[0], 3), np.uint8)
        stored[1 : 4 + number, 2:9] = 255
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = folder / "images" / f"m{number}.{suffix}"
        Image.fromarray(stored).save(path, exif=exif)
        seen = np.array(ImageOps.exif_transpose(Image.open(path)))
        mask = Image.fromarray(((stored if drawn == "stored" else seen)[..., 0] == 255).astype(np.uint8))
        mask_exif = Image.Exif()
        if mask_orientation is not None:
            mask_exif[ORIENTATION] = mask_orientation
        mask.save(folder / "masks" / f"m{number}.png", exif=mask_exif)
    return folder


def check_store(store, source):
    """Check that the object in the image, as Pillow shows it, is where the prepared mask has it."""
    for index, record in enumerate(store.records):
        seen = np.array(ImageOps.exif_transpose(Image.open(next((source / "images").glob(f"{record.id}.*")))))
        np.testing.assert_array_equal(store.image(index), seen)
        np.testing.assert_array_equal(store.mask(index), (seen[..., 0] == 255).astype(np.uint8))


def masks(exif):
    return {"read": "auto", "threshold": 0, "exif": exif}


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("drawn", ["shown", "stored"])
@pytest.mark.parametrize(
    ("orientation", "size"), [(2, (24, 16)), (3, (24, 16)), (4, (24, 16)), (3, (20, 20)), (6, (20, 20)), (8, (20, 20))]
)
def test_the_setting_must_decide_if_both_ways_fit_the_size(tmp_path, orientation, size, drawn, suffix):
    source = write_set(tmp_path / "set", orientation, drawn, size, suffix=suffix)
    with pytest.raises(UserError, match=rf"'m0': .*EXIF orientation {orientation} .*data\.masks\.exif: shown") as error:
        prepared(source, tmp_path)
    assert all(name in str(error.value) for name in ("'m0'", "'m1'", "'m2'"))
    check_store(prepared(source, tmp_path, masks=masks(drawn)), source)
    (source / "dataset.yaml").write_text(f"exif: {drawn}\n")
    check_store(prepared(source, tmp_path), source)


@pytest.mark.parametrize("drawn", ["shown", "stored"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_sizes_decide_if_one_way_fits_and_a_contradicting_setting_is_warned_of(tmp_path, orientation, drawn):
    source = write_set(tmp_path / "set", orientation, drawn)
    check_store(prepared(source, tmp_path), source)
    assert not read_csv(tmp_path / "checks.csv")
    other = {"shown": "stored", "stored": "shown"}[drawn]
    check_store(prepared(source, tmp_path, masks=masks(other)), source)
    rows = read_csv(tmp_path / "checks.csv")
    assert [row["file"] for row in rows] == ["m0", "m1", "m2"]
    assert all(f"drawn on the image as {drawn}" in row["what"] for row in rows)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_with_the_orientation_of_their_image_need_no_setting(tmp_path, orientation):
    source = write_set(tmp_path / "set", orientation, "stored", (20, 20), mask_orientation=orientation)
    check_store(prepared(source, tmp_path), source)


def test_an_orientation_of_the_mask_alone_needs_the_setting(tmp_path):
    source = write_set(tmp_path / "set", 1, "stored", mask_orientation=3)
    with pytest.raises(UserError, match="EXIF orientation 1 for the image and 3 for the mask"):
        prepared(source, tmp_path)
    check_store(prepared(source, tmp_path, masks=masks("stored")), source)


def test_a_mask_that_looks_the_same_both_ways_needs_no_decision(tmp_path):
    source = write_set(tmp_path / "set", 3, "stored")
    for path in (source / "masks").iterdir():
        Image.fromarray(np.zeros((16, 24), np.uint8)).save(path)
    upright = write_set(tmp_path / "other", 1, "stored", count=1)
    for kind, name in (("images", "u.png"), ("masks", "u.png")):
        (upright / kind / "m0.png").rename(source / kind / name)
    assert len(prepared(source, tmp_path)) == 4


def test_pairs_whose_sizes_fit_neither_way_are_refused_with_both_sizes(tmp_path):
    source = write_set(tmp_path / "set", 6, "stored")
    Image.fromarray(np.zeros((17, 24), np.uint8)).save(source / "masks/m1.png")
    with pytest.raises(UserError, match=r"1 problem.*\n.*'m1': the image is 16 × 24 pixels, its mask 24 × 17"):
        prepared(source, tmp_path)


@pytest.mark.parametrize("drawn", ["shown", "stored"])
def test_masks_of_a_second_annotator_need_exif_in_their_own_dataset_yaml(tmp_path, drawn):
    """The truth is drawn on the stored pixels; the masks to score are the same, or turned as viewers show them."""
    source = write_set(tmp_path / "set", 3, "stored")
    (source / "dataset.yaml").write_text("exif: stored\nclasses: {0: background, 1: cell}\n")
    ready = tmp_path / "ready"
    ready.mkdir()
    for path in (source / "masks").iterdir():
        mask = Image.open(path)
        (mask if drawn == "stored" else mask.transpose(Image.Transpose.ROTATE_180)).save(ready / path.name)
    with pytest.raises(UserError, match=r"write exif: shown, or exif: stored, into .*ready/dataset\.yaml"):
        scored(source, tmp_path / "1", ready)
    (ready / "dataset.yaml").write_text(f"exif: {drawn}\n")
    results, *_ = scored(source, tmp_path / "2", ready)
    np.testing.assert_array_equal(results.values["dice"][:, 1], 1)


def test_predictions_need_no_setting_if_the_data_set_is_drawn_as_shown(tmp_path):
    source = write_set(tmp_path / "set", 3, "shown")
    (source / "dataset.yaml").write_text("exif: shown\nclasses: {0: background, 1: cell}\n")
    results, *_ = scored(source, tmp_path / "1", source / "masks")
    np.testing.assert_array_equal(results.values["dice"][:, 1], 1)
