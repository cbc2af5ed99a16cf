"""One random warp and one change of intensities for a crop; what is drawn depends on the generator handed in alone."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from src.params import Augment

Direction = Literal["horizontal", "vertical"]


def random_matrix(params: Augment, rng: np.random.Generator) -> NDArray[np.float64]:
    """Float64 [2, 2]: a step in the crop, (x, y) in pixels, to the step in the image that it shows."""
    turned, zoomed = rng.random(2) < params.share
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
    size = np.array([image.shape[1], image.shape[0]])
    # Only the window from low to high is read of a large image.
    low = np.clip(np.floor(corners.min(axis=1)).astype(int) - 1, 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 2, low + 1, size)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    offset = centre - low - matrix @ [half, half]
    affine = np.hstack([matrix, offset[:, None]])

    def cut(pixels: NDArray[Any], interpolation: int) -> NDArray[Any]:
        flags = interpolation | cv2.WARP_INVERSE_MAP
        out = cv2.warpAffine(pixels[window], affine, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out)

    return cut(image, cv2.INTER_LINEAR).reshape(side, side, -1), cut(mask, cv2.INTER_NEAREST)


def jitter(image: NDArray[np.float32], params: Augment, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random contrast, brightness and noise for a normalised image (mean 0, standard deviation 1), any shape."""
    contrasted, brightened, noisy = rng.random(3) < params.share
    contrast, brightness = rng.uniform(-1, 1, 2)
    if contrasted:
        image = image * np.float32((1 + params.contrast) ** contrast)
    if brightened:
        image = image + np.float32(params.brightness * brightness)
    if noisy:
        image = image + np.float32(rng.uniform(0, params.noise)) * rng.standard_normal(image.shape, np.float32)
    return more(image, params, rng)


def more(image, params, rng):
    bent, blurred, coarse, coloured = rng.random(4) < params.share
    inverted = rng.random() < params.invert
    exponent, sigma, low = (1 + params.gamma) ** rng.uniform(-1, 1), rng.uniform(0.3, max(params.blur, 0.3)), rng.uniform(1 - params.coarse, 1)
    tint = rng.uniform(-1, 1, (2, image.shape[-1])).astype(np.float32)
    if (bent and params.gamma) or inverted:
        sign = np.float32(-1 if inverted else 1)
        image = image * sign
        lowest, highest = image.min(), image.max()
        if highest > lowest and bent and params.gamma:
            mean, std = image.mean(), image.std()
            image = ((image - lowest) / (highest - lowest)) ** np.float32(exponent)
            image = (image - image.mean()) * (std / max(image.std(), np.float32(1e-6))) + mean
        image = image * sign if not inverted else image
    if coloured and params.colour:
        image = image * np.float32(1 + params.colour) ** tint[0] + np.float32(params.colour) * tint[1]
    if blurred and params.blur:
        image = cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)
    if coarse and params.coarse:
        side = max(round(low * len(image)), 1)
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC).reshape(image.shape)
    return np.asarray(image, np.float32)
