"""Scaled images: the aspect ratio is kept, averages down and cubic up, masks without new labels, nothing shifts."""

import numpy as np
import pytest
from PIL import Image

from src.data.crops import resample_rows as resample
from src.data.crops import resize
from src.data.crops.normalise import LARGEST
from src.data.crops.resample_rows import resample_rows
from src.data.crops.resize import MOST_PIXELS, TooLarge, scale_image, scale_mask, scaled_size

LIMITS = {"uint8": (0, 255), "uint16": (0, 65_535), "float32": (-3.5, 8.25)}


def noise(dtype, *shape, seed=0):
    """Pixels from the whole range of a number type."""
    low, high = LIMITS[dtype]
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return (values if dtype == "float32" else values.round()).astype(dtype)


def averages(pixels, height, width):
    """Means over areas by integrals, in float64: an independent way."""

    def along_rows(values, number):
        integral = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
        edges = np.arange(number + 1) * len(values) / number
        places = [np.interp(edges, np.arange(len(integral)), column) for column in integral.T]
        return np.diff(np.stack(places, axis=1), axis=0) * number / len(values)

    layers = [along_rows(along_rows(layer, height).T, width).T for layer in pixels.astype(float).transpose(2, 0, 1)]
    return np.stack(layers, axis=2)


def cubic(pixels, height, width):
    """Cubic convolution (Keys 1981) with a = -0.75, as OpenCV has it, with the border pixel repeated."""

    def weights(number, before):
        places = (np.arange(number) + 0.5) * before / number - 0.5
        matrix = np.zeros((number, before))
        for row, place in enumerate(places):
            for pixel in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
                x = abs(place - pixel)
                near, far = 1.25 * x**3 - 2.25 * x**2 + 1, -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
                matrix[row, np.clip(pixel, 0, before - 1)] += near if x <= 1 else far
        return matrix

    rows, columns = weights(height, pixels.shape[0]), weights(width, pixels.shape[1])
    return np.einsum("yi,ijc,xj->yxc", rows, pixels.astype(float), columns)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((600, 800), 150, (150, 200)),
        ((800, 600), 150, (200, 150)),
        ((37, 53), 12, (12, 17)),  # 17.19
        ((4, 10), 1, (1, 3)),  # 2.5: halves are rounded up
        ((4, 5), 2, (2, 3)),
        ((100, 3000), 64, (64, 1920)),
        ((3, 500), 2, (2, 333)),
        ((1, 1), 7, (7, 7)),
        ((500, 3), 1, (167, 1)),
        ((480, 640), 0, (480, 640)),
        ((480, 640), 480, (480, 640)),
    ],
)
def test_the_shorter_side_is_set_and_the_aspect_ratio_kept(size, side, expected):
    assert scaled_size(*size, side) == expected
    image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    assert scale_image(image, side).shape == (*expected, 3) and scale_mask(mask, side).shape == expected


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize(("size", "side"), [((37, 53), 12), ((45, 70), 44), ((100, 300), 64), ((3, 50), 2)])
def test_smaller_images_are_averages_over_areas(dtype, channels, size, side):
    image = noise(dtype, *size, channels)
    found, expected = scale_image(image, side), averages(image, *scaled_size(*size, side))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-4 if dtype == "float32" else 0.51)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize(("size", "side"), [((9, 13), 25), ((5, 40), 6), ((2, 60), 3)])
def test_larger_images_are_cubic_within_the_range_of_their_values(dtype, channels, size, side):
    """Noise between the extremes overshoots, so without a limit whole numbers would wrap around."""
    image = noise(dtype, *size, channels)
    low, high = (image.min(axis=(0, 1)), image.max(axis=(0, 1))) if dtype == "float32" else LIMITS[dtype]
    exact = cubic(image, *scaled_size(*size, side))
    found = scale_image(image, side)
    assert found.dtype == dtype and (exact > high).any() and (exact < low).any()
    tolerance = {"uint8": 1.01, "uint16": 0.6, "float32": 1e-4}[dtype]  # for 8 bits, OpenCV has weights of 11 bits
    np.testing.assert_allclose(found, exact.clip(low, high), atol=tolerance)


@pytest.mark.parametrize("side", [4, 20])
def test_the_largest_floats_that_are_allowed_stay_in_their_range(side):
    image = np.float32(LARGEST) * np.sign(noise("float32", 9, 13, 2) - 2)
    assert abs(scale_image(image, side)).max() <= LARGEST * (1 + 1e-6)


@pytest.mark.parametrize("dtype", LIMITS)
def test_images_larger_than_the_limit_are_averaged_in_strips_to_the_same_result(dtype, monkeypatch):
    image = noise(dtype, 211, 173, 5)
    whole = scale_image(image, 37)
    monkeypatch.setattr(resize, "LARGE", 1000)
    monkeypatch.setattr(resize, "TOGETHER", 3000)
    calls = []
    monkeypatch.setattr(resize, "resample_rows", lambda *given: calls.append(1) or resample_rows(*given))
    found = scale_image(image, 37)
    assert len(calls) > 10 and found.dtype == dtype
    difference = abs(found.astype(float) - whole)
    assert difference.max() <= (1e-5 if dtype == "float32" else 1) and (difference > 0.5).mean() < 0.01  # rounding


@pytest.mark.parametrize("side", [1, 37, 170])
def test_a_large_image_is_never_read_as_a_whole(side, monkeypatch):
    read = []

    class Recording(np.ndarray):
        def __getitem__(self, key):
            part = np.asarray(self)[key]
            read.append(part.size)
            return part

    for module, name, value in ((resize, "LARGE", 1000), (resize, "TOGETHER", 9000), (resample, "TOGETHER", 9000)):
        monkeypatch.setattr(module, name, value)
    image = noise("uint8", 511, 173, 5)
    found = scale_image(image.view(Recording), side)
    assert sum(read) >= image.size and max(read) <= 9000
    monkeypatch.undo()
    assert abs(found.astype(int) - scale_image(image, side)).max() <= 1


@pytest.mark.parametrize("size", [(12, 17), (37, 53), (80, 91), (36, 52)])
def test_rows_do_not_depend_on_the_strips(size):
    pixels = noise("float32", 37, 53, 70)
    whole = resample_rows(pixels, slice(0, size[0]), *size)
    parts = [resample_rows(pixels, slice(top, min(top + 7, size[0])), *size) for top in range(0, size[0], 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    if size[0] < 37:
        np.testing.assert_allclose(whole, averages(pixels, *size), atol=1e-4)
    else:
        layer = Image.fromarray(pixels[..., 69]).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(whole[..., 69], np.asarray(layer), atol=1e-4)


@pytest.mark.parametrize(
    ("size", "side"), [((90, 131), 30), ((45, 70), 44), ((9, 13), 25), ((3, 500), 2), ((40, 60), 60)]
)
def test_masks_take_the_label_at_the_centre_of_each_pixel(size, side):
    mask = np.random.default_rng(0).choice(np.array([0, 2, 255], np.uint8), size)
    found = scale_mask(mask, side)
    assert set(np.unique(found)) == {0, 2, 255} and found.dtype == np.uint8
    expected = Image.fromarray(mask).resize(found.shape[::-1], Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("side", [41, 60, 75, 99, 160, 231])
def test_masks_stay_aligned_with_their_images(side):
    """The centre of an object in the scaled image is that in the scaled mask, and both are where scaling puts it."""
    rng, shifts, places = np.random.default_rng(0), [], []
    for _ in range(60):
        centre, radius = rng.uniform(30, 90, 2), rng.uniform(12, 25)
        y, x = np.mgrid[:120, :150]
        mask = (np.hypot(y - centre[0], x - centre[1]) < radius).astype(np.uint8)
        seen, labels = scale_image(200 * mask[..., None], side)[..., 0].astype(float), scale_mask(mask, side)
        found = [(np.argwhere(weights > 0) * weights[weights > 0, None]).sum(axis=0) for weights in (seen, labels)]
        shown, labelled = (total / weights.sum() for total, weights in zip(found, (seen, labels), strict=True))
        rows, columns = np.nonzero(mask)
        own = (np.array([rows.mean(), columns.mean()]) + 0.5) * np.array(seen.shape) / mask.shape - 0.5
        shifts.append(labelled - shown)
        places.append(shown - own)
    # Of an even number of pixels none is in the middle, so half a pixel of the mask, a quarter after halving, remains.
    even = 0.26 if side == 60 else 0.05
    np.testing.assert_allclose(np.mean(shifts, axis=0), 0, atol=even)
    np.testing.assert_allclose(np.mean(places, axis=0), 0, atol=0.03)


def test_an_image_that_would_become_too_large_is_refused():
    with pytest.raises(TooLarge, match=r"resize: 16384 an image would have 16384 × 491520 pixels, more than .*cut"):
        scale_image(np.zeros((1, 30, 1), np.uint8), 16_384)
    assert MOST_PIXELS >= 16_384**2


def test_wide_masks_of_large_images_are_read_at_the_right_place():
    """OpenCV computes places in fixed point, which could overflow beyond 32,767 pixels."""
    mask = np.broadcast_to(np.arange(40_000) // 160, (40, 40_000)).astype(np.uint8)
    found = scale_mask(np.ascontiguousarray(mask), 10)
    np.testing.assert_array_equal(found, np.broadcast_to(np.arange(10_000) // 40, (10, 10_000)))
