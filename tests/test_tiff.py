"""Reading TIFF: number types, channels, strips and tiles, compression; as a whole and in bands."""

import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.reading import tiff
from src.data.reading.images import read_image
from src.data.reading.masks import read_mask
from src.data.reading.unreadable import Unreadable
from src.params import Masks
from tests.corpus import pixels

AUTO = Masks(read="auto", threshold=0)
LAYOUTS = {"one strip": {"rowsperstrip": 24}, "strips": {"rowsperstrip": 7}, "tiles": {"tile": (16, 16)}}
TYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


@pytest.fixture(params=["whole", "in bands"])
def way(request, monkeypatch):
    """Run each test twice: reading into memory, and in bands to a memory map."""
    if request.param == "in bands":
        monkeypatch.setattr(tiff, "LARGE_IMAGE_PIXELS", 10)
    return request.param


def as_read(array):
    array = array.reshape(*array.shape[:2], -1)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32)


def check(path, wanted, channels=0):
    found, wanted = read_image(path, channels), as_read(wanted)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_number_type_byte_order_and_predictor_is_read(tmp_path, way, dtype, layout):
    values = pixels() / 3 - (0 if dtype.startswith("uint") else 20)
    array = values.astype(dtype) if dtype != "bool" else pixels() > 70
    for compression, predictor, order in [(None, False, ">"), ("deflate", True, "<"), ("deflate", False, ">")]:
        options = {"predictor": predictor and dtype != "bool", "compression": compression, "byteorder": order}
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", **LAYOUTS[layout], **options)
        check(tmp_path / "a.tif", array)


@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_whole_numbers_that_float32_would_round_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", np.full((40, 40), 2**24, dtype), photometric="minisblack")
    assert read_image(tmp_path / "a.tif").max() == 2**24
    tifffile.imwrite(tmp_path / "a.tif", np.full((40, 40), 2**24 + 1, dtype), photometric="minisblack")
    with pytest.raises(Unreadable, match="which float32 would round"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_channels_first_last_and_as_pages_give_the_same_image(tmp_path, way, channels, layout, compression):
    array = pixels(channels, dtype=np.uint16)
    options = LAYOUTS[layout] | {"compression": compression, "photometric": "rgb" if channels == 3 else "minisblack"}
    path = tmp_path / "a.tif"
    if channels == 1:
        tifffile.imwrite(path, array[..., 0], **options)
        return check(path, array)
    tifffile.imwrite(path, array, planarconfig="contig", **options)
    check(path, array)
    tifffile.imwrite(path, np.moveaxis(array, -1, 0).copy(), planarconfig="separate", **options)
    check(path, array)
    first = np.moveaxis(array, -1, 0).copy()
    tifffile.imwrite(path, first, **options | {"photometric": "minisblack", "metadata": None})
    check(path, array, channels)
    with pytest.raises(Unreadable, match=f"holds {channels} images"):
        read_image(path)
    return None


@pytest.mark.parametrize("kind", [{"bigtiff": True}, {"imagej": True}, {"ome": True}, {"metadata": None}])
def test_bigtiff_imagej_and_ome_are_read(tmp_path, way, kind):
    tifffile.imwrite(tmp_path / "a.tif", pixels(), **kind)
    check(tmp_path / "a.tif", pixels())
    first = np.moveaxis(pixels(2, dtype=np.uint16), -1, 0).copy()
    if "imagej" in kind or "ome" in kind:
        tifffile.imwrite(tmp_path / "a.tif", first, metadata={"axes": "CYX"}, **kind)
        check(tmp_path / "a.tif", pixels(2, dtype=np.uint16))
        tifffile.imwrite(tmp_path / "a.tif", first, metadata={"axes": "ZYX"}, **kind)
        with pytest.raises(Unreadable, match="holds 2 images"):
            read_image(tmp_path / "a.tif")


def test_white_as_zero_is_inverted_for_any_number_of_bits(tmp_path, way):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels(), photometric="miniswhite")
    check(path, 255 - pixels())
    tifffile.imwrite(path, pixels() > 70, photometric="miniswhite")
    check(path, pixels() <= 70)
    nibbles = (pixels() // 16).astype(np.uint8)
    packed = (nibbles[:, ::2] << 4 | nibbles[:, 1::2]).tobytes()
    for photometric, wanted in ((0, 15 - nibbles), (1, nibbles)):
        path.write_bytes(few_bits(packed, 4, photometric))
        check(path, wanted)


def few_bits(data, bits, photometric, count=None, height=24, width=20):
    """A TIFF of one strip, tag by tag."""
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(data) if count is None else count)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(data)
    return b"II*\0" + struct.pack("<I", start) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_palettes_become_colours_and_alpha_is_dropped_but_a_fourth_channel_kept(tmp_path, way):
    path = tmp_path / "a.tif"
    colours = np.random.default_rng(0).integers(0, 2**16, (3, 256), np.uint16)
    tifffile.imwrite(path, pixels(), photometric="palette", colormap=colours)
    check(path, (colours.T >> 8).astype(np.uint8)[pixels()])
    labels = read_mask(path, AUTO, False, None)
    assert labels.values.kind == "grey"
    np.testing.assert_array_equal(labels.codes, pixels())
    tifffile.imwrite(path, pixels(4), photometric="rgb", extrasamples=["unassalpha"])
    check(path, pixels(4)[..., :3])
    check(path, pixels(4), channels=4)
    tifffile.imwrite(path, pixels(4), photometric="rgb", extrasamples=["unspecified"])
    check(path, pixels(4))
    tifffile.imwrite(path, pixels(4), photometric="separated")
    with pytest.raises(Unreadable, match="in the colour space CMYK"):
        read_image(path)


def test_reduced_copies_and_transparency_masks_are_ignored(tmp_path, way):
    image, path = pixels(3), tmp_path / "a.tif"
    for second, kind in ((image[::2, ::2], 1), (image[..., 0] > 70, 4)):
        with tifffile.TiffWriter(path) as file:
            file.write(image, photometric="rgb", metadata=None)
            file.write(second, photometric="rgb" if kind == 1 else "mask", subfiletype=kind, metadata=None)
        check(path, image)
    with tifffile.TiffWriter(path) as file:
        file.write(image, photometric="rgb", subifds=1)
        file.write(image[::2, ::2], photometric="rgb", subfiletype=1)
    check(path, image)


@pytest.mark.parametrize("nodata", [None, 7])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_missing_tiles_are_filled_with_nodata_or_zero(tmp_path, way, nodata, compression):
    path, image = tmp_path / "a.tif", pixels()
    tag = [(42113, "s", 0, str(nodata), True)] if nodata else None
    tifffile.imwrite(path, image, tile=(16, 16), compression=compression, metadata=None, extratags=tag)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for code in (324, 325):
            values = list(file.pages[0].tags[code].value)
            file.pages[0].tags[code].overwrite([values[0], 0, *values[2:]])
    image[:16, 16:] = nodata or 0
    check(path, image)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_compression_is_read_and_marked_as_lossy(tmp_path, way, mode):
    path = tmp_path / "a.tif"
    image = Image.fromarray(cv2.GaussianBlur(pixels(3), (7, 7), 0)).convert(mode)
    image.save(path, compression="jpeg")
    theirs = np.array(Image.open(path)).reshape(24, 20, -1)
    np.testing.assert_allclose(read_image(path).astype(int), theirs, atol=4)
    assert read_mask(path, AUTO, False, None).values.lossy
    assert not read_mask(path, Masks(read="auto", threshold=9), False, None).values.lossy


def test_headers_that_promise_more_pixels_than_the_file_holds_are_refused(tmp_path, way):
    path, data = tmp_path / "a.tif", pixels().tobytes()
    path.write_bytes(few_bits(data, 8, 1))
    check(path, pixels())
    for content in (
        few_bits(data, 8, 1, height=60000, width=60000),
        few_bits(data, 8, 1, height=25),
        few_bits(data, 8, 1, count=10**6),
        few_bits(data, 8, 1)[:200],
        few_bits(data, 8, 1, height=2**31, width=2**31),
    ):
        path.write_bytes(content)
        with pytest.raises(Unreadable):
            read_image(path)
    tifffile.imwrite(path, pixels(), tile=(16, 16), compression="deflate")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for code in (322, 323):
            file.pages[0].tags[code].overwrite(2**15)
    with pytest.raises(Unreadable, match="32768 × 32768 pixels"):
        read_image(path)


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels().astype(np.complex64))
    with pytest.raises(Unreadable, match="unusual type"):
        read_image(tmp_path / "a.tif")
