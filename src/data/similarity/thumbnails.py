"""Small grey pictures of images: kept as text, and compared without what is filled in both.

`thumbnail` in filled.py makes them.
"""

import base64
from collections.abc import Iterable
from typing import Any

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
ROUGHLY = 0.5  # that of a quarter of the pixels, below which the rest need not be looked at

_ROWS, _COLUMNS = (grid.ravel() for grid in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
SURFACE = np.stack([np.ones(SIDE**2), _ROWS, _COLUMNS, _ROWS**2, _ROWS * _COLUMNS, _COLUMNS**2], axis=1)
Thumbnail = NDArray[np.float16]
Filled = NDArray[np.bool_]


def encode_thumbnail(values: Thumbnail) -> str:
    """A thumbnail as text, in steps of `LIMIT` / 127."""
    return base64.b64encode(np.round(values.astype(np.float32) * (127 / LIMIT)).astype(np.int8).tobytes()).decode()


def decode_thumbnails(texts: Iterable[str]) -> Thumbnail:
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
    every = np.s_[..., ::2, ::2]  # a quarter of the pixels rejects most
    same = _correlate(one[every], filled[every], others[every], fillings[every], ROUGHLY)
    chosen = np.flatnonzero(same)
    same[chosen] = _correlate(one, filled, others[chosen], fillings[chosen], SAME)
    for index in np.flatnonzero(same):
        left = ~(filled & fillings[index])
        if not _tells_nothing(left.mean()):
            same[index] = _levelled(one[left], others[index][left], SURFACE[left.ravel()]) >= SAME
    return same


def _correlate(
    one: Thumbnail, filled: Filled, others: NDArray[np.float16], fillings: NDArray[np.bool_], least: float
) -> NDArray[np.bool_]:
    """Which of `others` correlate with one by `least`, or cannot tell."""
    own, mine = one.ravel().astype(np.float32), filled.ravel()
    values, fill = others.reshape(-1, own.size).astype(np.float32), fillings.reshape(-1, own.size)
    # Sums over what is not filled in both: those over all, less those over what is.
    both = values * (fill & mine)
    inside = fill.astype(np.float32) @ np.stack([own * mine, own**2 * mine, mine], axis=1)
    number = np.maximum(own.size - inside[:, 2], 1)
    sums = own.sum() - inside[:, 0], values.sum(axis=1) - both.sum(axis=1)
    squares = (own**2).sum() - inside[:, 1], (values**2).sum(axis=1) - (both**2).sum(axis=1)
    lengths = [square - total**2 / number for square, total in zip(squares, sums, strict=True)]
    product = values @ own - both @ own - sums[0] * sums[1] / number
    alike = product >= least * np.sqrt(np.maximum(lengths[0] * lengths[1], 0))
    return np.asarray(alike | _tells_nothing(number / own.size))


def _tells_nothing(left: Any) -> Any:
    """Whether hardly an area is filled in both, or nearly all; left: share of what is not."""
    return (left > 1 - AREA) | (left < FEWEST)


def _levelled(a: Thumbnail, b: Thumbnail, surface: NDArray[np.float64]) -> float:
    """The correlation of two contents once a quadratic surface is taken from both; 1 if one is flat then."""
    content = np.stack([a, b], axis=1).astype(np.float64)
    content -= surface @ np.linalg.lstsq(surface, content, rcond=None)[0]
    length = float(np.prod(np.linalg.norm(content, axis=0)))
    return float(content[:, 0] @ content[:, 1]) / length if length > 0 else 1.0
