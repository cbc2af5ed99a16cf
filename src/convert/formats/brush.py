"""Decodes the run-length encoding (RLE) of Label Studio's brush masks.

Label Studio stores the red, green, blue and alpha value of each pixel, row by row, packed as a stream of bits (package
rle-pack of thi.ng). label-studio-converter decodes it, too, but needs pycocotools and Label Studio's SDK. This module
says what is wrong with a damaged stream; tests compare it with streams that label-studio-converter wrote.
"""

import numpy as np
from numpy.typing import NDArray

from src.convert.formats.rle import runs_of
from src.convert.problems import Refused

CHANNELS = 4  # red, green, blue, alpha
WORD = 8  # bits of a value
REMEDY = "export it again"


def read_brush(content: object, height: int, width: int) -> NDArray[np.int64]:
    """Read the pixels of a brush mask. A pixel belongs to it if its alpha is above 0.

    Args:
        content: The stream, a list of bytes (0 … 255).
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        Run lengths in the order of COCO, int64 [runs], for `fill_runs`.

    Raises:
        Refused: The stream is damaged, or of an image of another size.
    """
    try:
        data = bytes(content) if isinstance(content, list) else b""
    except (TypeError, ValueError):  # not whole numbers, or not from 0 to 255
        data = b""
    if not data:
        raise Refused("its brush mask is not a list of bytes", REMEDY)
    values = _decode(_Bits(data), height * width * CHANNELS)
    return runs_of(values[CHANNELS - 1 :: CHANNELS].reshape(height, width) > 0)


class _Bits:
    """Reads whole numbers from a stream of bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, bits: int) -> int:
        """The next number of so many bits."""
        first, end = self.at // 8, self._advance(bits)
        last = (end + 7) // 8
        return int.from_bytes(self.data[first:last]) >> (8 * last - end) & ((1 << bits) - 1)

    def words(self, count: int) -> NDArray[np.uint8]:
        """The next numbers of `WORD` bits, uint8 [count]."""
        start, end = self.at, self._advance(count * WORD)
        block = np.frombuffer(self.data, np.uint8, (end + 7) // 8 - start // 8, start // 8)
        bits = np.unpackbits(block)[start % 8 : start % 8 + count * WORD]
        return np.packbits(bits)

    def _advance(self, bits: int) -> int:
        self.at += bits
        if self.at > 8 * len(self.data):
            raise Refused("its brush mask is cut off", REMEDY)
        return self.at


def _decode(bits: _Bits, expected: int) -> NDArray[np.uint8]:
    """Decode all values. Each block holds one value for several places, or a value for each of several places."""
    total, word = bits.read(32), bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]  # the widths that a block's length may have, in bits
    if total != expected:
        pixels, needed = total / CHANNELS, expected // CHANNELS
        raise Refused(f"its brush mask covers {pixels:g} pixels, the image has {needed}", "use the annotated image")
    if word != WORD:
        raise Refused(f"its brush mask has values of {word} bits, not {WORD}", REMEDY)
    values, at = np.zeros(total, np.uint8), 0
    while at < total:
        repeated = bits.read(1)
        end = at + 1 + bits.read(sizes[bits.read(2)])
        if end > total:
            raise Refused("its brush mask is damaged: a run ends after the last pixel", REMEDY)
        values[at:end] = bits.read(WORD) if repeated else bits.words(end - at)
        at = end
    return values
