"""Which images are nearly the same picture: saved again, resized, brighter, noisier.

A fingerprint is the middle of a thumbnail's cosine spectrum. The low end, which the images of a set share (a vignette,
one large object in the centre), is weakened; the high end, which compression and noise change, is cut off. Two images
are near duplicates if their fingerprints correlate, and where both have a frame their contents, too. Not found: flips,
rotations, most crops by 1 % and more, changes that drown what an image shows (JPEG of an almost even one), and, of
images below some 128 pixels a side, all but copies with hardly a change.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.crops.resize import resize_image
from src.data.similarity.spectrum import cosines

SIDE = 64  # of the thumbnail, in pixels, unless the image has fewer
SAMPLED = 2048  # most pixels read along a side
LOW, HIGH = 12.0, 32  # half-periods per image: below LOW frequencies are weakened, from HIGH on cut off
FLAT = 1e-5  # share of an image that may be rounding
FEWEST = 64  # pixels that make a picture: of 2 × 1, every other one would be like the next
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: what JPEG and conversion to grey keep best
# Of different images, the most alike reach 0.22 (nuclei), 0.91 (retinas), 0.34 (map tiles) and 0.945 (made ones that
# share a bright disc with a sharp rim). Frames and areas without data take them up to 0.999: `same_content` of
# thumbnails.py tells these apart. Copies saved as JPEG 50, of half the size, a fifth brighter or with noise of
# 5 of 255 stay above 0.95 in 98.5 to 100 of 100 cases for each kind.
NEAR = 0.95
BLOCK = 2048  # images compared at once with as many others

_FREQUENCY = np.hypot(*np.meshgrid(np.arange(HIGH), np.arange(HIGH)))
_KEPT = (_FREQUENCY > 0) & (_FREQUENCY < HIGH)
_WEIGHTS = (1 - np.exp(-((_FREQUENCY[_KEPT] / LOW) ** 2) / 2)).astype(np.float32)  # a Gaussian high-pass filter


def fingerprint(image: NDArray[Any]) -> NDArray[np.float16]:
    """What mild changes leave of an image, as a vector of 832 values and length 1.

    image: [height, width, channels], uint8, uint16 or float32; three channels are red, green, blue. Its scale and
    offset do not matter. All zeros, which match nothing, if it is flat, has fewer than 64 pixels, or holds a value
    that is not finite.
    """
    thumbnail = _thumbnail(image)
    height, width = thumbnail.shape
    values = (cosines(height, HIGH) @ thumbnail @ cosines(width, HIGH).T)[_KEPT] * _WEIGHTS
    length = float(np.linalg.norm(values))
    if thumbnail.size < FEWEST or not FLAT * float(np.abs(thumbnail).sum()) < length < np.inf:  # nan fails, too
        return np.zeros(len(values), np.float16)
    return (values / length).astype(np.float16)


def _thumbnail(image: NDArray[Any]) -> NDArray[np.float32]:
    """Luma, or the mean of other than three channels, as float32 [≤ SIDE, ≤ SIDE]; a pixel averages over its area.

    Of an image with more than `SAMPLED` pixels along a side every second, third … row and column is looked at.
    """
    height, width, channels = image.shape
    weights = LUMA if channels == 3 else np.full(channels, 1 / channels, np.float32)
    sampled = image[:: -(-height // SAMPLED), :: -(-width // SAMPLED)].astype(np.float32)
    return resize_image(sampled, min(width, SIDE), min(height, SIDE)) @ weights


def near_pairs(fingerprints: Sequence[NDArray[np.float16]] | NDArray[np.float16]) -> Iterator[tuple[int, int, float]]:
    """All pairs of near duplicates as (i, j, correlation), i < j, the correlation from NEAR to 1.

    Every image is compared with every other, a block with a block, in some 50 MB whatever their number.
    """
    for top in range(0, len(fingerprints), BLOCK):
        rows = np.asarray(fingerprints[top : top + BLOCK], np.float32)
        for left in range(top, len(fingerprints), BLOCK):
            columns = np.asarray(fingerprints[left : left + BLOCK], np.float32)
            similar = rows @ columns.T
            for i, row in enumerate(similar):
                for j in np.flatnonzero(row >= NEAR).tolist():
                    if i + top < j + left:
                        yield i + top, j + left, min(float(row[j]), 1.0)


def clusters(pairs: Iterable[tuple[int, int, float]], count: int) -> list[int]:
    """For each of `count` images the position of the first image that pairs connect it with, or its own.

    Connected through others counts: a chain of near pairs is one cluster.
    """
    parent = list(range(count))

    def first(image: int) -> int:
        while parent[image] != image:
            parent[image] = image = parent[parent[image]]
        return image

    for i, j, _ in pairs:
        low, high = sorted((first(i), first(j)))
        parent[high] = low
    return [first(image) for image in range(count)]
