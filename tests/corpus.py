"""Small image files of every format and mode, made from one seed, with the pixels that they hold."""

import struct
import tempfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 24, 20


class Sample(NamedTuple):
    """A file's name and content; checked: whether its format carries a checksum that covers the pixels."""

    name: str
    content: bytes
    checked: bool


def pixels(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> NDArray[Any]:
    """Noise on a slope, so that compression has something to do and every place differs."""
    rng = np.random.default_rng(seed)
    values = np.add.outer(np.arange(HEIGHT) * 4, np.arange(WIDTH) * 3).reshape(HEIGHT, WIDTH, *[1] * len(shape))
    noisy = values + rng.integers(0, 60, (HEIGHT, WIDTH, *shape))
    return (noisy * (200 if np.dtype(dtype) == np.uint16 else 1)).astype(dtype)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(array: NDArray[Any], bits: int, colour_type: int, *extra: bytes) -> bytes:
    """A PNG of the rows of `array` as they are to stand in the file, packed already if `bits` is below 8."""
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in array)
    width = array.shape[1] * 8 // bits if bits < 8 else array.shape[1]
    header = struct.pack(">IIBBBBB", width, len(array), bits, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """What Pillow makes of it."""
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def palette_image(values: NDArray[np.uint8], colours: list[int]) -> Image.Image:
    image = Image.fromarray(values)
    image.putpalette(colours)
    return image


def tiff(array: NDArray[Any], **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tif"
        tifffile.imwrite(path, array, **options)
        return path.read_bytes()


def corpus() -> Iterator[Sample]:
    """Every format and mode, a few hundred bytes each."""
    grey, rgb, alpha = pixels(), pixels(3, seed=1), pixels(4, seed=2)
    few = (grey // 64).astype(np.uint8)
    colours = [0, 0, 0, 200, 30, 90, 10, 220, 30, 255, 255, 255]
    modes = {"grey": grey, "rgb": rgb, "rgba": alpha}
    for name, array in modes.items():
        yield Sample(f"{name}.png", saved(Image.fromarray(array), "PNG"), True)
        yield Sample(f"{name}.webp", saved(Image.fromarray(array), "WEBP", lossless=True), False)
        yield Sample(f"{name}-lossy.webp", saved(Image.fromarray(array), "WEBP", quality=80), False)
        yield Sample(f"{name}.bmp", saved(Image.fromarray(array), "BMP"), False)
    yield Sample("palette.png", saved(palette_image(few, colours), "PNG"), True)
    yield Sample("palette.bmp", saved(palette_image(few, colours), "BMP"), False)
    yield Sample("bits.png", saved(Image.fromarray(grey > 70), "PNG"), True)
    yield Sample("grey-alpha.png", saved(Image.fromarray(alpha[..., :2].copy(), "LA"), "PNG"), True)
    yield Sample("grey16.png", cv2.imencode(".png", pixels(dtype=np.uint16))[1].tobytes(), True)
    yield Sample("rgb16.png", cv2.imencode(".png", pixels(3, dtype=np.uint16))[1].tobytes(), True)
    for name in ("grey", "rgb"):
        yield Sample(f"{name}.jpg", saved(Image.fromarray(modes[name]), "JPEG", quality=90), False)
    yield Sample("progressive.jpg", saved(Image.fromarray(rgb), "JPEG", progressive=True), False)
    for compression in (None, "deflate", "zstd", "lzw", "packbits", "lzma"):
        checked = compression in ("deflate", "lzma")  # zstd could, but is written without
        name = compression or "plain"
        yield Sample(f"grey-{name}.tif", tiff(grey, compression=compression, rowsperstrip=7), checked)
        yield Sample(f"rgb-{name}.tif", tiff(rgb, compression=compression, tile=(16, 16), photometric="rgb"), checked)
    yield Sample("float.tif", tiff(pixels(dtype=np.float32), compression="deflate", predictor=True), True)
    yield Sample("deep.tif", tiff(pixels(dtype=np.uint16), byteorder=">"), False)
    yield Sample("jpeg.tif", tiff(rgb, compression="jpeg", photometric="rgb"), False)
