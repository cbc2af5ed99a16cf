"""What PNG and WebP files say beside their pixels, read from their parts without decoding anything."""

import struct
import zlib
from collections.abc import Iterator

from src.data.reading.unreadable import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CONVERT = "save it as PNG, TIFF, JPEG, WebP or BMP"
OTHERS = (  # how files begin that are found in place of images, in lower case; what they are; what helps
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
OF_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def not_an_image(data: bytes) -> Unreadable:
    """What the bytes of a file are instead of an image that can be read, and what helps."""
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what, setting in OTHERS:
        if start.startswith(beginning) or data.startswith(beginning):
            return Unreadable(what, setting)
    if b"annex/objects/" in data[:300]:  # a link that Git wrote as text has folders before it
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
            "cannot be read as an image: it is text", "look into it: a failed download may say why; download it again"
        )
    return Unreadable("cannot be read as an image", CONVERT)


def _text(data: bytes) -> bool:
    """Whether the file begins with nothing but letters, as a message of a server."""
    try:
        beginning = data[:256].decode("utf-8", "strict" if len(data) <= 256 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in beginning)


def open_png(data: bytes) -> tuple[bytes, bytes | None]:
    """The PNG without what does not make its pixels, which libpng would have remarks on; and its EXIF, if any.

    Raises `Unreadable` if a part is damaged or missing.
    """
    parts = list(_png_parts(data))
    exif = next((bytes(part[8:-4]) for name, part in parts if name == b"eXIf"), None)
    if all(name in OF_PIXELS for name, _ in parts):
        return data, exif
    return SIGNATURE + b"".join(part for name, part in parts if name in OF_PIXELS), exif


def _png_parts(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and whole of every part (chunk), its checksum compared, so that damage gets a name."""
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        try:
            (length,) = struct.unpack_from(">I", data, position)
            (stored,) = struct.unpack_from(">I", data, position + 8 + length)
        except struct.error:
            raise Unreadable("is cut off", "save it again, or restore it from its source") from None
        name = data[position + 4 : position + 8]
        part = memoryview(data)[position : position + 12 + length]
        if zlib.crc32(part[4:-4]) != stored:
            what = f"is damaged: the checksum of its part {name.decode('ascii', 'replace')!r} is wrong"
            raise Unreadable(what, "save it again, or restore it from its source")
        yield name, part
        position += len(part)


def webp_is_lossy(data: bytes) -> bool:
    """Whether a WebP's pixels are in a part `VP8 `, not `VP8L`."""
    position = 12
    while position + 8 <= len(data):
        if data[position : position + 4] == b"VP8 ":
            return True
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + length % 2
    return False
