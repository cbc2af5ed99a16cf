"""Masks and images with several channels: one-hot masks, alpha channels, and channels that cannot be read."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.errors import UserError
from tests.conftest import prepared
from tests.corpus import saved, tiff
from tests.mask_sets import (
    BINARY,
    LABELS,
    check,
    data_set,
    settings,
    warnings_of,
)


def one_hot(labels, classes, dtype=np.uint8, top=255):
    return (np.arange(classes)[:, None, None] == labels).astype(dtype) * dtype(top)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint8, 1), (np.float32, 1), (np.uint16, 65535)])
@pytest.mark.parametrize("classes", [2, 4])
def test_one_hot_masks_become_channel_numbers(tmp_path, classes, dtype, top, last):
    labels = [one if classes > 2 else np.minimum(one, 1) for one in LABELS]
    arrays = [one_hot(one, classes, dtype, top) for one in labels]
    arrays = [np.ascontiguousarray(np.moveaxis(array, 0, -1)) if last else array for array in arrays]
    planar = {"planarconfig": "contig" if last else "separate", "photometric": "minisblack"}
    store = prepared(data_set(tmp_path / "set", [tiff(array, **planar) for array in arrays]), tmp_path)
    for index, array in enumerate(arrays):
        path = tmp_path / "set/masks" / f"m{index:02d}.png"
        held = tifffile.imread(path)
        assert held.shape == array.shape
        np.testing.assert_array_equal(store.mask(index), held.argmax(-1 if last else 0))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_that_overlap_or_leave_pixels_out_are_refused(tmp_path, channels):
    arrays = [one_hot(one, channels) for one in LABELS[:3]]
    for array in arrays:
        array[:, 0, 0] = 0
        array[:2, 1, 1] = 255
    source = data_set(
        tmp_path / "set", [tiff(one, planarconfig="separate", photometric="minisblack") for one in arrays]
    )
    with pytest.raises(UserError, match=f"has {channels} channels, which are neither RGB nor one-hot"):
        prepared(source, tmp_path)


def test_grey_with_alpha_that_complement_each_other_are_not_inverted(tmp_path):
    arrays = [np.stack([255 * (1 - one), 255 * one], -1).astype(np.uint8) for one in BINARY]
    store = prepared(data_set(tmp_path / "set", [saved(Image.fromarray(a, "LA"), "PNG") for a in arrays]), tmp_path)
    check(store, BINARY)
    drawn = [np.dstack([255 * (1 - one)] * 3 + [255 * one]).astype(np.uint8) for one in BINARY]
    check(
        prepared(data_set(tmp_path / "rgba", [saved(Image.fromarray(a), "PNG") for a in drawn]), tmp_path / "2"), BINARY
    )


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_dropping_an_alpha_channel_that_varies_is_warned_of_and_it_can_be_kept(tmp_path, mode, format):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    rng = np.random.default_rng(0)
    channels = len(mode)
    arrays = [rng.integers(0, 255, (24, 20, channels)).astype(np.uint8) for _ in BINARY]
    for index, array in enumerate(arrays):
        (source / "images" / f"m{index:02d}.png").write_bytes(saved(Image.fromarray(array, mode), format))
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(store.image(0), arrays[0][..., :-1])
    rows = warnings_of(tmp_path)
    assert len(rows) == len(BINARY) and all(row["setting"] == f"data.channels: {channels} keeps it" for row in rows)
    np.testing.assert_array_equal(prepared(source, tmp_path, channels=channels).image(0), arrays[0])
    assert not warnings_of(tmp_path)


def test_an_opaque_alpha_channel_is_dropped_without_a_warning(tmp_path):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    for path in (source / "images").iterdir():
        Image.open(path).convert("RGBA").save(path)
    prepared(source, tmp_path)
    assert not warnings_of(tmp_path)


def test_a_mask_without_a_channel_set_is_refused_among_one_hot_masks(tmp_path):
    arrays = [one_hot(labels, 3, top=1) for labels in LABELS]
    arrays[2] = np.zeros_like(arrays[2])
    contents = [tiff(np.moveaxis(array, 0, -1).copy(), photometric="rgb") for array in arrays]
    with pytest.raises(UserError, match=r"1 problem.*\n  'm02': the masks are one-hot, but this one has no pixel"):
        prepared(data_set(tmp_path / "set", contents), tmp_path)


def test_a_threshold_above_the_channels_of_a_one_hot_mask_is_refused(tmp_path):
    contents = [tiff(one_hot(one, 2), photometric="minisblack", planarconfig="separate") for one in BINARY]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"data\.masks\.threshold \(128\) counts its 2 channels"):
        prepared(source, tmp_path, masks=settings(threshold=128))
    check(prepared(source, tmp_path, masks=settings(threshold=1)), BINARY)


def test_an_alpha_channel_that_is_not_the_last_one_is_kept(tmp_path):
    source = data_set(tmp_path / "set", BINARY, "background: background\n")
    rng = np.random.default_rng(0)
    for path in (source / "images").iterdir():
        path.write_bytes(tiff(rng.integers(0, 255, (24, 20, 5), np.uint8), photometric="rgb", extrasamples=[2, 0]))
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(store.image(0), tifffile.imread(source / "images/m00.png"))


def test_an_empty_mask_among_masks_in_alpha_is_read_by_the_proposed_setting(tmp_path):
    drawn = [x * (n > 0) for n, x in enumerate(BINARY)]
    contents = [saved(Image.fromarray(np.dstack([np.full((24, 20, 3), 255, np.uint8), 255 * x])), "PNG") for x in drawn]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"'m00': the mask is in grey, .* in params\.yaml: data\.masks\.read: alpha"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings("alpha")), drawn)


def test_a_threshold_applies_to_the_channel_numbers_of_one_hot_masks(tmp_path):
    one_hot = [255 * (np.arange(2) == x[..., None]).astype(np.uint8) for x in BINARY]
    contents = [
        tiff(one_hot[n], photometric="minisblack") if n % 2 else x * np.uint8(255) for n, x in enumerate(BINARY)
    ]
    source = data_set(tmp_path / "set", contents)
    with pytest.raises(UserError, match=r"foreground as 1 in some masks, as 255 in others.*threshold: 1"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, masks=settings(threshold=1)), BINARY)
