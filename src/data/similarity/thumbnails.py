"""Compare small grey images without the areas that are filled in both, and store them as text.

`thumbnail` in filled.py makes them.
"""

import base64
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels of a thumbnail's sides
LIMIT = 3.0  # standard deviations at which values are clipped, so that a filled area does not outweigh the content
MIN_AREA = 0.02  # share of an image that an area must cover to count
MIN_CONTENT = 0.1  # share of a thumbnail that must not be filled to be compared
# Contents of different images whose fingerprints are similar because of a frame correlate by up to 0.26 (no data), 0.37
# (synthetic round fields of view) and 0.80 (retinas, whose fingerprints stay below NEAR). Copies changed as in
# duplicates.py reach SAME in all cases (nuclei, retinas, street scenes) but 2 of 57: map tiles whose dark sea turns
# black with more contrast.
SAME = 0.8
ROUGHLY_SAME = 0.5  # correlation of a quarter of the pixels below which the other pixels are not compared

_ROWS, _COLUMNS = (grid.ravel() for grid in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
SURFACE = np.stack([np.ones(SIDE**2), _ROWS, _COLUMNS, _ROWS**2, _ROWS * _COLUMNS, _COLUMNS**2], axis=1)
Thumbnail = NDArray[np.float16]  # [SIDE, SIDE]
Filled = NDArray[np.bool_]  # [SIDE, SIDE]


def encode_thumbnail(values: Thumbnail) -> str:
    """Write a thumbnail as text, one byte per pixel in steps of `LIMIT` / 127."""
    return base64.b64encode(np.round(values.astype(np.float32) * (127 / LIMIT)).astype(np.int8).tobytes()).decode()


def decode_thumbnails(texts: Iterable[str]) -> NDArray[np.float16]:
    """Read thumbnails from text: float16 [thumbnails, SIDE, SIDE], zeros for an empty text."""
    empty = bytes(SIDE * SIDE)
    content = b"".join(base64.b64decode(text) if text else empty for text in texts)
    steps = np.frombuffer(content, np.int8).reshape(-1, SIDE, SIDE)
    return (steps * np.float32(LIMIT / 127)).astype(np.float16)


def same_content(
    one: Thumbnail, filled: Filled, others: NDArray[np.float16], fillings: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Decide which images may be near duplicates of one image, by the pixels that are not filled in both.

    The contents must correlate by `SAME`, also after uneven light has been removed from both.

    Args:
        one: float16 [SIDE, SIDE], the thumbnail of the image.
        filled: bool [SIDE, SIDE], its filled pixels.
        others: float16 [n, SIDE, SIDE], the thumbnails of the other images.
        fillings: bool [n, SIDE, SIDE], their filled pixels.

    Returns:
        bool [n]. True also where the contents cannot decide: hardly any area is filled in both, or nearly all is.
    """
    quarter = np.s_[..., ::2, ::2]  # enough to reject most images
    same = _correlate(one[quarter], filled[quarter], others[quarter], fillings[quarter], ROUGHLY_SAME)
    chosen = np.flatnonzero(same)
    same[chosen] = _correlate(one, filled, others[chosen], fillings[chosen], SAME)
    for index in np.flatnonzero(same):
        content = ~(filled & fillings[index])
        if not _cannot_decide(np.asarray(content.mean())):
            same[index] = (
                _correlation_of_details(one[content], others[index][content], SURFACE[content.ravel()]) >= SAME
            )
    return same


def _correlate(
    one: Thumbnail, filled: Filled, others: NDArray[np.float16], fillings: NDArray[np.bool_], least: float
) -> NDArray[np.bool_]:
    """Which of `others` correlate with one by `least`, or cannot decide."""
    own, mine = one.ravel().astype(np.float32), filled.ravel()
    values, fill = others.reshape(-1, own.size).astype(np.float32), fillings.reshape(-1, own.size)
    # Sums over the pixels that are not filled in both: the sums over all pixels, minus those over the filled ones.
    both = values * (fill & mine)
    inside = fill.astype(np.float32) @ np.stack([own * mine, own**2 * mine, mine], axis=1)
    number = np.maximum(own.size - inside[:, 2], 1)
    sums = own.sum() - inside[:, 0], values.sum(axis=1) - both.sum(axis=1)
    squares = (own**2).sum() - inside[:, 1], (values**2).sum(axis=1) - (both**2).sum(axis=1)
    lengths = [square - total**2 / number for square, total in zip(squares, sums, strict=True)]
    product = values @ own - both @ own - sums[0] * sums[1] / number
    alike = product >= least * np.sqrt(np.maximum(lengths[0] * lengths[1], 0))
    return np.asarray(alike | _cannot_decide(number / own.size))


def _cannot_decide(content: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return whether hardly any area is filled in both, or nearly all; content: share of the pixels that are not."""
    return np.asarray((content > 1 - MIN_AREA) | (content < MIN_CONTENT))


def _correlation_of_details(a: Thumbnail, b: Thumbnail, surface: NDArray[np.float64]) -> float:
    """Correlation of two contents after a quadratic surface has been removed from both; 1 if one is flat then."""
    content = np.stack([a, b], axis=1).astype(np.float64)
    content -= surface @ np.linalg.lstsq(surface, content, rcond=None)[0]
    length = float(np.prod(np.linalg.norm(content, axis=0)))
    return float(content[:, 0] @ content[:, 1]) / length if length > 0 else 1.0
