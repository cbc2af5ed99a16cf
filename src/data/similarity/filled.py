"""A small grey picture of an image, and which of its pixels hold no content: no data, a frame, an empty border.

Two images with the same frame look alike whatever they show, so comparisons leave out what is filled in both. A filled
pixel belongs to an area of exactly one value that touches the border or is large (no data, padding, an overlay), or to
an area at the border whose values vary little (the dark around a round field of view).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.crops.resize import resize_image
from src.data.similarity.thumbnails import AREA, FEWEST, LIMIT, SIDE, Filled, Thumbnail

SAMPLED = 512  # most pixels read along a side
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in duplicates.py
BORDER = 0.05  # share of the border's pixels that hold the value of a filled area
MOST_VALUES = 4  # values that areas are looked for
NEARLY = 0.01  # of the range of what is left: how far the pixels of a frame may lie from its value
FLAT = 1e-5  # share of an image that may be rounding


def thumbnail(image: NDArray[Any]) -> tuple[Thumbnail, Filled]:
    """The luma of an image as float16 [SIDE, SIDE], and which of its pixels are filled, bool of the same shape.

    image: [height, width, channels]; three channels are red, green, blue. The content has mean 0 and standard deviation
    1, and values end at ±`LIMIT`. All zeros if the image is flat or holds a value that is not finite.
    """
    height, width, channels = image.shape
    weights = LUMA if channels == 3 else np.full(channels, 1 / channels, np.float32)
    luma = image[:: -(-height // SAMPLED), :: -(-width // SAMPLED)].astype(np.float32) @ weights
    flat = np.zeros((SIDE, SIDE), np.float16)
    if not np.isfinite(luma).all():
        return flat, np.zeros((SIDE, SIDE), np.bool_)
    empty = _constant(luma)
    held = _small((~empty).astype(np.float32))
    values = np.where(held > 0, _small(np.where(empty, 0, luma)) / np.maximum(held, 1e-6), _small(luma))
    filled = _with_frame(values, held < 0.5)
    if (~filled).mean() < FEWEST:
        values, filled = _small(luma), np.zeros_like(filled)
    content = values[~filled]
    level, deviation = float(content.mean()), float(content.std())
    if deviation <= FLAT * float(np.abs(content).mean()):
        return flat, filled
    return ((values - level) / deviation).clip(-LIMIT, LIMIT).astype(np.float16), filled


def _small(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """[SIDE, SIDE], each pixel the mean over its area."""
    return resize_image(luma[..., None], SIDE, SIDE)[..., 0]


def _constant(luma: NDArray[np.float32]) -> Filled:
    """The pixels of areas of exactly one value that touch the border or are large."""
    edges = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
    candidates: set[float] = set()
    for sample, share in ((edges, BORDER), (luma[::4, ::4], AREA)):
        values, counts = np.unique(sample, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")[:MOST_VALUES]
        candidates |= {float(values[i]) for i in frequent if counts[i] >= share * sample.size}
    mask = np.zeros(luma.shape, np.bool_)
    for value in sorted(candidates):
        mask |= _connected(luma == np.float32(value), AREA * luma.size)
    return mask


def _with_frame(values: NDArray[np.float32], filled: Filled) -> Filled:
    """`filled`, a pixel wider, with the area at the border whose values are nearly the same, if there is one."""
    filled = _wider(filled)
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
    area = _connected((np.abs(values - value) <= reach) | filled, np.inf)
    return _wider(area) | filled if (area & ~filled).sum() >= AREA * area.size else filled


def _connected(mask: Filled, least: float) -> Filled:
    """The connected parts of the mask that touch the border, or have `least` pixels."""
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    kept = sizes[:, cv2.CC_STAT_AREA] >= least
    kept[np.unique(labels[_edge(mask.shape)])] = True
    kept[0] = False  # what is not in the mask
    return np.asarray(kept[labels])


def _edge(shape: tuple[int, ...]) -> Filled:
    edge = np.ones(shape, np.bool_)
    edge[1:-1, 1:-1] = False
    return edge


def _wider(mask: Filled) -> Filled:
    """The mask and the pixels next to it, which mix both sides."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)), np.bool_) if mask.any() else mask
