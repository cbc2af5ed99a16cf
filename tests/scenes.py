"""Made sets of images, independent ones and frames, slices and tiles, as lists of (name, image)."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Named = list[tuple[str, NDArray[Any]]]


def picture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Structure of several sizes around 120."""
    total = np.full((height, width), 120.0)
    for cell, amplitude in ((200, 25), (60, 20), (20, 12), (6, 6)):
        small = rng.normal(size=(max(3, height // cell), max(3, width // cell)))
        total += amplitude * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def grey(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.round(image).clip(0, 255).astype(np.uint8)[..., None]


def independent(seed: int, count: int = 40, size: int = 96) -> Named:
    rng = np.random.default_rng(seed)
    return [(f"img_{number}", grey(picture(rng, size, size))) for number in range(count)]


def darkening(seed: int) -> Named:
    """Independent images in the order in which a lamp grew dim."""
    named = independent(seed)
    return [(name, grey(image[..., 0] * (1 - 0.8 * n / len(named)))) for n, (name, image) in enumerate(named)]


def by_class(seed: int, count: int = 60, size: int = 96) -> Named:
    """Independent images, three classes one after the other, each with its own brightness, light and texture."""
    rng, (rows, columns) = np.random.default_rng(seed), np.mgrid[:size, :size] - size / 2
    named = []
    for number in range(count):
        kind = number * 3 // count
        light = (columns / 2, rows / 2, 40 * np.exp(-(rows**2 + columns**2) / 800))[kind]
        small = rng.normal(size=[(6, 6), (12, 12), (24, 24)][kind])
        texture = 20 * cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
        named.append((f"img_{number:03d}", grey((80, 120, 170)[kind] + light + texture)))
    return named


def framed(seed: int, count: int = 24, size: int = 128, bright: float = 0.0) -> Named:
    """Independent contents in the same round field of view, as bright as `bright` says in its middle."""
    rng, (rows, columns) = np.random.default_rng(seed), np.mgrid[:size, :size] - size / 2
    distance = np.hypot(rows, columns)
    named = []
    for number in range(count):
        content = 90 + 12 * cv2.resize(rng.normal(size=(9, 9)), (size, size), interpolation=cv2.INTER_CUBIC)
        content += bright * np.exp(-((distance / size * 3) ** 2)) + rng.normal(0, 3, content.shape)
        image = np.where(distance < size * 0.46, content, rng.normal(3, 1, content.shape))
        named.append((f"eye_{number}", grey(image)))
    return named


def dots(seed: int, count: int = 30, size: int = 128) -> Named:
    """Black images with a few bright discs at places of their own, uint16."""
    rng = np.random.default_rng(seed)
    named = []
    for number in range(count):
        mask = np.zeros((size, size), np.uint8)
        for row, column in rng.integers(15, size - 15, (3, 2)).tolist():
            cv2.circle(mask, (column, row), 9, 1, -1)
        image = rng.poisson(3, (size, size)) + 100 + 400 * mask.astype(int)
        named.append((f"dots_{number}", image.astype(np.uint16)[..., None]))
    return named


def video(seed: int, count: int = 40, step: int = 4, size: int = 96, name: str = "frame_{}") -> Named:
    """A window that moves over one scene, with noise."""
    rng = np.random.default_rng(seed)
    scene = picture(rng, size, size + step * count)
    frames = [scene[:, step * number : step * number + size] for number in range(count)]
    return [(name.format(n), grey(frame + rng.normal(0, 4, frame.shape))) for n, frame in enumerate(frames)]


def videos(seed: int, count: int = 6) -> Named:
    return [pair for n in range(count) for pair in video(seed * 100 + n, 12, name=f"v{n}_{{:03d}}")]


def volume(seed: int, count: int = 40, size: int = 96) -> Named:
    """Slices between planes of a random volume, with noise."""
    rng = np.random.default_rng(seed)
    planes = rng.normal(size=(count // 4 + 2, 16, 16))
    named = []
    for number in range(count):
        plane, rest = divmod(number / 4, 1)
        mixed = planes[int(plane)] * (1 - rest) + planes[int(plane) + 1] * rest
        slice_ = 120 + 40 * cv2.resize(mixed, (size, size), interpolation=cv2.INTER_CUBIC)
        named.append((f"case/z{number}", grey(slice_ + rng.normal(0, 6, slice_.shape))))
    return named


def tiles(seed: int, across: int = 8, size: int = 96, step: int = 96) -> Named:
    """Tiles of one scene, `step` pixels apart: side by side, or with less overlapping."""
    scene = picture(np.random.default_rng(seed), (across - 1) * step + size, (across - 1) * step + size)
    places = [(x, y) for x in range(across) for y in range(across)]
    return [(f"tile_{x}_{y}", grey(scene[y * step : y * step + size, x * step : x * step + size])) for x, y in places]


def views(seed: int, count: int = 20, size: int = 96) -> Named:
    """Two pictures of each patient, L and R, that have half of their variance in common."""
    rng = np.random.default_rng(seed)
    named = []
    for number in range(count):
        common = picture(rng, size, size) - 120
        for side in "LR":
            named.append((f"p{number:02d}{side}", grey(120 + (common + picture(rng, size, size) - 120) * 0.7)))
    return named


def static(seed: int, count: int = 40, size: int = 96) -> Named:
    """A camera that stands still, and five discs that move slowly."""
    rng = np.random.default_rng(seed)
    scene, places, speeds = picture(rng, size, size), rng.uniform(0, size, (5, 2)), rng.normal(0, 2, (5, 2))
    named = []
    for number in range(count):
        frame = scene.copy()
        for column, row in ((places + speeds * number) % size).astype(int).tolist():
            cv2.circle(frame, (column, row), 9, 230.0, -1)
        named.append((f"f{number:04d}", grey(frame + rng.normal(0, 3, frame.shape))))
    return named
