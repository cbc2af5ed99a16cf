"""One random warp and one change of intensities for a crop; what is drawn depends on the generator handed in alone."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from src.params import Augment

Direction = Literal["horizontal", "vertical"]


def random_matrix(params: Augment, rng: np.random.Generator) -> NDArray[np.float64]:
    """Float64 [2, 2]: a step in the crop, (x, y) in pixels, to the step in the image that it shows."""
    turned, zoomed = rng.random(2) < params.probability
    angle = turned * np.deg2rad(rng.uniform(-params.rotate, params.rotate))  # NumPy takes radians, params.yaml degrees
    zoom = (1 + params.scale) ** (zoomed * rng.uniform(-1, 1))
    flips = rng.random(2) < 0.5
    signs = [_sign(params, "horizontal", flips[0]), _sign(params, "vertical", flips[1])]
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]]) @ np.diag(signs) / zoom


def _sign(params: Augment, direction: Direction, drawn: bool) -> int:
    return -1 if drawn and params.flip in (direction, "both") else 1


def random_shift(params: Augment, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Float64 [2]: pixels (x, y) by which the centre of a crop of that side moves."""
    return rng.uniform(-params.shift, params.shift, 2) * side


def warp(
    image: NDArray[Any],
    mask: NDArray[np.uint8],
    centre: NDArray[np.float64],
    matrix: NDArray[np.float64],
    side: int,
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The square crop of `side` pixels around `centre` (x, y), each step in it taken through `matrix`.

    Image (bilinear) and mask (nearest neighbour: no new labels) go through the same map; beyond the border both are
    mirrored. Returns [side, side, channels] of the image's number type, and uint8 [side, side].
    """
    half = (side - 1) / 2
    corners = matrix @ np.array([[-half, half, -half, half], [-half, -half, half, half]]) + centre[:, None]
    low, high = _window(corners.min(axis=1), corners.max(axis=1), np.array([image.shape[1], image.shape[0]]))
    window = np.s_[low[1] : high[1], low[0] : high[0]]  # only this part is read of a large image
    offset = centre - low - matrix @ [half, half]
    affine = np.hstack([matrix, offset[:, None]])

    def cut(pixels: NDArray[Any], interpolation: int) -> NDArray[Any]:
        flags = interpolation | cv2.WARP_INVERSE_MAP
        out = cv2.warpAffine(pixels[window], affine, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out)

    return cut(image, cv2.INTER_LINEAR).reshape(side, side, -1), cut(mask, cv2.INTER_NEAREST)


def _window(
    first: NDArray[np.float64], last: NDArray[np.float64], size: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels (x, y) that a crop needs of an image, as [low, high): those between `first` and `last`, mirrored.

    Where the crop reaches over a border, the window begins at that border and holds all that is mirrored there.
    Otherwise the pixels would be mirrored a second time, at the window's own border.
    """
    mirrored_last = np.where(first < 0, np.maximum(last, -first), last)
    mirrored_first = np.where(last > size - 1, np.minimum(first, 2 * (size - 1) - last), first)
    low = np.clip(np.floor(mirrored_first).astype(int) - 1, 0, size - 1)
    return low, np.clip(np.ceil(mirrored_last).astype(int) + 2, low + 1, size)


def jitter(image: NDArray[np.float32], params: Augment, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random contrast, brightness and noise for a normalised image (mean 0, standard deviation 1), any shape."""
    contrasted, brightened, noisy = rng.random(3) < params.probability
    contrast, brightness = rng.uniform(-1, 1, 2)
    if contrasted:
        image = image * np.float32((1 + params.contrast) ** contrast)
    if brightened:
        image = image + np.float32(params.brightness * brightness)
    if noisy:
        image = image + np.float32(rng.uniform(0, params.noise)) * rng.standard_normal(image.shape, np.float32)
    return image
