"""Draw training patches: choose where they lie, cut and augment them, and prepare batches ahead of the network."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.crops.augment import jitter, random_matrix, random_shift, warp
from src.data.crops.normalise import Normalisation
from src.data.crops.resize import scaled_size
from src.data.crops.resized_pairs import ResizedPairs
from src.data.store.store import Pixels, release, strips
from src.data.store.subsets import Subset
from src.params import Encoder, PlannedAugment, PlannedData
from src.progress import parallel_map

MOST_POINTS = 4096  # stored locations of one rare class in one image
ALL_POINTS = 2**20  # stored locations of one rare class in all images together: 16 MiB
AHEAD = 4  # batches that are prepared before they are asked for
EVEN_SHARE = 0.5  # a class with less than this part of an even share of the pixels is rare


@dataclass(frozen=True)
class Patch:
    """One training patch.

    Attributes:
        pixels: The image as stored, [side, side, channels], warped but with unchanged intensities.
        image: The image as the network sees it, float32 [side, side, channels], normalised and augmented.
        mask: uint8 [side, side] of labels, see `LabelFormat`.
        normalisation: How `image` was normalised.
    """

    pixels: Pixels
    image: NDArray[np.float32]
    mask: NDArray[np.uint8]
    normalisation: Normalisation

    def shown(self) -> Pixels:
        """Return the image as the network sees it, converted back to the number type of the store."""
        return self.normalisation.undo(self.image, self.pixels.dtype)


@dataclass(frozen=True)
class ClassLocations:
    """Where a rare class lies in the training images.

    Attributes:
        positions: Positions in the store of the images that contain the class.
        probabilities: Float64 [images], the probability of drawing each of them. It is proportional to the square root
            of the class's pixels in the image, so that neither one large object nor many specks fill the patches.
        points: For each image, float64 [n, 2]: centres (x, y) of pixels of the class, as shares of width and height.
    """

    positions: list[int]
    probabilities: NDArray[np.float64]
    points: list[NDArray[np.float64]]

    @classmethod
    def sample(cls, images: Subset, label: int, seed: int) -> "ClassLocations":
        """Draw locations of a class, at most `MOST_POINTS` in each image.

        Args:
            images: The training images; at least one must contain the class.
            label: The class index.
            seed: Seed of the draw.
        """
        store, labels = images.store, LabelFormat.of(images.store.dataset)
        positions = [index for index in images.indices if store.records[index].pixels[label]]
        weights = np.sqrt([store.records[position].pixels[label] for position in positions])
        points, most = [], min(MOST_POINTS, -(-ALL_POINTS // len(positions)))
        for position in positions:
            rng = np.random.default_rng([seed, position])
            pixels = store.records[position].pixels[label]
            ranks = np.sort(rng.choice(pixels, min(pixels, most), replace=False, shuffle=False))
            rows, columns = _pixels_of_class(store.mask(position), labels, label, ranks)
            size = store.records[position].width, store.records[position].height
            points.append((np.stack([columns, rows], axis=1) + 0.5) / size)
        return cls(positions, weights / weights.sum(), points)

    def draw(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """Draw the position of an image, and a point (x, y) in it as shares of width and height."""
        chosen = int(rng.choice(len(self.positions), p=self.probabilities))
        return self.positions[chosen], self.points[chosen][int(rng.integers(len(self.points[chosen])))]


def _pixels_of_class(
    mask: NDArray[np.uint8], labels: LabelFormat, label: int, ranks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels of a class with these ranks (sorted), counted row by row from 0."""
    before, flat = 0, []
    for rows in strips(*mask.shape):
        pixels = np.flatnonzero(labels.of_class(mask[rows], label))
        inside = ranks[np.searchsorted(ranks, before) : np.searchsorted(ranks, before + len(pixels))]
        flat.append(pixels[inside - before] + rows.start * mask.shape[1])
        before += len(pixels)
        release(mask)
    return np.divmod(np.concatenate(flat), mask.shape[1])


class Patches:
    """Random patches of some images. A patch depends only on the seed, the epoch and its index in the epoch.

    Attributes:
        store: The prepared data set.
        indices: Positions of the images in the store.
        data: The planned section `data`.
        augment: The planned section `augment`.
        seed: The seed of all draws.
        moments: The normalisation by the moments of these images.
        normalisation: The normalisation that all images share, unless data.normalise is image.
        rare: class index → locations of that class, for the classes that are drawn more often.
    """

    def __init__(
        self, images: Subset, data: PlannedData, augment: PlannedAugment, seed: int, *, encoder: Encoder = "plain"
    ) -> None:
        """Find the locations of rare classes.

        Args:
            images: The training images.
            data: The planned section `data`.
            augment: The planned section `augment`.
            seed: The seed of all draws.
            encoder: model.encoder, for data.normalise: encoder.
        """
        self.store, self.indices = images.store, list(images.indices)
        self.data, self.augment, self.seed = data, augment, seed
        self.normalisation = self.moments = Normalisation.of_records(images.records)
        if data.normalise == "encoder":
            self.normalisation = Normalisation.of_encoder(encoder, images.store.dtype, images.store.channels)
        self._of_image: dict[int, Normalisation] = {}  # by position, filled as needed
        self._resized = ResizedPairs(images.store, data.resize) if data.resize else None
        rare = rare_classes(images) if data.oversample_rare else []
        self.rare = {label: ClassLocations.sample(images, label, seed) for label in rare}

    def normalisation_of(self, position: int) -> Normalisation:
        """Return the normalisation of an image: the common one, or its own if data.normalise is image."""
        if self.data.normalise != "image":
            return self.normalisation
        if position not in self._of_image:
            self._of_image[position] = Normalisation.of_image(self.store.image(position))
        return self._of_image[position]

    def pair(self, position: int) -> tuple[Pixels, NDArray[np.uint8]]:
        """Return an image and its mask in the size that the network sees."""
        if self._resized:
            return self._resized.pair(position)
        return self.store.image(position), self.store.mask(position)

    def draw(self, epoch: int, index: int, *, augmented: bool = True) -> Patch:
        """Draw one patch.

        Args:
            epoch: The epoch, from 1.
            index: The number of the patch in the epoch, from 0.
            augmented: Whether to augment. Without it, the patch lies at the same place, not warped and not changed.
        """
        rng = np.random.default_rng([self.seed, epoch, index])
        position, centre = self.draw_centre(rng)
        side = self.data.crop
        matrix = np.eye(2)
        if augmented:
            matrix = random_matrix(self.augment, rng)
            centre = centre + random_shift(self.augment, side, rng)
        centre = np.floor(centre - side / 2) + (side - 1) / 2  # whole pixels, so that no patch is blurred by the shift
        pixels, labels = warp(*self.pair(position), centre, matrix, side)
        normalisation = self.normalisation_of(position)
        normalised = normalisation(pixels)
        return Patch(pixels, jitter(normalised, self.augment, rng) if augmented else normalised, labels, normalisation)

    def batches(
        self, steps: Iterable[tuple[int, int]], batch: int, part: slice = slice(None)
    ) -> Generator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        """Make the batches of some steps. A thread prepares `AHEAD` batches in advance, across epochs too.

        Args:
            steps: For each step its epoch, from 1, and its number in the epoch, from 0.
            batch: The number of patches in a batch.
            part: Which patches of each batch to make, where several processes share a batch.

        Yields:
            Images, float32 [batch, side, side, channels], and masks, uint8 [batch, side, side].
        """

        def make(step: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            epoch, number = step
            indices = range(number * batch, (number + 1) * batch)[part]
            patches = [self.draw(epoch, index) for index in indices]
            self.store.release()
            return np.stack([patch.image for patch in patches]), np.stack([patch.mask for patch in patches])

        yield from parallel_map(make, steps, threads=1, waiting=AHEAD)

    def rare_names(self) -> str:
        """Return the names of the rare classes, separated by commas, or none."""
        return ", ".join(self.store.dataset.names[label] for label in self.rare) or "none"

    def draw_centre(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        """Draw an image and the centre of a patch in it. data.oversample_rare of the patches have a rare class there.

        The patch lies inside the image, or is centred on it in a direction in which the image is smaller.

        Returns:
            The position of the image in the store, and the centre (x, y) in pixels of the scaled image, float64 [2].
        """
        rare = bool(self.rare) and rng.random() < self.data.oversample_rare
        if rare:
            position, share = self.rare[int(rng.choice(list(self.rare)))].draw(rng)
        else:
            position, share = int(rng.choice(self.indices)), rng.random(2)
        record = self.store.records[position]
        size = np.array(scaled_size(record.height, record.width, self.data.resize)[::-1], float)
        low, high = np.minimum(self.data.crop, size) / 2, size - np.minimum(self.data.crop, size) / 2
        return position, np.clip(share * size, low, high) if rare else low + share * (high - low)


def rare_classes(images: Subset) -> list[int]:
    """Return the class indices with less than half of an even share of the pixels; classes without pixels are left out.

    With three classes, an even share is one third. Overlapping classes share the pixels with those of no class.
    """
    shares = class_shares(images)
    parts = len(shares) + images.store.dataset.overlap
    return [label for label, share in enumerate(shares) if 0 < share < EVEN_SHARE / parts]


def class_shares(images: Subset) -> list[float]:
    """Return the share of each class in the counted pixels of some images; of overlapping ones the sum may exceed 1."""
    pixels = np.sum([record.pixels for record in images.records], axis=0)
    return list((pixels / sum(record.counted_pixels for record in images.records)).tolist())
