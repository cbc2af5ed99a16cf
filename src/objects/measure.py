"""Measure all objects of an image together, strip by strip: size, shape, intensities and probability.

Everything is a sum, a maximum or a minimum over runs, the pixels of one object that follow each other in a row. The
measures equal those of scikit-image's regionprops, which needs a few milliseconds for each object and a copy of its
whole bounding box.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.reading.channels import Pixels
from src.data.store.store import release, strips
from src.objects.components import Index, Numbers, Objects

Values = NDArray[np.float64]
Probability = Callable[[slice], Values]  # rows → the probability of the class of each pixel, float64 [rows, width]
HALO = 2  # rows above and below a strip that the outlines of its pixels depend on
STEPS = np.zeros(50)  # length of the outline at a border pixel, by 1 + 2 × sides + 10 × corners that are border, too
STEPS[[5, 7, 15, 17, 25, 27]], STEPS[[21, 33]], STEPS[[13, 23]] = 1, math.sqrt(2), (1 + math.sqrt(2)) / 2


@dataclass(frozen=True)
class Measures:
    """Measures of the objects of an image, in pixels, in the order of their numbers.

    Attributes:
        areas: Number of pixels, int64 [objects].
        perimeters: Length of the line through the centres of the border pixels, float64 [objects], as the rest
            (Benkrid and Crookes 2000, as scikit-image's `perimeter` with 4 neighbours).
        centres: x and y of the centroid, from the top left corner of the image, [objects, 2].
        spreads: Variances of x and y and their covariance, [objects, 3].
        means: Mean intensity of each channel, [objects, channels].
        maxima: Largest intensity of each channel, [objects, channels].
        probabilities: Mean probability of the class of the object, [objects].
    """

    areas: Index
    perimeters: Values
    centres: Values
    spreads: Values
    means: Values
    maxima: Values
    probabilities: Values

    @property
    def diameters(self) -> Values:
        """The diameter of a disc of the same area, float64 [objects]."""
        return np.sqrt(4 * self.areas / np.pi)

    def eccentricities(self, pixel: tuple[float, float] = (1.0, 1.0)) -> Values:
        """The eccentricity of the ellipse with the same moments, float64 [objects]: 0 for a disc, near 1 for a line.

        Args:
            pixel: Height and width of a pixel, if pixels are not square.
        """
        height, width = pixel
        xx, yy, xy = self.spreads.T * np.array([[width**2], [height**2], [width * height]])
        half, root = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        with np.errstate(invalid="ignore"):
            share = np.clip((half - root) / (half + root), 0, 1)
        return np.where(half + root > 0, np.sqrt(1 - share), 0.0)


def measure_objects(objects: Objects, image: Pixels, probability: Probability) -> Measures:
    """Measure the objects of an image.

    Args:
        objects: The objects.
        image: The image, [height, width, channels].
        probability: Returns the probability of the class of each pixel, for some rows.

    Returns:
        The measures; empty if there are no objects.
    """
    channels, numbers = image.shape[2], objects.numbers
    sums = np.zeros((7 + channels, len(objects) + 1))  # area, perimeter, x, y, xx, yy, xy … of each number
    shares, maxima = np.zeros(len(objects) + 1), np.full((channels, len(objects) + 1), -np.inf)
    for rows in strips(*numbers.shape):
        runs = _Runs.of(numbers[rows], rows.start)
        runs.add(sums[0], runs.lengths)
        runs.add_moments(sums[2:7])
        for channel in range(channels):
            pixels = image[rows, :, channel].ravel()
            runs.add(sums[7 + channel], runs.sums(pixels))
            np.maximum.at(maxima[channel], runs.numbers, runs.maxima(pixels))
        runs.add(shares, runs.sums(probability(rows).ravel()))
        _add_steps(sums[1], numbers, rows)
        release(numbers)
        release(image)
    return _measures(sums[:, 1:], maxima[:, 1:], shares[1:])


def _measures(sums: Values, maxima: Values, shares: Values) -> Measures:
    area, perimeter, x, y, xx, yy, xy = sums[:7]
    centre_x, centre_y = x / area, y / area
    spreads = [xx / area - centre_x**2, yy / area - centre_y**2, xy / area - centre_x * centre_y]
    centres = np.stack([centre_x, centre_y], axis=1) + 0.5
    areas = area.astype(np.int64)
    return Measures(areas, perimeter, centres, np.stack(spreads, 1), (sums[7:] / area).T, maxima.T, shares / area)


@dataclass(frozen=True)
class _Runs:
    """Runs of objects in a strip of rows.

    Attributes:
        numbers: The number of the object of each run, int64 [runs], as the next three.
        rows: The row in the image.
        columns: The first column.
        lengths: The number of pixels.
        starts: The first pixel of each run, of the background too, in the pixels of the strip.
        kept: Which of these are runs of objects, bool.
    """

    numbers: Index
    rows: Index
    columns: Index
    lengths: Index
    starts: Index
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, numbers: Numbers, top: int) -> "_Runs":
        """Find the runs of a strip, uint32 [rows, width], whose first row is `top`."""
        width, flat = numbers.shape[1], numbers.ravel()
        changed = np.ones(len(flat), bool)
        changed[1:] = flat[1:] != flat[:-1]
        changed[::width] = True
        starts = np.flatnonzero(changed)
        kept = flat[starts] > 0
        rows, columns = np.divmod(starts[kept], width)
        lengths = np.diff(starts, append=len(flat))[kept]
        return cls(flat[starts[kept]].astype(np.int64), rows + top, columns, lengths, starts, kept)

    def add(self, total: Values, values: NDArray[np.generic]) -> None:
        """Add a value of each run to the total of its object, float64 [objects + 1]."""
        if len(self.numbers):
            first, last = int(self.numbers.min()), int(self.numbers.max()) + 1
            total[first:last] += np.bincount(self.numbers - first, values, last - first)

    def add_moments(self, totals: Values) -> None:
        """Add the sums of x, y, x², y² and xy over the pixels of each run, float64 [5, objects + 1]."""
        n, x, y = (values.astype(np.float64) for values in (self.lengths, self.columns, self.rows))
        steps, squares = n * (n - 1) / 2, (n - 1) * n * (2 * n - 1) / 6  # sums of 0 … n - 1 and of their squares
        sum_x = n * x + steps
        for total, values in zip(
            totals, (sum_x, n * y, n * x**2 + 2 * x * steps + squares, n * y**2, y * sum_x), strict=True
        ):
            self.add(total, values)

    def sums(self, pixels: NDArray[np.generic]) -> Values:
        """The sum of each run, float64 [runs]."""
        kind = np.float64 if pixels.dtype.kind == "f" else np.int64
        return np.add.reduceat(pixels, self.starts, dtype=kind)[self.kept].astype(np.float64)

    def maxima(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """The largest value of each run, [runs]."""
        largest: NDArray[np.generic] = np.maximum.reduceat(pixels, self.starts)[self.kept]
        return largest


def _add_steps(total: Values, numbers: Numbers, rows: slice) -> None:
    """Add the lengths of the outline at the border pixels of some rows to the total of each object."""
    first, last = max(rows.start - HALO, 0), min(rows.stop + HALO, len(numbers))
    above, below = HALO - (rows.start - first), HALO - (last - rows.stop)
    padded = np.pad(numbers[first:last], ((above, below), (HALO, HALO)))
    own = padded[1:-1, 1:-1]
    sides = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    border = np.where((own != sides[0]) | (own != sides[1]) | (own != sides[2]) | (own != sides[3]), own, 0)
    y, x = np.nonzero(border[1:-1, 1:-1])
    centre, code = border[y + 1, x + 1], np.ones(len(y), np.int64)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            if (down, right) != (1, 1):
                weight = 10 if down != 1 and right != 1 else 2
                code += weight * (border[y + down, x + right] == centre)
    if len(centre):
        start = int(centre.min())
        counts = np.bincount(centre.astype(np.int64) - start, STEPS[code])
        total[start : start + len(counts)] += counts
