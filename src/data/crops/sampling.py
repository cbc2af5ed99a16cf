"""Training patches: where they lie, how they are drawn, and batches of them made ahead of the network."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.crops.augment import jitter, random_matrix, random_shift, warp
from src.data.crops.normalise import Normalisation
from src.data.crops.resize import Resized
from src.data.store.store import release, strips
from src.data.store.subsets import Subset
from src.params import Augment, PlannedData
from src.progress import parallel_map

MOST_POINTS = 4096  # remembered places of one rare class in one image
ALL_POINTS = 2**20  # and in all images together: 16 MiB
AHEAD = 4  # batches made before they are asked for


@dataclass(frozen=True)
class Patch:
    """What training sees: the image float32 [side, side, channels], normalised, and the mask uint8 [side, side].

    pixels: the image before it was normalised, and not augmented in its intensities.
    """

    pixels: NDArray[Any]
    image: NDArray[np.float32]
    mask: NDArray[np.uint8]
    normalisation: Normalisation

    def shown(self) -> NDArray[Any]:
        """The image as training sees it, in the numbers that it is stored in."""
        return self.normalisation.undo(self.image, self.pixels.dtype)


@dataclass(frozen=True)
class Places:
    """Where a rare class lies in the training images.

    positions: of the images that hold it, in the store; probabilities: of drawing each, by the square root of
    the class's pixels in it, so that neither one large object nor many specks fill the patches; points: for each image,
    centres of such pixels as shares [n, 2] of (width, height).
    """

    positions: list[int]
    probabilities: NDArray[np.float64]
    points: list[NDArray[np.float64]]

    @classmethod
    def of(cls, images: Subset, label: int, seed: int) -> "Places":
        store = images.store
        positions = [index for index in images.indices if store.records[index].pixels[label]]
        weights = np.sqrt([store.records[position].pixels[label] for position in positions])
        points, most = [], min(MOST_POINTS, -(-ALL_POINTS // len(positions)))
        for position in positions:
            rng = np.random.default_rng([seed, position])
            number = min(store.records[position].pixels[label], most)
            rows, columns = _places(store.mask(position), label, store.records[position].pixels[label], number, rng)
            size = store.records[position].width, store.records[position].height
            points.append((np.stack([columns, rows], axis=1) + 0.5) / size)
        return cls(positions, weights / weights.sum(), points)

    def draw(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """An image's position and a point in it, as a share of (width, height)."""
        chosen = int(rng.choice(len(self.positions), p=self.probabilities))
        return self.positions[chosen], self.points[chosen][int(rng.integers(len(self.points[chosen])))]


def _places(
    mask: NDArray[np.uint8], label: int, pixels: int, number: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of some pixels of a class, drawn evenly, strip by strip. pixels: that the mask holds of it."""
    ranks = np.sort(rng.choice(pixels, number, replace=False, shuffle=False))
    before, flat = 0, []
    for rows in strips(*mask.shape):
        held = np.flatnonzero(mask[rows] == label)
        inside = ranks[np.searchsorted(ranks, before) : np.searchsorted(ranks, before + len(held))]
        flat.append(held[inside - before] + rows.start * mask.shape[1])
        before += len(held)
        release(mask)
    return np.divmod(np.concatenate(flat), mask.shape[1])


class Patches:
    """Random patches of some images; crop `index` of an epoch depends on (seed, epoch, index) alone."""

    def __init__(self, images: Subset, data: PlannedData, augment: Augment, seed: int) -> None:
        self.store, self.indices = images.store, list(images.indices)
        self.data, self.augment, self.seed = data, augment, seed
        self.normalisation = Normalisation.of(images.records)
        self.of_image: dict[int, Normalisation] = {}  # by position, as they are needed
        self.resized = Resized(images.store, data.resize) if data.resize else None
        rare = rare_classes(images) if data.oversample_rare else []
        self.rare = {label: Places.of(images, label, seed) for label in rare}

    def normalisation_of(self, position: int) -> Normalisation:
        """That of the training images, or with data.normalise: image that of the image itself."""
        if self.data.normalise == "dataset":
            return self.normalisation
        if position not in self.of_image:
            self.of_image[position] = Normalisation.of_image(self.store.image(position))
        return self.of_image[position]

    def pair(self, position: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """An image and its mask in the size that the network sees."""
        if self.resized:
            return self.resized.pair(position)
        return self.store.image(position), self.store.mask(position)

    def draw(self, epoch: int, index: int, *, augmented: bool = True) -> Patch:
        """Patch `index` of an epoch; without augmentation it lies at the same place, straight and unchanged."""
        rng = np.random.default_rng([self.seed, epoch, index])
        position, centre = self.place(rng)
        side = self.data.crop
        matrix = np.eye(2)
        if augmented:
            matrix = random_matrix(self.augment, rng)
            centre = centre + random_shift(self.augment, side, rng)
        centre = np.floor(centre - side / 2) + (side - 1) / 2  # whole pixels: a straight crop must not be blurred
        pixels, labels = warp(*self.pair(position), centre, matrix, side)
        normalisation = self.normalisation_of(position)
        normalised = normalisation(pixels)
        return Patch(pixels, jitter(normalised, self.augment, rng) if augmented else normalised, labels, normalisation)

    def batches(
        self, steps: Iterable[tuple[int, int]], batch: int, part: slice = slice(None)
    ) -> Generator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        """Images float32 [batch, side, side, channels] and masks uint8 [batch, side, side] of each step.

        steps: of each its epoch, from 1, and its number in that, from 0; part: which patches of each batch to make.
        A thread works ahead, over the ends of epochs too.
        """

        def make(step: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            epoch, number = step
            indices = range(number * batch, (number + 1) * batch)[part]
            drawn = [self.draw(epoch, index) for index in indices]
            self.store.release()
            return np.stack([crop.image for crop in drawn]), np.stack([crop.mask for crop in drawn])

        yield from parallel_map(make, steps, threads=1, waiting=AHEAD)

    def rare_names(self) -> str:
        """The rare classes in words."""
        return ", ".join(self.store.dataset.names[label] for label in self.rare) or "none"

    def place(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """An image's position in the store and the centre (x, y) of a crop in it, in pixels after any resizing.

        The crop lies inside the image, or in its middle where the image is smaller.
        """
        rare = bool(self.rare) and rng.random() < self.data.oversample_rare
        if rare:
            position, share = self.rare[int(rng.choice(list(self.rare)))].draw(rng)
        else:
            position, share = int(rng.choice(self.indices)), rng.random(2)
        record = self.store.records[position]
        size = np.array([self.data.resize or record.width, self.data.resize or record.height], float)
        low, high = np.minimum(self.data.crop, size) / 2, size - np.minimum(self.data.crop, size) / 2
        return position, np.clip(share * size, low, high) if rare else low + share * (high - low)


def rare_classes(images: Subset) -> list[int]:
    """The classes with less than half of an even share of the training pixels, but more than none."""
    pixels = np.sum([record.pixels for record in images.records], axis=0)
    shares = pixels / pixels.sum()
    return [label for label, share in enumerate(shares) if 0 < share < 0.5 / len(shares)]
