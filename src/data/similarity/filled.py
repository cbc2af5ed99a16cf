"""Make a small grey thumbnail of an image, and find its pixels without content: no data, a frame, an empty border.

Two images with the same frame look similar whatever they show, so comparisons leave out what is filled in both. A
filled pixel belongs to an area of exactly one value that touches the border or is large (no data, padding, an overlay),
or to an area at the border whose values vary little (the dark around a round field of view).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.crops.resize import resize_image
from src.data.reading.channels import Pixels, grey_weights
from src.data.similarity.thumbnails import LIMIT, MIN_AREA, MIN_CONTENT, SIDE, Filled, Thumbnail

SAMPLED = 512  # pixels that are read along a side at most
BORDER = 0.05  # share of the border's pixels that must hold the value of a filled area
MAX_AREA_VALUES = 4  # values for which areas are searched
NEARLY = 0.01  # distance of a frame's pixels from its value, relative to the range of the other pixels
FLAT = 1e-5  # variation relative to the mean that may be rounding


def thumbnail(image: Pixels) -> tuple[Thumbnail, Filled]:
    """Make a thumbnail and find its filled pixels.

    Args:
        image: [height, width, channels], any number type. Three channels are red, green, blue.

    Returns:
        float16 [SIDE, SIDE], whose content has mean 0 and standard deviation 1, clipped at ±`LIMIT`; and bool of the
        same shape, True for filled pixels. All zeros if the image is flat or holds a value that is not finite.
    """
    height, width, channels = image.shape
    luma = image[:: -(-height // SAMPLED), :: -(-width // SAMPLED)].astype(np.float32) @ grey_weights(channels)
    flat = np.zeros((SIDE, SIDE), np.float16)
    if not np.isfinite(luma).all():
        return flat, np.zeros((SIDE, SIDE), np.bool_)
    empty = _constant_areas(luma)
    share = _shrink((~empty).astype(np.float32))  # of each pixel that is not empty
    values = np.where(share > 0, _shrink(np.where(empty, 0, luma)) / np.maximum(share, 1e-6), _shrink(luma))
    filled = _with_frame(values, share < 0.5)
    if (~filled).mean() < MIN_CONTENT:
        values, filled = _shrink(luma), np.zeros_like(filled)
    content = values[~filled]
    level, deviation = float(content.mean()), float(content.std())
    if deviation <= FLAT * float(np.abs(content).mean()):
        return flat, filled
    return ((values - level) / deviation).clip(-LIMIT, LIMIT).astype(np.float16), filled


def _shrink(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """[SIDE, SIDE], each pixel the mean over its area."""
    return resize_image(luma[..., None], SIDE, SIDE)[..., 0]


def _constant_areas(luma: NDArray[np.float32]) -> Filled:
    """Pixels of areas of exactly one value that touch the border or are large."""
    edges = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
    candidates: set[float] = set()
    for sample, least in ((edges, BORDER), (luma[::4, ::4], MIN_AREA)):
        values, counts = np.unique(sample, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")[:MAX_AREA_VALUES]
        candidates |= {float(values[i]) for i in frequent if counts[i] >= least * sample.size}
    mask = np.zeros(luma.shape, np.bool_)
    for value in sorted(candidates):
        mask |= _border_or_large_components(luma == np.float32(value), MIN_AREA * luma.size)
    return mask


def _with_frame(values: NDArray[np.float32], filled: Filled) -> Filled:
    """`filled`, one pixel wider, and an area at the border whose values vary little, if there is one."""
    filled = _dilate(filled)
    rest = values[~filled]
    edges = np.sort(values[_edge(values.shape) & ~filled])
    if not edges.size:
        return filled
    reach = NEARLY * float(rest.max() - rest.min())
    counts = np.searchsorted(edges, edges + 2 * reach, side="right") - np.arange(edges.size)
    first = int(counts.argmax())
    if reach == 0 or counts[first] < BORDER * 4 * (SIDE - 1):
        return filled
    value = (edges[first] + edges[first + counts[first] - 1]) / 2
    area = _border_or_large_components((np.abs(values - value) <= reach) | filled, np.inf)
    return _dilate(area) | filled if (area & ~filled).sum() >= MIN_AREA * area.size else filled


def _border_or_large_components(mask: Filled, least: float) -> Filled:
    """Components of the mask that touch the border or have at least `least` pixels."""
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    chosen = sizes[:, cv2.CC_STAT_AREA] >= least
    chosen[np.unique(labels[_edge(mask.shape)])] = True
    chosen[0] = False  # the pixels outside the mask
    return np.asarray(chosen[labels])


def _edge(shape: tuple[int, ...]) -> Filled:
    edge = np.ones(shape, np.bool_)
    edge[1:-1, 1:-1] = False
    return edge


def _dilate(mask: Filled) -> Filled:
    """The mask and the pixels next to it, which mix both sides."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)), np.bool_) if mask.any() else mask
