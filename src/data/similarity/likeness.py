"""Four measures of the similarity of thumbnails. Each compares [a, SIDE, SIDE] with [b, SIDE, SIDE]: float32 [a, b]."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from src.data.similarity.spectrum import cosines
from src.data.similarity.thumbnails import SIDE, SURFACE

DETAIL = 12.0  # half-periods per image: lower frequencies are weakened, as in duplicates.py
LAYOUT = 8  # half-periods per image: lower frequencies are the layout of an image
OVERLAPS = (3, 4, 6, 8, 12, 16, 20, 24, 28)  # widths of an overlap, of SIDE pixels

Thumbnails = NDArray[np.float32]
Likeness = Callable[[Thumbnails, Thumbnails], NDArray[np.float32]]
_FREQUENCY = np.hypot(*np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
_SURFACE = np.linalg.qr(SURFACE)[0].astype(np.float32)


def standardised(thumbnails: Thumbnails) -> Thumbnails:
    """Remove uneven light, scale to one contrast, and subtract the mean thumbnail, which all images share.

    Args:
        thumbnails: float32 [n, SIDE, SIDE].
    """
    flat = thumbnails.reshape(len(thumbnails), -1)
    level = flat - (flat @ _SURFACE) @ _SURFACE.T
    scaled = level / np.maximum(level.std(axis=1, keepdims=True), 1e-6)
    return np.asarray(scaled - scaled.mean(axis=0), np.float32).reshape(thumbnails.shape)


def _detail(one: Thumbnails, other: Thumbnails) -> NDArray[np.float32]:
    weights = (1 - np.exp(-((_FREQUENCY / DETAIL) ** 2) / 2)).astype(np.float32)
    a, b = (_unit(_spectrum(thumbnails) * weights) for thumbnails in (one, other))
    return a @ b.T


def _layout(one: Thumbnails, other: Thumbnails) -> NDArray[np.float32]:
    a, b = (_unit(_spectrum(thumbnails) * (_FREQUENCY < LAYOUT)) for thumbnails in (one, other))
    return a @ b.T


def _edges(one: Thumbnails, other: Thumbnails) -> NDArray[np.float32]:
    return _shared(one, other, [1])


def _overlap(one: Thumbnails, other: Thumbnails) -> NDArray[np.float32]:
    return _shared(one, other, OVERLAPS)


def _shared(one: Thumbnails, other: Thumbnails, widths: Iterable[int]) -> NDArray[np.float32]:
    """Best correlation of a strip along a side of one with a strip along the opposite side of the other."""
    best = np.full((len(one), len(other)), -1, np.float32)
    for a, b in ((one, other), (one.transpose(0, 2, 1), other.transpose(0, 2, 1))):
        for width in widths:
            for strips in ((a[..., -width:], b[..., :width]), (a[..., :width], b[..., -width:])):
                first, second = (_unit(strip - strip.mean(axis=(1, 2), keepdims=True)) for strip in strips)
                best = np.maximum(best, first @ second.T)
    return best


def _spectrum(thumbnails: Thumbnails) -> NDArray[np.float32]:
    return np.asarray(cosines(SIDE, SIDE) @ thumbnails @ cosines(SIDE, SIDE).T)


def _unit(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, values], each of length 1, or 0."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


CONTENT: dict[str, Likeness] = {  # of frames and slices; the others are of tiles, and take longer
    "show the same details": _detail,
    "have a similar layout": _layout,
}
MEASURES: dict[str, Likeness] = CONTENT | {
    "have matching edges": _edges,
    "overlap": _overlap,
}
