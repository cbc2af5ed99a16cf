"""Reading mask files: every way to store them, alpha, instances, thresholds, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from src.data.reading.masks import read_mask
from src.data.reading.unreadable import Unreadable
from src.params import Masks
from tests.corpus import palette_image, png, saved, tiff

LABELS = np.random.default_rng(0).integers(0, 3, (24, 20)).astype(np.uint8)
COLOURS = np.array([[0, 0, 0], [200, 30, 90], [10, 220, 30], [255, 255, 255]], np.uint8)


def values_of(tmp_path, content, colours=False, ignore=None, read="auto", threshold=0.0):
    """Stored value of each pixel, and the kind of value."""
    path = tmp_path / "mask"
    path.write_bytes(content)
    labels = read_mask(path, Masks(read=read, threshold=threshold), colours, ignore)
    meaning = {code: value for value, code in labels.values.codes.items()}
    found = np.vectorize(meaning.get, otypes=[np.int64])(labels.codes)
    values, counts = np.unique(found, return_counts=True)
    assert labels.values.pixels == dict(zip(values.tolist(), counts.tolist(), strict=True))
    return found, labels.values.kind


def as_numbers(rgb):
    return rgb.astype(np.int64) @ [65536, 256, 1]


@pytest.mark.parametrize("stored", [[0, 255, 128], [0, 1, 2], [7, 200, 30]])
@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_grey_values_are_read_as_stored(tmp_path, format, stored):
    grey = np.array(stored, np.uint8)[LABELS]
    found, kind = values_of(tmp_path, saved(Image.fromarray(grey), format))
    np.testing.assert_array_equal(found, grey)
    assert kind == "grey"


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_palettes_are_indices_unless_colours_are_named(tmp_path, format):
    content = saved(palette_image(LABELS, COLOURS.ravel().tolist()), format)
    found, kind = values_of(tmp_path, content)
    np.testing.assert_array_equal(found, LABELS)
    assert kind == "grey"
    found, kind = values_of(tmp_path, content, colours=True)
    np.testing.assert_array_equal(found, as_numbers(COLOURS[LABELS]))
    assert kind == "colour"


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("inverted", [False, True])
def test_single_bits_are_read_as_two_values(tmp_path, format, inverted):
    bits = (LABELS > 0) ^ inverted
    content = saved(Image.fromarray(bits), format)
    found, kind = values_of(tmp_path, content)
    np.testing.assert_array_equal(found > 0, bits)
    assert kind == "bits" and len(np.unique(found)) == 2
    np.testing.assert_array_equal(values_of(tmp_path, content, threshold=128)[0], bits)
    np.testing.assert_array_equal(values_of(tmp_path, content, colours=True)[0], np.where(bits, 0xFFFFFF, 0))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_of_few_bits_is_read_as_stored(tmp_path, bits):
    values = LABELS & (2**bits - 1)
    rows = np.packbits((values[..., None] >> np.arange(bits)[::-1] & 1).reshape(24, -1), axis=1)
    rows = rows[:, : 20 * bits // 8] if bits > 1 else rows[:, :2]
    found, _ = values_of(tmp_path, png(rows, bits, 0))
    np.testing.assert_array_equal(found, values[:, : 16 if bits == 1 else 20])


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_rgb_is_read_as_colours_and_equal_channels_as_grey(tmp_path, format):
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    found, kind = values_of(tmp_path, saved(Image.fromarray(COLOURS[LABELS]), format, **options))
    np.testing.assert_array_equal(found, as_numbers(COLOURS[LABELS]))
    assert kind == "colour"
    grey = Image.fromarray(np.dstack([LABELS * 100] * 3))
    found, kind = values_of(tmp_path, saved(grey, format, **options))
    np.testing.assert_array_equal(found, LABELS * 100)
    assert kind == "grey as RGB"
    assert values_of(tmp_path, saved(grey, format, **options), colours=True)[1] == "colour"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_the_mask_if_the_setting_or_the_pixels_say_so(tmp_path, format):
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    alpha = LABELS * np.uint8(127)

    def rgba(colours, alpha):
        return saved(Image.fromarray(np.dstack([colours, alpha])), format, **options)

    plain, full = np.full((24, 20, 3), 9, np.uint8), np.full((24, 20), 255, np.uint8)
    for content in (rgba(plain, alpha), rgba(COLOURS[LABELS], alpha)):
        found, kind = values_of(tmp_path, content, read="alpha")
        np.testing.assert_array_equal(found, alpha)
        assert kind == "alpha"
    assert values_of(tmp_path, rgba(plain, alpha))[1] == "alpha"
    assert values_of(tmp_path, rgba(COLOURS[LABELS], full))[1] == "colour"
    assert values_of(tmp_path, rgba(COLOURS[LABELS], alpha))[1] == "colour"  # both distinguish the same classes
    with pytest.raises(Unreadable, match="differs in colour and in alpha"):
        values_of(tmp_path, rgba(COLOURS[LABELS], alpha[::-1]))
    with pytest.raises(Unreadable, match="no alpha channel"):
        values_of(tmp_path, saved(Image.fromarray(alpha), "PNG"), read="alpha")


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64])
def test_numbers_beyond_8_bits_are_kept_and_instances_become_foreground(tmp_path, dtype):
    objects = (LABELS.astype(np.int64) * 20000).clip(0, 32767).astype(dtype)
    objects[0, :4] = 30000
    np.testing.assert_array_equal(values_of(tmp_path, tiff(objects))[0], objects)
    np.testing.assert_array_equal(values_of(tmp_path, tiff(objects), read="instances")[0], objects > 0)
    found, _ = values_of(tmp_path, tiff(objects), read="instances", ignore=30000)
    np.testing.assert_array_equal(found, np.where(objects == 30000, 30000, objects > 0))


def test_more_instances_than_codes_become_foreground(tmp_path):
    objects = np.arange(480, dtype=np.uint16).reshape(24, 20)
    for content in (tiff(objects), png(objects, 16, 0)):
        np.testing.assert_array_equal(values_of(tmp_path, content, read="instances")[0], objects > 0)


def test_negative_values_can_be_ignored(tmp_path):
    signed = LABELS.astype(np.int16) - 1
    np.testing.assert_array_equal(values_of(tmp_path, tiff(signed))[0], signed)
    np.testing.assert_array_equal(values_of(tmp_path, tiff(signed), read="instances", ignore=-1)[0], signed)


@pytest.mark.parametrize("threshold", [0.5, 0.25])
def test_probabilities_need_a_threshold(tmp_path, threshold):
    soft = np.random.default_rng(0).random((24, 20), np.float32)
    np.testing.assert_array_equal(values_of(tmp_path, tiff(soft), threshold=threshold)[0], soft >= threshold)
    with pytest.raises(Unreadable, match="holds fractions") as error:
        values_of(tmp_path, tiff(soft))
    assert "data.masks.threshold: 0.5" in error.value.setting
    for value in (np.nan, np.inf):
        soft[3, 3] = value
        with pytest.raises(Unreadable, match="NaN or infinite"):
            values_of(tmp_path, tiff(soft), threshold=threshold)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_threshold_is_applied_to_brightness_in_every_format(tmp_path, format, mode):
    shape = np.zeros((24, 20), np.uint8)
    shape[:, 11:] = 220
    image = Image.fromarray(shape)
    if mode == "P":  # the palette's order is not that of brightness
        image = palette_image((shape == 0).astype(np.uint8), [220, 220, 220, 0, 0, 0])
    image = image.convert("RGB") if format in ("JPEG", "WEBP") or mode == "RGB" else image
    found, _ = values_of(tmp_path, saved(image, format), threshold=128)
    np.testing.assert_array_equal(found, shape > 0)


def test_lossy_compression_is_recognised(tmp_path):
    grey, rgb = Image.fromarray(LABELS), Image.fromarray(COLOURS[LABELS])
    cases = {
        (saved(grey, "JPEG"), True),
        (saved(rgb, "WEBP", quality=90), True),
        (saved(rgb, "WEBP", lossless=True), False),
        (saved(rgb.convert("RGBA"), "WEBP", quality=90), True),
        (saved(rgb, "WEBP", quality=90, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"), True),
        (saved(grey, "PNG"), False),
        (saved(grey, "TIFF", compression="tiff_lzw"), False),
        (tiff(COLOURS[LABELS], compression="webp", photometric="rgb"), True),
    }
    for content, lossy in cases:
        (tmp_path / "mask").write_bytes(content)
        assert read_mask(tmp_path / "mask", Masks(read="auto", threshold=0), False, None).values.lossy == lossy


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(np.zeros((24, 20, 5), np.uint8), planarconfig="contig", photometric="minisblack"), "has 5 channels"),
        (png(np.zeros((24, 20, 3), np.uint16), 16, 2), "in colours of type uint16"),
        (tiff(np.zeros((3, 24, 20), np.uint8), photometric="minisblack", metadata=None), "holds 3 images"),
        (saved(Image.fromarray(LABELS), "GIF"), "is in GIF format"),
        (b"", "is empty"),
    ],
)
def test_files_that_are_not_masks_are_refused_with_the_reason(tmp_path, content, words):
    with pytest.raises(Unreadable, match=words):
        values_of(tmp_path, content)


def test_a_threshold_is_applied_to_rgb_of_single_bits(tmp_path):
    shape = np.zeros((24, 20), bool)
    shape[:, 11:] = True
    found, kind = values_of(
        tmp_path, tiff(np.stack([shape] * 3), photometric="rgb", planarconfig="separate"), threshold=128
    )
    np.testing.assert_array_equal(found, shape)
    assert kind == "foreground"
