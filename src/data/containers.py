"""What PNG and WebP files say beside their pixels, read from their parts without decoding anything."""

import struct
import zlib
from collections.abc import Iterator

from src.data.unreadable import Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
OF_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


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
