"""Files of a prediction: stored values, formats, georeference, and paths that stay in the output folder."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import src.data.predictions.prediction_files as results
from src.data.predictions.inputs import pixel_count
from src.data.predictions.prediction_files import (
    allocate,
    check_inside,
    mask_suffix,
    mask_values,
    read_georeference,
    write_mask,
    write_probabilities,
)
from src.data.reading.images import read_image
from src.data.reading.masks import read_mask
from src.errors import UserError
from src.params import Masks

READ = Masks(read="auto", threshold=0)
CLASSES = np.random.default_rng(0).integers(0, 3, (700, 1030), dtype=np.uint8)  # not a multiple of the tile size


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], np.array([0, 1, 2], np.uint8)),
        ([0, 128, 255], np.array([0, 128, 255], np.uint8)),
        ([0, 7, 300], np.array([0, 7, 300], np.uint16)),
        ([0, 7, 70_000], np.array([0, 7, 70_000], np.uint32)),
        ([-1, 0, 1], np.array([-1, 0, 1], np.int32)),
        (["#000000", "#FF0000", "#00ff80"], np.array([[0, 0, 0], [255, 0, 0], [0, 255, 128]], np.uint8)),
    ],
)
@pytest.mark.parametrize("like", ["image.png", "image.tif"])
def test_masks_hold_the_values_of_the_training_masks(tmp_path, values, expected, like):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((2, 2), np.uint8))
    Image.new("L", (2, 2)).save(tmp_path / "image.png")
    found = mask_values(values, 3)
    assert found.dtype == expected.dtype and (found == expected).all()
    path = tmp_path / f"mask{mask_suffix(found, tmp_path / like)}"
    assert (path.suffix == ".png") == (like == "image.png" and found.dtype.itemsize <= 2)
    write_mask(path, CLASSES, found)
    stored = tifffile.imread(path) if path.suffix == ".tif" else np.array(Image.open(path))
    assert stored.shape[:2] == CLASSES.shape and (stored == expected[CLASSES]).all()
    labels = read_mask(path, READ, any(isinstance(value, str) for value in values), None)  # as training reads it
    assert len(labels.values.pixels) == 3


def test_masks_too_long_for_png_are_tiff(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "a.bmp")
    path = tmp_path / f"mask{mask_suffix(mask_values([], 2), tmp_path / 'a.bmp', (1, 1_000_001))}"
    write_mask(path, np.ones((1, 1_000_001), np.uint8), mask_values([0, 255], 2))
    assert tifffile.imread(path).sum() == 255 * 1_000_001


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_probabilities_are_read_back_as_written(tmp_path, channels, kind):
    shares = (np.random.default_rng(0).random((530, 40, channels)) * (255 if kind == np.uint8 else 1)).astype(kind)
    names = ["ocean", "<lake>", "Straße", "d"][:channels]
    write_probabilities(tmp_path / "p.tif", shares, names)
    np.testing.assert_array_equal(read_image(tmp_path / "p.tif"), shares)
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        assert file.pages.first.description.startswith("probability of ocean")


@pytest.mark.parametrize("overlap", [False, True])
def test_a_file_of_probabilities_says_whether_classes_overlap(tmp_path, overlap):
    write_probabilities(tmp_path / "p.tif", np.zeros((4, 4, 2), np.float32), ["a", "b"], overlap=overlap)
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        assert ("independent of each other" in file.pages.first.description) == overlap


GEO = [
    (33550, "d", 3, (0.5, 0.5, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 370000.0, 4800000.0, 0.0), True),
    (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34737, "s", 8, "WGS 84|", True),
]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiffs_georeference_and_resolution_are_kept(tmp_path, order):
    image, mask = tmp_path / "image.tif", tmp_path / "mask.tif"
    pixels = np.zeros((40, 50, 3), np.uint8)
    tifffile.imwrite(image, pixels, byteorder=order, extratags=GEO, resolution=(300, 150), resolutionunit="CENTIMETER")
    write_mask(mask, np.zeros((40, 50), np.uint8), mask_values([], 2), read_georeference(image))
    with tifffile.TiffFile(image) as before, tifffile.TiffFile(mask) as after:
        for code in (33550, 33922, 34735, 34737, 282, 283, 296):
            assert after.pages.first.tags[code].value == before.pages.first.tags[code].value, code


ODD = {
    "text that is no ASCII": {"extratags": [(34737, 2, 0, "Straße|".encode() + b"\0", True)]},
    "a unit that is none": {"resolution": (3, 4), "extratags": [(296, 3, 1, 9, True)]},
    "a resolution of one number": {"extratags": [(282, 3, 1, 72, True)]},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_tags_do_not_stop_a_prediction(tmp_path, odd):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), **ODD[odd])
    write_mask(tmp_path / "mask.tif", CLASSES[:4, :5], mask_values([], 3), read_georeference(tmp_path / "a.tif"))
    assert tifffile.imread(tmp_path / "mask.tif").shape == (4, 5)


def test_georeference_is_not_read_from_a_thumbnail(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((4, 5), np.uint8), subfiletype=1)
        file.write(np.zeros((40, 50), np.uint8), extratags=GEO)
    assert [tag[0] for tag in read_georeference(tmp_path / "a.tif").tags] == [tag[0] for tag in GEO]
    assert pixel_count(tmp_path / "a.tif") == 2000


def test_georeference_of_a_rotated_tiff_is_dropped(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), extratags=[*GEO, (274, "H", 1, 6, True)])
    assert read_georeference(tmp_path / "a.tif") == results.NO_GEOREFERENCE


def test_large_arrays_are_on_disk_in_a_file_without_a_name(tmp_path, monkeypatch):
    assert not isinstance(allocate((10, 10), np.uint8, tmp_path), np.memmap)
    monkeypatch.setattr(results, "LARGE", 99)
    large = allocate((10, 10), np.uint8, tmp_path)
    large[:] = 7
    assert isinstance(large, np.memmap) and (large == 7).all() and not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small_is_an_error(tmp_path):
    """Without the check, the first write to the memory map would end the process."""
    with pytest.raises(OSError, match=r"\[Errno"):
        allocate((2**58,), np.uint8, tmp_path)
    assert not list(tmp_path.iterdir())


def test_results_outside_the_output_folder_are_refused(tmp_path):
    out = tmp_path / "out"
    (out / "masks").mkdir(parents=True)
    assert check_inside(out, out / "masks/sub/a.png") == out / "masks/sub/a.png"
    (out / "masks/away").symlink_to(tmp_path)
    (out / "masks/circle").symlink_to(out / "masks/circle")
    for path in (out / "masks/circle/a.png", out / "masks/away/a.png", out / "../a.png", Path("/a.png")):
        with pytest.raises(UserError, match="leads out of"):
            check_inside(out, path)
