"""Recognise upright scenes from where the classes lie, which decides in which directions patches may be mirrored.

In a photograph of a street, sky is above and road is below, so an image that is upside down shows nothing that occurs.
In a microscope or from a satellite, every direction is as likely as its opposite, and mirrored images are further
examples. Each axis is decided by itself: a radiograph of the chest has an up and a down, and, with the heart, a left
and a right.

Along an axis, the profile of an image is the share of each class in `BANDS` equal bands. Its asymmetry is the profile
minus its mirror image. If the axis has no direction, the asymmetries of independent images point in random directions,
and the mean cosine of two of them is 0. In upright scenes they point in the same direction. Profiles are measured in
the image, which shows where the classes lie, and around the centre of the foreground, which shows its shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import Subset

MOST_MASKS = 128  # masks that are measured, evenly spaced among those of the training images
SIDE, BANDS = 64, 16  # rows and columns of a mask that are read, evenly spaced, and bands that they are divided into
LEAST_COSINE = 0.5  # as if 85 of 100 images were upright and 15 upside down; streets reach 0.8, retinal vessels 0.2
LEAST_SHARE = 0.1  # of the foreground's pixels; if fewer lie elsewhere, mirroring changes hardly anything
FEWEST = 12  # independent groups: by chance, fewer than 1 in 100 data sets with 12 of them reach `LEAST_COSINE`

Lines = NDArray[np.float64]  # [images, SIDE, classes]: share of each class in each row, or in each column


@dataclass(frozen=True)
class Asymmetry:
    """How the distribution of the classes along one axis differs from its mirror image, over all groups.

    Attributes:
        cosine: Mean cosine between the asymmetries of two groups. 1: all differ in the same way; 0: each in its own.
        share: Share of the foreground's pixels that lie elsewhere in the mirrored mean profile, from 0 to 1.
        independent: How many independent groups the measured ones amount to. Neighbours by name that are alike, such as
            frames of a video, count as fewer.
    """

    cosine: float = 0.0
    share: float = 0.0
    independent: float = 0.0

    @property
    def consistent(self) -> bool:
        """Whether the axis has a direction, so that mirrored images would show what does not occur."""
        return self.cosine >= LEAST_COSINE and self.share >= LEAST_SHARE and self.independent >= FEWEST


@dataclass(frozen=True)
class Layout:
    """Where the classes lie in the images.

    Attributes:
        vertical: Above and below.
        horizontal: Left and right.
    """

    vertical: Asymmetry = Asymmetry()
    horizontal: Asymmetry = Asymmetry()


def measure_layout(trained: Subset) -> Layout:
    """Measure where the classes lie.

    Args:
        trained: The training images.
    """
    store, dataset = trained.store, trained.store.dataset
    step = -(-len(trained) // MOST_MASKS)
    measured = sorted(zip(trained.indices, trained.groups, strict=True))[::step]
    rows, columns = [], []
    for index, _ in measured:
        seen = LabelFormat.of(dataset).planes(_thinned(store.mask(index)))
        rows.append(seen.mean(axis=1))
        columns.append(seen.mean(axis=0))
        store.release()
    groups = [group for _, group in measured]
    return Layout(*(measure_asymmetry(np.stack(lines), groups, dataset.foreground) for lines in (rows, columns)))


def flip(layout: Layout) -> tuple[str, str]:
    """Choose augment.flip: mirror the axes that have no direction.

    Args:
        layout: Where the classes lie.

    Returns:
        The value and the reason.
    """
    vertical, horizontal = layout.vertical, layout.horizontal
    agreement = f"agreement of images {vertical.cosine:.2f} of 1"
    sideways = f"left and right {horizontal.cosine:.2f}"
    if vertical.consistent and horizontal.consistent:
        return "none", f"each class has its place above or below and left or right ({agreement}, {sideways})"
    if vertical.consistent:
        return "horizontal", f"upright scenes: classes lie above or below others ({agreement})"
    if horizontal.consistent:
        return "vertical", f"classes lie left or right of others (agreement of images {horizontal.cosine:.2f} of 1)"
    if max(vertical.independent, horizontal.independent) < FEWEST:
        return "both", f"too few independent images to tell whether they have an up and a down: fewer than {FEWEST}"
    return "both", f"where classes lie shows no common up and down ({agreement}) or left and right"


def measure_asymmetry(lines: Lines, groups: Sequence[str], foreground: Sequence[int]) -> Asymmetry:
    """Compare the distribution of classes along one axis with its mirror image, in the image and in the foreground.

    Args:
        lines: [images, SIDE, classes], in an order in which neighbours may be alike.
        groups: The group of each image.
        foreground: Indices of the foreground classes.

    Returns:
        The asymmetry of the place or of the shape: of those with `LEAST_SHARE`, the one with the larger cosine, and the
        smaller number of independent groups.
    """
    placed, shaped = asymmetry(lines, groups, foreground), asymmetry(centred(lines, foreground), groups, foreground)
    clear = [one for one in (placed, shaped) if one.share >= LEAST_SHARE]
    if not clear:
        return placed
    fewest = min(one.independent for one in clear)
    return max((replace(one, independent=fewest) for one in clear), key=lambda one: one.cosine)


def asymmetry(lines: Lines, groups: Sequence[str], foreground: Sequence[int]) -> Asymmetry:
    """Compare profiles along one axis with their mirror images.

    Args:
        lines: [images, SIDE, classes], in an order in which neighbours may be alike.
        groups: The group of each image.
        foreground: Indices of the foreground classes.

    Returns:
        The asymmetry. All values are 0 if fewer than two groups differ from their mirror image.
    """
    profiles = lines.reshape(len(lines), BANDS, -1, lines.shape[2]).mean(axis=2)
    differences = profiles - profiles[:, ::-1]
    names = np.array(groups)
    of_groups = [differences[names == group, : BANDS // 2].mean(axis=0).ravel() for group in dict.fromkeys(groups)]
    directions = [difference / length for difference in of_groups if (length := np.linalg.norm(difference))]
    count = len(directions)
    if count < 2:
        return Asymmetry()
    cosine = (np.square(np.sum(directions, axis=0)).sum() - count) / (count * (count - 1))
    pixels = profiles.mean(axis=0)[:, foreground].sum()
    elsewhere = np.abs(differences.mean(axis=0)[:, foreground]).sum() / 2
    share = elsewhere / pixels if pixels else 0.0
    return Asymmetry(float(cosine), float(share), independent_members(np.array(directions)))


def centred(lines: Lines, foreground: Sequence[int]) -> Lines:
    """Shift the lines of each image so that the centre of the foreground lies in the middle; the background becomes 0.

    Args:
        lines: [images, SIDE, classes].
        foreground: Indices of the foreground classes.
    """
    result = np.zeros_like(lines)
    for image, shifted in zip(lines, result, strict=True):
        pixels = image[:, foreground].sum(axis=1)
        if not pixels.sum():
            continue
        centre = (pixels * np.arange(SIDE)).sum() / pixels.sum()
        places = np.arange(SIDE) + round(centre - (SIDE - 1) / 2)
        inside = (places >= 0) & (places < SIDE)
        shifted[np.ix_(inside, foreground)] = image[np.ix_(places[inside], foreground)]
    return result


def independent_members(series: NDArray[np.float64]) -> float:
    """Count the independent members that a series of vectors amounts to.

    With a correlation r between neighbours, n members of a first-order autoregressive series fix its mean as well as
    n (1 - r) / (1 + r) independent ones. r is found from the differences of neighbours (von Neumann 1941, Annals of
    Mathematical Statistics 12), since the mean of a slowly drifting series says little about its variance.

    Args:
        series: float64 [vectors, n], two or more, in the order in which neighbours may be alike.

    Returns:
        A number from 0 to that of the vectors; 0 if all are equal.
    """
    count = len(series)
    spread = np.square(series - series.mean(axis=0)).sum() / count
    steps = np.square(np.diff(series, axis=0)).sum() / (count - 1) / 2
    correlation = max(1 - steps / spread, 0.0) if spread else 1.0
    return float(count * (1 - correlation) / (1 + correlation))


def _thinned(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`SIDE` rows and columns of a mask."""
    places = np.arange(SIDE) + 0.5
    return mask[np.ix_(*((places * side / SIDE).astype(int) for side in mask.shape))]
