"""Small grey pictures of images: kept as text, and compared without what is filled in both.

`thumbnail` in filled.py makes them.
"""

import base64
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels of a thumbnail's side
LIMIT = 3.0  # standard deviations: a filled area must not outweigh the content
AREA = 0.02  # share of an image that an area covers, if it is to count
FEWEST = 0.1  # share of a thumbnail that makes a content
# Of pairs whose fingerprints are alike by a frame, the contents correlate by up to 0.26 (no data), 0.37 (made round
# fields of view) and 0.80 (retinas, whose fingerprints stay below NEAR). Copies changed as in duplicates.py reach SAME
# in all cases (nuclei, retinas, street scenes) but 2 of 57: map tiles whose dark sea more contrast turns black.
SAME = 0.8

_ROWS, _COLUMNS = (grid.ravel() for grid in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
SURFACE = np.stack([np.ones(SIDE**2), _ROWS, _COLUMNS, _ROWS**2, _ROWS * _COLUMNS, _COLUMNS**2], axis=1)
Thumbnail = NDArray[np.float16]
Filled = NDArray[np.bool_]


def encoded(values: Thumbnail) -> str:
    """A thumbnail as text, in steps of `LIMIT` / 127."""
    return base64.b64encode(np.round(values.astype(np.float32) * (127 / LIMIT)).astype(np.int8).tobytes()).decode()


def decoded(texts: Iterable[str]) -> Thumbnail:
    """[number, SIDE, SIDE] from the texts of thumbnails; zeros for an empty text."""
    empty = bytes(SIDE * SIDE)
    content = b"".join(base64.b64decode(text) if text else empty for text in texts)
    steps = np.frombuffer(content, np.int8).reshape(-1, SIDE, SIDE)
    return (steps * np.float32(LIMIT / 127)).astype(np.float16)


def same_content(
    one: Thumbnail, filled: Filled, others: NDArray[np.float16], fillings: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of `others` an image may be a near duplicate of, judged by the pixels that are not filled in both.

    one, filled: of the image; others, fillings: [number, SIDE, SIDE]. The contents must correlate by `SAME`, also once
    uneven light is taken from them. True where hardly an area is filled in both, or nearly all: then there is nothing
    to leave out, or too little left to compare.
    """
    left = ~(filled & fillings).reshape(len(others), -1)
    number = left.sum(axis=1)
    unknown = (number > (1 - AREA) * left.shape[1]) | (number < FEWEST * left.shape[1])
    a, b = (
        np.where(left, one.ravel(), 0).astype(np.float64),
        np.where(left, others.reshape(left.shape), 0).astype(float),
    )
    number = np.maximum(number, 1)
    product = (a * b).sum(axis=1) - a.sum(axis=1) * b.sum(axis=1) / number
    lengths = [(c * c).sum(axis=1) - c.sum(axis=1) ** 2 / number for c in (a, b)]
    same = unknown | (product >= SAME * np.sqrt(np.maximum(lengths[0] * lengths[1], 0)))
    for index in np.flatnonzero(same & ~unknown):
        same[index] = _levelled(a[index], b[index], left[index]) >= SAME
    return same


def _levelled(a: NDArray[np.float64], b: NDArray[np.float64], left: Filled) -> float:
    """The correlation at the pixels `left` once a quadratic surface is taken from both; 1 if one is flat then."""
    surface = SURFACE[left]
    content = np.stack([a[left], b[left]], axis=1)
    content -= surface @ np.linalg.lstsq(surface, content, rcond=None)[0]
    length = float(np.prod(np.linalg.norm(content, axis=0)))
    return float(content[:, 0] @ content[:, 1]) / length if length > 0 else 1.0
