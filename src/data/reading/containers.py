"""Chunks of PNG and WebP files, and the kind of a file that is not an image. Nothing is decoded."""

import struct
import zlib
from collections.abc import Iterator

from src.data.reading.unreadable import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CONVERT = "save it as PNG, TIFF, JPEG, WebP or BMP"
OTHERS = (  # files found in place of images: their first bytes in lower case, what they are, what to do
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself", "git lfs pull"),
    (b"<!doctype html", "is a web page, not an image", "download it again: the page may say why it failed"),
    (b"<html", "is a web page, not an image", "download it again: the page may say why it failed"),
    (b"<svg", "is a drawing (SVG), not an image of pixels", CONVERT),
    (b"<?xml", "is XML, not an image of pixels", CONVERT),
    (b"gif8", "is in GIF format", CONVERT),
    (b"8bps", "is a Photoshop document", CONVERT),
    (b"%pdf", "is a PDF", CONVERT),
    (b"pk\x03\x04", "is a ZIP archive", "unpack it"),
    (b"\x93numpy", "is a NumPy array", CONVERT),
    (b"\x89hdf", "is an HDF5 file", CONVERT),
    (b"matlab", "is a MATLAB file", CONVERT),
    (b"\x1f\x8b", "is compressed with gzip", "unpack it"),
    (b"\xff\x4f\xff\x51", "is in JPEG 2000 format", CONVERT),
    (b"\x00\x00\x00\x0cjp  ", "is in JPEG 2000 format", CONVERT),
    (b"dicm", "is a DICOM file", CONVERT),
)
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def not_an_image(data: bytes) -> Unreadable:
    """Describe a file that is not a readable image: what it is by its bytes, and what to do."""
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what, setting in OTHERS:
        if start.startswith(beginning) or data.startswith(beginning):
            return Unreadable(what, setting)
    if b"annex/objects/" in data[:300]:  # folders precede it where Git wrote a link as text
        return Unreadable("is a pointer of git-annex, not the file itself", "git annex get")
    if data[4:8] == b"ftyp":
        return Unreadable(f"is in HEIC, AVIF or a video format ({data[8:12].decode('ascii', 'replace')})", CONVERT)
    if not data.strip(b"\0"):
        return Unreadable(
            "is empty" if not data else "cannot be read as an image: it holds nothing but zeros",
            "restore it from its source",
        )
    if _text(data):
        return Unreadable(
            "cannot be read as an image: it is text",
            "open it: a failed download may say why; download it again",
        )
    return Unreadable("cannot be read as an image", CONVERT)


def _text(data: bytes) -> bool:
    """Return whether the file begins with text only, as an error page of a server does."""
    try:
        beginning = data[:256].decode("utf-8", "strict" if len(data) <= 256 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in beginning)


def open_png(data: bytes) -> tuple[bytes, bytes | None]:
    """Drop the metadata chunks of a PNG, about which libpng would print warnings.

    Returns:
        The PNG with the chunks that define its pixels, and the EXIF data, None if it has none.

    Raises:
        Unreadable: A chunk is damaged or missing.
    """
    chunks = list(_png_chunks(data))
    exif = next((bytes(chunk[8:-4]) for name, chunk in chunks if name == b"eXIf"), None)
    if all(name in PIXEL_CHUNKS for name, _ in chunks):
        return data, exif
    return SIGNATURE + b"".join(chunk for name, chunk in chunks if name in PIXEL_CHUNKS), exif


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and bytes of every chunk. The checksums are compared, so that the message can name the damaged chunk."""
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        try:
            (length,) = struct.unpack_from(">I", data, position)
            (stored,) = struct.unpack_from(">I", data, position + 8 + length)
        except struct.error:
            raise Unreadable("is cut off", "save it again, or restore it from its source") from None
        name = data[position + 4 : position + 8]
        chunk = memoryview(data)[position : position + 12 + length]
        if zlib.crc32(chunk[4:-4]) != stored:
            what = f"is damaged: the checksum of its chunk {name.decode('ascii', 'replace')!r} is wrong"
            raise Unreadable(what, "save it again, or restore it from its source")
        yield name, chunk
        position += len(chunk)


def webp_is_lossy(data: bytes) -> bool:
    """Return whether a WebP stores its pixels in a chunk `VP8 ` (lossy), not `VP8L` (lossless)."""
    position = 12
    while position + 8 <= len(data):
        if data[position : position + 4] == b"VP8 ":
            return True
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + length % 2
    return False
