"""Training crops: where they lie, how they are drawn, and batches of them made ahead of the network."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.augment import jitter, random_matrix, random_shift, warp
from src.data.store import Store, intensity
from src.params import Augment, Data

MOST_POINTS = 4096  # remembered places of one rare class in one image
AHEAD = 4  # batches made before they are asked for

Crop = tuple[NDArray[np.float32], NDArray[np.uint8]]


@dataclass(frozen=True)
class Normalisation:
    """(intensity - mean) / std for each channel, taken over the training images; std 0 is replaced by 1."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, store: Store, indices: Sequence[int]) -> "Normalisation":
        mean, std = intensity([store.records[index] for index in indices])
        return cls(mean, [value if value > 0 else 1.0 for value in std])

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [height, width, channels] → float32 of the same shape."""
        return (image.astype(np.float32) - np.float32(self.mean)) * np.float32(1 / np.array(self.std))


def resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The image as `side` × `side` pixels, each an average over its area; unchanged if side is 0."""
    if not side:
        return image
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8).reshape(side, side, -1)


def resized_mask(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The mask as `side` × `side` pixels by nearest neighbour; unchanged if side is 0."""
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8) if side else mask


class Crops:
    """Random crops of the images at `indices`; crop number `index` of an epoch depends on (seed, epoch, index) alone."""

    def __init__(self, store: Store, indices: Sequence[int], data: Data, augment: Augment, seed: int) -> None:
        self.store, self.indices, self.data, self.augment, self.seed = store, list(indices), data, augment, seed
        self.normalisation = Normalisation.of(store, indices)
        self.points = {label: self._points(label) for label in rare_classes(store, indices)}

    def draw(self, epoch: int, index: int, *, augmented: bool = True) -> tuple[NDArray[np.uint8], Crop]:
        """One crop: the image as uint8, and the pair that training sees: normalised image and mask.

        Without augmentation the crop lies at the same place, straight and unchanged.
        """
        rng = np.random.default_rng([self.seed, epoch, index])
        position, centre = self._place(rng)
        side = self.data.crop
        image = resized(self.store.image(position), self.data.resize)
        mask = resized_mask(self.store.mask(position), self.data.resize)
        matrix = np.eye(2)
        if augmented:
            matrix = random_matrix(self.augment, rng)
            centre = centre + random_shift(self.augment, side, rng)
        half, size = side / 2, np.array([image.shape[1], image.shape[0]], float)
        centre = np.where(size > side, np.clip(centre, half, np.maximum(size - half, half)), size / 2) - 0.5
        pixels, labels = warp(image, mask, centre, matrix, side)
        normalised = self.normalisation(pixels)
        return pixels, (jitter(normalised, self.augment, rng) if augmented else normalised, labels)

    def batches(self, epoch: int, crops: int, batch: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        """The crops of an epoch, `batch` at a time: float32 [batch, side, side, channels], uint8 [batch, side, side].

        A last, smaller batch is left out: batch normalisation would see it differently. A thread works ahead.
        """

        def make(first: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            drawn = [self.draw(epoch, index)[1] for index in range(first, first + batch)]
            return np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])

        firsts = range(0, crops - batch + 1, batch)
        with ThreadPoolExecutor(max_workers=1) as pool:
            waiting = deque(pool.submit(make, first) for first in firsts[:AHEAD])
            for position in range(len(firsts)):
                ready = waiting.popleft().result()
                if position + AHEAD < len(firsts):
                    waiting.append(pool.submit(make, firsts[position + AHEAD]))
                yield ready

    def _place(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """An image's position in the store and the centre (x, y) of a crop in it, in pixels after any resizing."""
        if self.points and rng.random() < self.data.rare:
            places = self.points[int(rng.choice(list(self.points)))]
            position, points = places[int(rng.integers(len(places)))]
            share = points[int(rng.integers(len(points)))]
        else:
            position, share = int(rng.choice(self.indices)), rng.random(2)
        record = self.store.records[position]
        width, height = (self.data.resize or record.width), (self.data.resize or record.height)
        return position, share * [width, height]

    def _points(self, label: int) -> list[tuple[int, NDArray[np.float64]]]:
        """For each image that holds the class: its position, and places of the class as shares [n, 2] of (width, height)."""
        found = []
        for position in self.indices:
            if not self.store.records[position].pixels[label]:
                continue
            mask = self.store.mask(position)
            flat = np.flatnonzero(mask == label)
            if len(flat) > MOST_POINTS:
                flat = np.random.default_rng([self.seed, position]).choice(flat, MOST_POINTS, replace=False)
            rows, columns = np.divmod(flat, mask.shape[1])
            found.append((position, (np.stack([columns, rows], axis=1) + 0.5) / [mask.shape[1], mask.shape[0]]))
        return found


def rare_classes(store: Store, indices: Sequence[int]) -> list[int]:
    """The classes with less than half of an even share of the training pixels, but more than none."""
    pixels = np.sum([store.records[index].pixels for index in indices], axis=0)
    shares = pixels / pixels.sum()
    return [label for label, share in enumerate(shares) if 0 < share < 0.5 / len(shares)]
