"""Augment a patch: one random warp of image and mask, and a random change of intensities.

The result depends only on the arguments and the random generator that the caller passes.
"""

from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.store.store import Number, Pixels
from src.params import PlannedAugment

Direction = Literal["horizontal", "vertical"]
Value = TypeVar("Value", bound=Number)


def random_matrix(params: PlannedAugment, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation, a zoom and flips.

    Args:
        params: The planned section `augment`.
        rng: The random generator.

    Returns:
        Float64 [2, 2]. It maps a step (x, y) in the patch to the step in the image that it shows, both in pixels.
    """
    rotates, zooms = rng.random(2) < params.probability
    angle = rotates * np.deg2rad(rng.uniform(-params.rotate, params.rotate))  # params.yaml has degrees
    zoom = (1 + params.scale) ** (zooms * rng.uniform(-1, 1))
    flips = rng.random(2) < 0.5
    signs = [_sign(params, "horizontal", flips[0]), _sign(params, "vertical", flips[1])]
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]]) @ np.diag(signs) / zoom


def _sign(params: PlannedAugment, direction: Direction, flip: bool) -> int:
    return -1 if flip and params.flip in (direction, "both") else 1


def random_shift(params: PlannedAugment, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how far the centre of a patch moves.

    Args:
        params: The planned section `augment`.
        side: Side of the patch in pixels.
        rng: The random generator.

    Returns:
        Float64 [2]: the shift (x, y) in pixels.
    """
    return rng.uniform(-params.shift, params.shift, 2) * side


def warp(
    image: Pixels,
    mask: NDArray[np.uint8],
    centre: NDArray[np.float64],
    matrix: NDArray[np.float64],
    side: int,
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Cut a square patch out of an image and its mask, with the same affine map for both.

    The image is interpolated bilinearly, the mask by nearest neighbour, so that no new labels appear. Beyond the border
    both are mirrored. Of a large image only the window that the patch needs is read.

    Args:
        image: [height, width, channels].
        mask: uint8 [height, width].
        centre: Centre of the patch in the image, (x, y) in pixels.
        matrix: Float64 [2, 2], see `random_matrix`.
        side: Side of the patch in pixels.

    Returns:
        The patch of the image, [side, side, channels] of its number type, and of the mask, uint8 [side, side].
    """
    half = (side - 1) / 2
    corners = matrix @ np.array([[-half, half, -half, half], [-half, -half, half, half]]) + centre[:, None]
    low, high = _window(corners.min(axis=1), corners.max(axis=1), np.array([image.shape[1], image.shape[0]]))
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    offset = centre - low - matrix @ [half, half]
    affine = np.hstack([matrix, offset[:, None]])

    def cut(pixels: NDArray[Value], interpolation: int) -> NDArray[Value]:
        flags = interpolation | cv2.WARP_INVERSE_MAP
        out = cv2.warpAffine(pixels[window], affine, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out, pixels.dtype)

    return cut(image, cv2.INTER_LINEAR).reshape(side, side, -1), cut(mask, cv2.INTER_NEAREST)


def _window(
    first: NDArray[np.float64], last: NDArray[np.float64], size: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels (x, y) of an image that a patch from `first` to `last` needs, as [low, high), mirrored ones included.

    Where the patch reaches over a border, the window starts at that border and contains everything that is mirrored
    there. Otherwise pixels would be mirrored a second time, at the border of the window.
    """
    mirrored_last = np.where(first < 0, np.maximum(last, -first), last)
    mirrored_first = np.where(last > size - 1, np.minimum(first, 2 * (size - 1) - last), first)
    low = np.clip(np.floor(mirrored_first).astype(int) - 1, 0, size - 1)
    return low, np.clip(np.ceil(mirrored_last).astype(int) + 2, low + 1, size)


def jitter(image: NDArray[np.float32], params: PlannedAugment, rng: np.random.Generator) -> NDArray[np.float32]:
    """Change contrast and brightness at random and add noise.

    Args:
        image: Float32 of any shape, normalised. Brightness and noise are in units of the normalised intensities.
        params: The planned section `augment`.
        rng: The random generator.

    Returns:
        Float32 of the same shape.
    """
    contrasted, brightened, noisy = rng.random(3) < params.probability
    contrast, brightness = rng.uniform(-1, 1, 2)
    if contrasted:
        image = image * np.float32((1 + params.contrast) ** contrast)
    if brightened:
        image = image + np.float32(params.brightness * brightness)
    if noisy:
        image = image + np.float32(rng.uniform(0, params.noise)) * rng.standard_normal(image.shape, np.float32)
    return image
