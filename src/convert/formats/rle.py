"""COCO's run-length encoding, compressed (text) or not (a list): how long the runs outside and inside are, in turn.

pycocotools decodes it too. These few lines spare a compiled requirement, and say what is wrong with a damaged text; the
tests hold them against texts that it wrote.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.convert.problems import Refused
from src.errors import quoted

REMEDY = "export it again"
MOST_BITS = 60  # of a run's length; no picture needs more


def read_rle(content: dict[str, Any], height: int, width: int) -> NDArray[np.int64]:
    """The run lengths of a `segmentation` with `counts` and `size` (height, width), int64 [runs].

    Raises `Refused` unless they add up to the pixels of the picture and none is negative.
    """
    if content.get("size") != [height, width]:
        raise Refused(f"its RLE is of size {quoted(content.get('size'))}, the picture [{height}, {width}]", REMEDY)
    counts = content.get("counts")
    runs = _decompress(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise Refused("its RLE holds no run lengths", REMEDY)
    if sum(runs) != height * width:
        raise Refused(f"its RLE covers {sum(runs)} pixels, the picture has {height * width}", REMEDY)
    return np.array(runs, np.int64)


def _decompress(text: str) -> list[int]:
    """The numbers in the text: 5 bits a character, lowest first, 32 for "more", 48 added; the last 5 bits are signed.

    From the fourth on, a number is the difference to the last but one.
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
