"""Four ways in which two thumbnails can be alike. Each takes [a, side, side] and [b, side, side] and gives [a, b]."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from src.data.similarity.spectrum import cosines
from src.data.similarity.thumbnails import SIDE, SURFACE

DETAIL = 12.0  # half-periods per image: below it frequencies are weakened, as in duplicates.py
LAYOUT = 8  # half-periods per image: below it is the layout of an image
OVERLAPS = (3, 4, 6, 8, 12, 16, 20, 24, 28)  # of SIDE pixels

Pictures = NDArray[np.float32]
Likeness = Callable[[Pictures, Pictures], NDArray[np.float32]]
_FREQUENCY = np.hypot(*np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
_UNEVEN = np.linalg.qr(SURFACE)[0].astype(np.float32)


def standardised(thumbnails: Pictures) -> Pictures:
    """Thumbnails without uneven light, of one contrast, less their mean: what all share says nothing."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    level = flat - (flat @ _UNEVEN) @ _UNEVEN.T
    scaled = level / np.maximum(level.std(axis=1, keepdims=True), 1e-6)
    return np.asarray(scaled - scaled.mean(axis=0), np.float32).reshape(thumbnails.shape)


def _detail(one: Pictures, other: Pictures) -> NDArray[np.float32]:
    weights = (1 - np.exp(-((_FREQUENCY / DETAIL) ** 2) / 2)).astype(np.float32)
    a, b = (_unit(_spectrum(pictures) * weights) for pictures in (one, other))
    return a @ b.T


def _layout(one: Pictures, other: Pictures) -> NDArray[np.float32]:
    a, b = (_unit(_spectrum(pictures) * (_FREQUENCY < LAYOUT)) for pictures in (one, other))
    return a @ b.T


def _edges(one: Pictures, other: Pictures) -> NDArray[np.float32]:
    return _shared(one, other, [1])


def _overlap(one: Pictures, other: Pictures) -> NDArray[np.float32]:
    return _shared(one, other, OVERLAPS)


def _shared(one: Pictures, other: Pictures, widths: Iterable[int]) -> NDArray[np.float32]:
    """The best correlation of a strip along a side of one with a strip along the opposite side of the other."""
    best = np.full((len(one), len(other)), -1, np.float32)
    for a, b in ((one, other), (one.transpose(0, 2, 1), other.transpose(0, 2, 1))):
        for width in widths:
            for strips in ((a[..., -width:], b[..., :width]), (a[..., :width], b[..., -width:])):
                first, second = (_unit(strip - strip.mean(axis=(1, 2), keepdims=True)) for strip in strips)
                best = np.maximum(best, first @ second.T)
    return best


def _spectrum(pictures: Pictures) -> NDArray[np.float32]:
    return np.asarray(cosines(SIDE, SIDE) @ pictures @ cosines(SIDE, SIDE).T)


def _unit(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """[number, values] of length 1 each, or 0."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


MEASURES: dict[str, Likeness] = {
    "show the same details": _detail,
    "have a similar layout": _layout,
    "have matching edges": _edges,
    "overlap": _overlap,
}
