"""Reads the arrays of numbers in a MATLAB file of version 5 to 7 ("MAT-File Format", MathWorks).

SciPy reads such files, too, but trusts the type numbers in them: a damaged file can end the process (SciPy 1.17). This
module reads full arrays of real numbers only, and checks every number that leads to another place in the file.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.convert.formats.arrays.stored import Numbers, Stored
from src.convert.problems import Refused
from src.data.reading.unreadable import MAX_FILE_BYTES

HEADER = 128  # bytes before the first variable; the last two tell the byte order
ORDERS = {b"IM": "<", b"MI": ">"}
MATRIX, COMPRESSED, DIMENSIONS, FLAGS, NAMES = 14, 15, 5, 6, {1, 2, 16}  # types of elements
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = range(6, 16)  # double, single and whole numbers; below: cells, structures, texts, sparse arrays
COMPLEX = 0x800  # of the flags
HEAD = 2**12  # bytes that hold the tags, the shape and the name of a variable
MOST_SIDES = 32
REMEDY = "save it again, with save -v7"


@dataclass(frozen=True)
class _Element:
    """A part of a file: its type, and where its bytes begin, end and are followed by the next part."""

    type: int
    start: int
    end: int
    following: int


def stored_matlab(path: Path) -> dict[str, Stored]:
    """Find the arrays of real numbers in a MATLAB file.

    Args:
        path: The file.

    Returns:
        Name → array. Its values are read when they are asked for, and may raise `Refused`.

    Raises:
        Refused: The file is too large, damaged, or of another version.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Refused(f"has more than {MAX_FILE_BYTES} bytes", "save each mask in a file of its own")
    data = path.read_bytes()
    order = ORDERS.get(data[HEADER - 2 : HEADER])
    if order is None:
        raise Refused("is not a MATLAB file of version 5 or later", REMEDY)
    found: dict[str, Stored] = {}
    for matrix in _matrices(data, order):
        if (named := matrix.described()) is not None:
            found[named[0]] = Stored(named[1], matrix.read)
    return found


def _matrices(data: bytes, order: str) -> Iterator["_Matrix"]:
    """The variables of a file."""
    at = HEADER
    while at < len(data):
        element = _element(data, at, order)
        if element.end > len(data):
            raise Refused("is cut off", REMEDY)
        if element.type == COMPRESSED:
            yield _Matrix(data, element.start, element.end, order, compressed=True)
            at = element.end  # these elements are not padded
        else:
            if element.type == MATRIX:
                yield _Matrix(data, at, element.end, order)
            at = element.following


@dataclass(frozen=True)
class _Matrix:
    """A variable: the bytes from `start` to `end` of the file, `compressed` or not."""

    data: bytes
    start: int
    end: int
    order: str
    compressed: bool = False

    def described(self) -> tuple[str, tuple[int, ...]] | None:
        """The name and the shape; None if it is not a full array of real numbers."""
        head = self._bytes(HEAD)
        outer = _element(head, 0, self.order)
        flags = _element(head, outer.start, self.order)
        if outer.type != MATRIX or flags.type != FLAGS or flags.end - flags.start != 8:
            raise Refused("is damaged", REMEDY)
        (kind,) = struct.unpack_from(f"{self.order}I", _within(head, flags))
        if kind & 0xFF not in CLASSES or kind & COMPLEX:
            return None
        dimensions = _element(head, flags.following, self.order)
        name = _element(head, dimensions.following, self.order)
        sides = (dimensions.end - dimensions.start) // 4
        if dimensions.type != DIMENSIONS or name.type not in NAMES or not 0 < sides <= MOST_SIDES:
            raise Refused("is damaged", REMEDY)
        shape = struct.unpack_from(f"{self.order}{sides}i", _within(head, dimensions))
        if min(shape) < 0:
            raise Refused("is damaged: an array has a negative size", REMEDY)
        return _within(head, name).decode("utf-8", "replace"), shape

    def read(self) -> Numbers:
        """The values, [rows, columns, …]. Raises `Refused` if they do not fit the shape."""
        described = self.described()
        assert described is not None  # only such variables are offered
        head, at = self._bytes(HEAD), 8
        for _ in range(3):  # flags, shape, name
            at = _element(head, at, self.order).following
        values, (_, shape) = _element(head, at, self.order), described
        dtype = np.dtype(self.order + TYPES.get(values.type, "u1"))
        if values.type not in TYPES or values.end - values.start != math.prod(shape) * dtype.itemsize:
            raise Refused("is damaged: an array has another size than it states", REMEDY)
        content = self._bytes(values.end)
        if len(content) < values.end:
            raise Refused("is cut off", REMEDY)
        flat = np.frombuffer(content, dtype, math.prod(shape), values.start)
        return flat.astype(dtype.newbyteorder("=")).reshape(shape, order="F")

    def _bytes(self, most: int) -> bytes:
        """The first bytes, uncompressed."""
        if self.compressed:
            return zlib.decompressobj().decompress(self.data[self.start : self.end], most)
        return self.data[self.start : min(self.start + most, self.end)]


def _element(data: bytes, at: int, order: str) -> _Element:
    """The element at a place. Up to 4 bytes are in the tag itself; others are padded to a multiple of 8."""
    if at + 8 > len(data):
        raise Refused("is cut off", REMEDY)
    first, size = struct.unpack_from(f"{order}II", data, at)
    if small := first >> 16:
        if small > 4:
            raise Refused("is damaged", REMEDY)
        return _Element(first & 0xFFFF, at + 4, at + 4 + small, at + 8)
    return _Element(first, at + 8, at + 8 + size, at + 8 + -(-size // 8) * 8)


def _within(data: bytes, element: _Element) -> bytes:
    """The bytes of an element."""
    if element.end > len(data):
        raise Refused("is cut off", REMEDY)
    return data[element.start : element.end]
