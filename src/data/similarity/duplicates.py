"""Find near duplicates: the same picture saved again, resized, brighter or noisier.

The fingerprint of an image is the middle part of its thumbnail's cosine spectrum. Low frequencies, which the images of
a data set share (a vignette, one large object in the centre), are weakened. High frequencies, which compression and
noise change, are cut off. Two images are near duplicates if their fingerprints correlate and, where both have a frame,
their contents correlate, too.

Not found: flips, rotations, most crops by 1 % and more, changes that hide what an image shows (JPEG of an almost even
image), and, below about 128 pixels a side, all copies but those with hardly a change.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from src.data.crops.resize import resize_image
from src.data.reading.channels import Pixels, grey_weights
from src.data.similarity.spectrum import cosines

SIDE = 64  # pixels of the thumbnail's sides, if the image has as many
SAMPLED = 2048  # pixels that are read along a side at most
LOW, HIGH = 12.0, 32  # half-periods per image: below LOW frequencies are weakened, from HIGH on cut off
FLAT = 1e-5  # variation relative to the mean that may be rounding
MIN_PIXELS = 64  # smaller images are not compared: every other image of 2 × 1 pixels would be similar
# The most similar pairs of different images reach 0.22 (nuclei), 0.91 (retinas), 0.34 (map tiles) and 0.945 (synthetic
# images that share a bright disc with a sharp rim). With frames and areas without data they reach 0.999: `same_content`
# of thumbnails.py separates these. Copies saved as JPEG 50, of half the size, a fifth brighter or with noise of 5 of
# 255 stay above 0.95 in 98.5 to 100 % of the cases for each kind.
NEAR = 0.95
BLOCK = 2048  # images that are compared at once with as many others

_FREQUENCY = np.hypot(*np.meshgrid(np.arange(HIGH), np.arange(HIGH)))
_USED = (_FREQUENCY > 0) & (_FREQUENCY < HIGH)
_WEIGHTS = (1 - np.exp(-((_FREQUENCY[_USED] / LOW) ** 2) / 2)).astype(np.float32)  # a Gaussian high-pass filter


def fingerprint(image: Pixels) -> NDArray[np.float16]:
    """Vector of an image that mild changes leave nearly the same. Intensity scale and offset do not matter.

    Args:
        image: [height, width, channels], uint8, uint16 or float32. Three channels are red, green, blue.

    Returns:
        float16 [832] of length 1. All zeros, which match nothing, if the image is flat, has fewer than `MIN_PIXELS`
        pixels, or holds a value that is not finite.
    """
    thumbnail = _thumbnail(image)
    height, width = thumbnail.shape
    values = (cosines(height, HIGH) @ thumbnail @ cosines(width, HIGH).T)[_USED] * _WEIGHTS
    length = float(np.linalg.norm(values))
    if thumbnail.size < MIN_PIXELS or not FLAT * float(np.abs(thumbnail).sum()) < length < np.inf:  # nan fails, too
        return np.zeros(len(values), np.float16)
    return (values / length).astype(np.float16)


def _thumbnail(image: Pixels) -> NDArray[np.float32]:
    """Grey image of at most `SIDE` × `SIDE` pixels, each the mean over its area. Large images are subsampled first."""
    height, width, channels = image.shape
    sampled = image[:: -(-height // SAMPLED), :: -(-width // SAMPLED)].astype(np.float32)
    return resize_image(sampled, min(width, SIDE), min(height, SIDE)) @ grey_weights(channels)


def near_pairs(fingerprints: Sequence[NDArray[np.float16]] | NDArray[np.float16]) -> Iterator[tuple[int, int, float]]:
    """Compare every image with every other, block by block, in about 50 MB for any number of images.

    Args:
        fingerprints: [images, 832].

    Yields:
        Near duplicates as (i, j, correlation) with i < j and a correlation of `NEAR` to 1.
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
    """Group images that pairs connect, directly or through other images.

    Args:
        pairs: (i, j, correlation), in any order.
        count: Number of images.

    Returns:
        For each image, the position of the first image of its cluster: its own if no pair contains it.
    """
    connected = DisjointSet(range(count))
    for i, j, _ in pairs:
        connected.merge(i, j)
    first: dict[int, int] = {}  # root of a cluster → its first image
    return [first.setdefault(connected[image], image) for image in range(count)]
