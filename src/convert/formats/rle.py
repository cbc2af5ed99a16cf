"""Decodes COCO's run-length encoding (RLE), compressed (text) or not (list), and encodes pixels as run lengths.

It holds the lengths of the runs outside and inside a shape, in turn. pycocotools decodes it, too. This module avoids a
compiled dependency, and says what is wrong with a damaged text; tests compare it with texts that pycocotools wrote.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from src.convert.problems import Refused
from src.errors import quoted

REMEDY = "export it again"
MOST_BITS = 60  # of a run's length; no picture needs more


def read_rle(content: Mapping[str, object], height: int, width: int) -> NDArray[np.int64]:
    """Read the run lengths of a segmentation.

    Args:
        content: The segmentation, with `counts` and `size` (height, width).
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        The run lengths, int64 [runs]; their sum is `height` × `width`, and none is negative.

    Raises:
        Refused: The sizes differ, or the encoding is damaged.
    """
    if content.get("size") != [height, width]:
        raise Refused(f"its RLE is of size {quoted(content.get('size'))}, the image [{height}, {width}]", REMEDY)
    counts = content.get("counts")
    runs = _decompress(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise Refused("its RLE holds no run lengths", REMEDY)
    if sum(runs) != height * width:
        raise Refused(f"its RLE covers {sum(runs)} pixels, the image has {height * width}", REMEDY)
    return np.array(runs, np.int64)


def runs_of(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Encode pixels as COCO's run lengths, the inverse of `regions.fill_runs`.

    Args:
        inside: Which pixels belong to the shape, bool [height, width].

    Returns:
        Lengths of the runs outside and inside the shape in turn, down the columns from the left, int64 [runs].
    """
    flat = inside.ravel(order="F")
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    counts = np.diff(ends, prepend=0)
    return np.concatenate([[0], counts]) if flat[:1].any() else counts


def _decompress(text: str) -> list[int]:
    """Decode the compressed text, as pycocotools writes it.

    A character holds 48 + 5 bits of a number + 32 if more bits follow. The lowest bits come first, and the last 5 bits
    are signed. From the fourth number on, the difference to the number before the previous one is stored.
    """
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > MOST_BITS:
            raise Refused("its RLE is damaged", REMEDY)
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    if bits:
        raise Refused("its RLE is cut off", REMEDY)
    return runs
