"""Reading image files: every format and mode compared with another reader, EXIF orientation, channels, values."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from src.data.crops.normalise import Normalisation, pooled_moments
from src.data.reading.images import convert_channels, read_image
from src.data.reading.masks import read_mask
from src.data.reading.unreadable import Unreadable
from src.errors import UserError
from src.files import read_csv
from src.params import Masks
from tests.conftest import prepared
from tests.corpus import chunk, palette_image, pixels, png, saved, tiff

AUTO = Masks(read="auto", threshold=0)
COLOURS = [0, 0, 0, 200, 30, 90, 10, 220, 30, 255, 255, 255]


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def modes():
    """One image for each mode of Pillow, by name."""
    alpha = pixels(4, seed=2)
    return {
        "grey": Image.fromarray(pixels()),
        "rgb": Image.fromarray(pixels(3)),
        "rgba": Image.fromarray(alpha),
        "grey-alpha": Image.fromarray(alpha[..., :2].copy(), "LA"),
        "palette": palette_image((pixels() // 64).astype(np.uint8), COLOURS),
        "bits": Image.fromarray(pixels() > 70),
    }


FORMATS = {
    "PNG": ("grey", "rgb", "rgba", "grey-alpha", "palette", "bits"),
    "BMP": ("grey", "rgb", "rgba", "palette", "bits"),
    "TIFF": ("grey", "rgb", "rgba", "palette", "bits"),
    "WEBP": ("rgb", "rgba"),
}


@pytest.mark.parametrize(("format", "mode"), [(format, mode) for format, names in FORMATS.items() for mode in names])
def test_lossless_formats_give_the_pixels_that_were_saved(tmp_path, format, mode):
    image = modes()[mode]
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    path = written(tmp_path / "a.any", saved(image, format, **options))
    grey = mode in ("grey", "grey-alpha", "bits")
    wanted = np.array(image.convert("L") if grey else image.convert("RGB"))
    found = read_image(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, wanted.reshape(*wanted.shape[:2], -1))


@pytest.mark.parametrize("mode", ["grey", "rgb"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_jpeg_agrees_with_another_decoder(tmp_path, mode, options):
    path = written(tmp_path / "a.jpg", saved(modes()[mode], "JPEG", **options))
    theirs = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE if mode == "grey" else cv2.IMREAD_COLOR_RGB)
    found = read_image(path)
    np.testing.assert_allclose(found.astype(int), theirs.reshape(found.shape), atol=3)  # decoders may round differently


def test_lossy_webp_agrees_with_pillow(tmp_path):
    path = written(tmp_path / "a.webp", saved(modes()["rgb"], "WEBP", quality=70))
    np.testing.assert_allclose(read_image(path).astype(int), np.array(Image.open(path).convert("RGB")), atol=2)


@pytest.mark.parametrize("channels", [0, 3])
def test_png_of_16_bits_keeps_its_values(tmp_path, channels):
    image = pixels(*[channels][: channels > 0], dtype=np.uint16)
    path = written(tmp_path / "a.png", png(image, 16, 2 if channels else 0))
    found = read_image(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, image.reshape(found.shape))


def test_grey_with_alpha_of_16_bits_is_grey(tmp_path):
    image = pixels(2, dtype=np.uint16)
    np.testing.assert_array_equal(read_image(written(tmp_path / "a.png", png(image, 16, 4))), image[..., :1])


def test_interlacing_and_a_transparent_colour_do_not_change_png_pixels(tmp_path):
    grey = pixels()
    plain = read_image(written(tmp_path / "a.png", png(grey, 8, 0)))
    clear = png(grey, 8, 0, chunk(b"tRNS", bytes([0, grey[0, 0]])))
    np.testing.assert_array_equal(read_image(written(tmp_path / "b.png", clear)), plain)
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    lines = [line for row, left, down, across in adam7 for line in grey[row::down, left::across]]
    passes = b"".join(b"\0" + line.tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(passes)) + chunk(b"IEND", b"")
    interlaced = written(tmp_path / "c.png", b"\x89PNG\r\n\x1a\n" + parts)
    np.testing.assert_array_equal(read_image(interlaced), plain)


def test_broken_colour_profiles_and_text_change_nothing_and_print_nothing(tmp_path, capfd):
    extra = chunk(b"iCCP", b"bad\0\0garbage"), chunk(b"gAMA", b"\0\0\0\1"), chunk(b"tEXt", b"a\0b")
    path = written(tmp_path / "a.png", png(pixels(3), 8, 2, *extra))
    np.testing.assert_array_equal(read_image(path), pixels(3))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_returned_if_four_channels_are_requested(tmp_path, format):
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    path = written(tmp_path / "a", saved(modes()["rgba"], format, **options))
    np.testing.assert_array_equal(read_image(path, 4), np.array(modes()["rgba"]))
    np.testing.assert_array_equal(read_image(path, 3), np.array(modes()["rgba"])[..., :3])
    with pytest.raises(Unreadable, match=r"has 3 channel\(s\)"):
        read_image(written(tmp_path / "b", saved(modes()["rgb"], format, **options)), 4)


def test_the_unused_fourth_byte_of_a_32_bit_bmp_is_ignored(tmp_path):
    rows = np.dstack([pixels(3)[::-1, :, ::-1], np.zeros_like(pixels())]).tobytes()
    header = b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 20, 24, 1, 32, 0, len(rows), 0, 0, 0, 0)
    path = written(tmp_path / "a.bmp", header + rows)
    np.testing.assert_array_equal(read_image(path), pixels(3))
    labels = read_mask(path, AUTO, True, None)
    assert labels.values.kind == "colour"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_orientation_turns_image_and_mask_alike(tmp_path, format, orientation):
    array = (pixels() // 64 * 60).astype(np.uint8).repeat(2, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if format == "WEBP" else {}
    content = saved(Image.fromarray(array), format if format != "TIFF" else "PNG", exif=exif, **lossless)
    path = written(tmp_path / "a", content)
    wanted = np.array(ImageOps.exif_transpose(Image.open(path)).convert("L"))
    if format == "TIFF":  # Pillow does not apply the orientation of TIFF reliably
        written(path, tiff(array, extratags=[(0x0112, "H", 1, orientation, True)]))
    np.testing.assert_allclose(read_image(path)[..., 0].astype(int), wanted, atol=12 if format == "JPEG" else 0)
    labels = read_mask(path, Masks(read="auto", threshold=90), False, None)
    np.testing.assert_array_equal(labels.codes == labels.values.codes[1], wanted >= 90)


def test_exif_after_the_pixels_of_a_png_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = png(pixels(3), 8, 2)
    late = content[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + content[-12:]
    np.testing.assert_array_equal(read_image(written(tmp_path / "a.png", late)), np.rot90(pixels(3), -1))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_invalid_exif_orientation_is_ignored(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(tmp_path / "a.png", saved(modes()["rgb"], "PNG", exif=exif))
    np.testing.assert_array_equal(read_image(path), pixels(3))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_animations_are_refused(tmp_path, format):
    image = modes()["rgb"]
    path = written(tmp_path / "a", saved(image, format, save_all=True, append_images=[image.rotate(90)]))
    with pytest.raises(Unreadable, match="holds 2 images"):
        read_image(path)


def test_previews_and_trailing_bytes_of_a_jpeg_are_ignored(tmp_path):
    image = modes()["rgb"]
    several = saved(image, "MPO", save_all=True, append_images=[image.rotate(90)])
    plain = saved(image, "JPEG")
    np.testing.assert_array_equal(
        read_image(written(tmp_path / "a.jpg", several)), read_image(written(tmp_path / "b.jpg", plain + b"more"))
    )


def test_channels_are_repeated_averaged_or_dropped_as_requested():
    rgb, grey = pixels(3), pixels(1)
    np.testing.assert_array_equal(convert_channels(grey, 3), grey.repeat(3, axis=2))
    np.testing.assert_allclose(
        convert_channels(rgb, 1)[..., 0].astype(int), np.array(Image.fromarray(rgb).convert("L")), atol=1
    )
    deep = pixels(3, dtype=np.uint16)
    wanted = (deep @ np.array([0.299, 0.587, 0.114])).round()
    np.testing.assert_allclose(convert_channels(deep, 1)[..., 0], wanted, atol=1)
    np.testing.assert_array_equal(convert_channels(pixels(5), 2), pixels(5)[..., :2])
    assert (
        convert_channels(rgb, 0) is rgb
        and convert_channels(rgb, 3) is rgb
        and convert_channels(rgb, 1).dtype == np.uint8
    )
    with pytest.raises(Unreadable, match=r"has 3 channel\(s\)"):
        convert_channels(rgb, 4)


def data_set(folder, images):
    """Write images by name, each with a mask of two halves."""
    for name, content in images.items():
        written(folder / "images" / name, content)
        mask = np.zeros_like(pixels())
        mask[:, :7] = 1
        written(folder / "masks" / name.replace(name.rpartition(".")[2], "png"), png(mask, 8, 0))
    return folder


def test_images_whose_channels_or_number_type_differ_from_the_majority_are_listed(tmp_path):
    images = {f"{number}.png": saved(modes()["rgb"], "PNG") for number in range(5)}
    images |= {"grey.png": saved(modes()["grey"], "PNG"), "deep.png": png(pixels(3, dtype=np.uint16), 16, 2)}
    source = data_set(tmp_path / "set", images)
    with pytest.raises(UserError, match=r"2 problem\(s\)") as error:
        prepared(source, tmp_path)
    assert "'grey': the image has 1 channel(s), most have 3 → data.channels: 3" in str(error.value)
    assert "'deep': the image has uint16 as number type, most have uint8" in str(error.value)
    store = prepared(source, tmp_path / "skipped", on_error="skip")
    assert [record.id for record in store.records] == list("01234")
    (source / "images/deep.png").unlink()
    (source / "masks/deep.png").unlink()
    for channels in (1, 3):
        assert prepared(source, tmp_path / str(channels), channels=channels).channels == channels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int16])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_statistics_and_normalisation_agree_with_numpy_for_every_number_type(tmp_path, dtype, channels):
    arrays = [pixels(channels, dtype=np.int32, seed=seed) * 20 - 900 * (dtype == np.int16) for seed in range(3)]
    arrays = [(array // (40 if dtype == np.uint8 else 1)).astype(dtype) for array in arrays]
    images = {f"{n}.tif": tiff(array, photometric="minisblack") for n, array in enumerate(arrays)}
    if channels > 1:
        images = {
            f"{n}.tif": tiff(array, photometric="minisblack", planarconfig="contig") for n, array in enumerate(arrays)
        }
    store = prepared(data_set(tmp_path / "set", images), tmp_path)
    kept = dtype if dtype in (np.uint8, np.uint16) else np.float32
    assert store.dtype == kept and store.channels == channels
    for index, array in enumerate(arrays):
        np.testing.assert_array_equal(store.image(index), array)
    values = np.concatenate(arrays).reshape(-1, channels).astype(float)
    values = values if kept == np.float32 else np.sqrt(values)
    mean, std = pooled_moments(store.records)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-5)
    normalise = Normalisation.of_records(store.records)
    there = normalise(np.array(store.image(1)))
    assert abs(np.mean([normalise(np.array(store.image(index))) for index in range(3)])) < 1e-3
    np.testing.assert_allclose(normalise.undo(there, kept), arrays[1], atol=1 if kept != np.float32 else 1e-2)


def test_images_of_16_channels_are_stored_unchanged(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (300, 260, 16), np.uint8)
    written(tmp_path / "set/images/a.tif", tiff(image, photometric="minisblack", planarconfig="contig"))
    written(tmp_path / "set/masks/a.png", saved(Image.fromarray(image[..., 0] > 99), "PNG"))
    np.testing.assert_array_equal(prepared(tmp_path / "set", tmp_path).image(0), image)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -3.4028235e38])
def test_nan_infinite_and_absurdly_large_values_are_refused(tmp_path, value):
    image = pixels(dtype=np.float32)
    image[3, 4] = value
    source = data_set(tmp_path / "set", {"a.tif": tiff(image), "b.tif": tiff(pixels(dtype=np.float32))})
    with pytest.raises(UserError, match=r"1 problem.*\n  'a': the image holds NaN, infinite or absurdly large values"):
        prepared(source, tmp_path)
    assert len(prepared(source, tmp_path, on_error="skip")) == 1
    assert [row["file"] for row in read_csv(tmp_path / "checks.csv") if row["severity"] == "skipped"] == ["a"]
