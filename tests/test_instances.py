"""Masks of numbered objects keep the numbers: from the file through orientation and merged classes into the store."""

import json

import numpy as np
import pytest
from PIL import Image

from src.data.reading import object_numbers
from src.data.reading.object_numbers import number_objects
from src.data.store.store import INDEX, NUMBERS
from src.errors import UserError
from src.params import Masks
from tests.conftest import prepared
from tests.corpus import saved, tiff
from tests.mask_sets import data_set, settings

RNG = np.random.default_rng(5)
INSTANCES = settings("instances")


def drawn(*numbers):
    """A mask of 24 × 20 pixels whose numbered objects touch, with one of them in two parts."""
    mask = np.zeros((24, 20), np.int64)
    for place, number in enumerate(numbers):
        mask[2 + 3 * place : 5 + 3 * place, 3:12] = number
    mask[22:, 17:] = numbers[0]
    return mask


def ranks(mask, *excluded):
    """The reference: objects numbered from 1 in the order of their values, by NumPy."""
    kept = ~np.isin(mask, (0, *excluded))
    numbers = np.zeros(mask.shape, np.int64)
    numbers[kept] = np.unique(mask[kept], return_inverse=True)[1].ravel() + 1
    return numbers


MASKS = [drawn(7, 3, 900), drawn(4, 65535, 2, 1), drawn(5)]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_touching_objects_keep_their_numbers(tmp_path, dtype):
    source = data_set(tmp_path / "set", [tiff(mask.astype(dtype)) for mask in MASKS], "ignore: none\n")
    store = prepared(source, tmp_path, masks=INSTANCES)
    assert store.numbered == [1]
    for index, mask in enumerate(MASKS):
        (numbers,) = store.numbers(index).values()
        np.testing.assert_array_equal(numbers, ranks(mask))
        np.testing.assert_array_equal(store.mask(index), mask > 0)
        assert numbers.dtype == np.uint16 and store.records[index].objects == [0, numbers.max()]


def test_ignored_pixels_belong_to_no_object(tmp_path):
    masks = [np.where(RNG.random(mask.shape) < 0.1, -1, mask).astype(np.int32) for mask in MASKS]
    store = prepared(data_set(tmp_path / "set", [tiff(m) for m in masks], "ignore: -1\n"), tmp_path, masks=INSTANCES)
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(store.numbers(index)[1], ranks(mask, -1))
        np.testing.assert_array_equal(store.mask(index) == 255, mask == -1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_objects_of_one_colour_have_one_number(tmp_path, dtype):
    colours = np.concatenate([[[0, 0, 0]], RNG.integers(1, np.iinfo(dtype).max, (5, 3))]).astype(dtype)
    places = [ranks(mask) for mask in MASKS]
    contents = [tiff(colours[place], photometric="rgb") for place in places]
    store = prepared(data_set(tmp_path / "set", contents), tmp_path, masks=INSTANCES)
    order = np.lexsort(colours.T[::-1])  # the order of the colours, red first; black is the first of all
    for index, place in enumerate(places):
        np.testing.assert_array_equal(store.numbers(index)[1], ranks(np.argsort(order)[place]))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_numbers_are_turned_with_their_mask(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = data_set(tmp_path / "set", [mask.astype(np.uint8) for mask in (drawn(3, 2, 9), drawn(4, 1))])
    for path in (source / "images").iterdir():
        path.write_bytes(saved(Image.open(path), "PNG", exif=exif))
    stored = prepared(source, tmp_path, masks=INSTANCES | {"exif": "stored"})
    for index, mask in enumerate((drawn(3, 2, 9), drawn(4, 1))):
        flips = {2: mask[:, ::-1], 3: mask[::-1, ::-1], 4: mask[::-1], 5: mask.T, 6: np.rot90(mask, -1)}
        turned = (flips | {7: np.rot90(mask, 2).T, 8: np.rot90(mask)})[orientation]
        np.testing.assert_array_equal(stored.numbers(index)[1], ranks(turned))


def test_numbers_tell_two_ways_up_apart_where_the_foreground_does_not(tmp_path):
    mask = np.zeros((24, 20), np.uint8)
    mask[4:10, 5:15], mask[14:20, 5:15] = 1, 2
    exif = Image.Exif()
    exif[0x0112] = 3
    source = data_set(tmp_path / "set", [mask, mask])
    for path in (source / "images").iterdir():
        path.write_bytes(saved(Image.open(path), "PNG", exif=exif))
    with pytest.raises(UserError, match="which way up the mask is drawn"):
        prepared(source, tmp_path, masks=INSTANCES)


def test_overlapping_classes_are_numbered_each_by_itself(tmp_path):
    source = data_set(tmp_path / "set", [np.zeros((24, 20), np.uint8)] * 2, "overlap: true\nmissing: empty\n")
    for path in (source / "masks").iterdir():
        path.unlink()
    planes = {"cell/m00": drawn(2, 5, 1), "cell/m01": drawn(6, 4), "nucleus/m01": np.roll(drawn(1, 2, 3), 2, 1)}
    for name, mask in planes.items():
        path = source / "masks" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(saved(Image.fromarray(mask.astype(np.uint8)), "PNG"))
    store = prepared(source, tmp_path, masks=INSTANCES)
    assert store.dataset.names == ["cell", "nucleus"] and store.numbered == [0, 1]
    assert [record.objects for record in store.records] == [[3, 0], [2, 3]]
    for place, name in ((0, "cell"), (1, "nucleus")):
        for index in range(2):
            wanted = ranks(planes.get(f"{name}/m0{index}", np.zeros((24, 20))))
            np.testing.assert_array_equal(store.numbers(index)[place], wanted)


@pytest.mark.parametrize("masks", [INSTANCES, settings()])
def test_masks_that_number_nothing_leave_no_trace_in_the_store(tmp_path, masks):
    binary = [(mask > 0).astype(np.uint8) * 255 for mask in MASKS]
    store = prepared(data_set(tmp_path / "set", binary, "ignore: none\n"), tmp_path, masks=masks)
    assert not (store.folder / NUMBERS).exists() and store.numbered == [] and store.numbers(0) == {}
    assert all(
        "numbers_at" not in e and "objects" not in e for e in json.loads((store.folder / INDEX).read_text())["images"]
    )


def test_large_masks_are_numbered_on_disk_and_many_objects_in_32_bits(tmp_path, monkeypatch):
    stored = np.arange(300 * 300, dtype=np.uint32).reshape(300, 300) * 3
    monkeypatch.setattr(object_numbers, "strips", lambda height, width: [slice(0, 170), slice(170, height)])
    found = number_objects(stored, 6)
    assert found.pixels.dtype == np.uint32 and found.count == 89_998
    monkeypatch.setattr(object_numbers, "LARGE_IMAGE_PIXELS", 1000)
    on_disk = number_objects(stored, 6, tmp_path)
    assert isinstance(on_disk.pixels, np.memmap)
    for one in (found.pixels, on_disk.pixels):
        np.testing.assert_array_equal(one, ranks(stored, 6))


def test_other_settings_number_nothing():
    assert object_numbers.numbers_of_objects(MASKS[0], Masks(read="auto", threshold=0), None) == {}
