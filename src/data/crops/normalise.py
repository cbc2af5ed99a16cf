"""Normalise images for the network, in training and in prediction alike.

The network sees standardised intensities. Whole numbers (8 and 16 bits) are replaced by their square roots first. The
root gives more of the range to dark pixels, which are the most frequent in many data sets, and less to bright ones.
The number type alone decides whether the root is taken, not the values. Floats are used as they are, since they
may be negative or logarithms already. With data.normalise: encoder, whole numbers are scaled without the root, as the
weights of a pretrained encoder expect.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from src.data.store.store import Pixels, Record, release, strips
from src.encoders import ENCODERS
from src.params import Encoder

LEVELS = np.arange(256, dtype=np.float32)
ROOTS = np.sqrt(LEVELS)
LARGEST = 1e18  # for floats: the square of a larger number overflows float32
FLAT = 1e-6  # standard deviation, as a share of the mean, below which an image is constant but for rounding
UNLIKE = 8.0  # factor in brightness that is reported; 12 bits in place of 16 make images 16 times darker
THINNED = 512  # pixels of an image's shorter side that are enough to estimate its brightness


def scaled_intensities(pixels: Pixels) -> NDArray[np.float32]:
    """Return square roots of uint8 and uint16, and float32 unchanged; any shape."""
    if pixels.dtype == np.uint8:
        return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), ROOTS), np.float32).reshape(pixels.shape)
    return np.sqrt(pixels, dtype=np.float32) if pixels.dtype == np.uint16 else np.asarray(pixels, np.float32)


def has_usable_values(image: Pixels) -> bool:
    """Return whether an image [height, width, ...] has no NaN, infinite or extremely large values."""
    if image.dtype != np.float32:
        return True
    for rows in strips(*image.shape[:2]):
        if not (abs(image[rows]) < LARGEST).all():
            return False
        release(image)
    return True


def intensity_moments(image: Pixels, counted: NDArray[np.bool_] | None = None) -> tuple[list[float], list[float]]:
    """Compute mean and standard deviation of an image's scaled intensities, strip by strip.

    The strips are combined as in Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances (1979).

    Args:
        image: [height, width, channels].
        counted: bool [height, width], the pixels to use; None for all.

    Returns:
        The mean and the standard deviation of each channel; 0 and 0 if no pixel is used.
    """
    pixels, mean, variance = 0, np.zeros(image.shape[2]), np.zeros(image.shape[2])
    for rows in strips(*image.shape[:2]):
        used = None if counted is None else counted[rows].astype(np.uint8)
        number = image[rows].shape[0] * image.shape[1] if used is None else int(np.count_nonzero(used))
        strip_mean, strip_std = _strip_moments(image[rows], used)
        pixels += number
        share = number / max(pixels, 1)
        variance = (1 - share) * variance + share * strip_std**2 + share * (1 - share) * (strip_mean - mean) ** 2
        mean = mean + share * (strip_mean - mean)
        release(image)
    return mean.tolist(), np.sqrt(variance).tolist()


def has_other_range(image: Pixels, mean: Sequence[float]) -> bool:
    """Return whether an image is `UNLIKE` times darker or brighter than the training images.

    This happens with another bit depth or scale. For floats with a mean of 0 or less, nothing can be said, and the
    answer is False.

    Args:
        image: [height, width, channels] of the number type of the training images.
        mean: Mean scaled intensity of the training images, for each channel.
    """
    step = max(1, min(image.shape[:2]) // THINNED)
    found, usual = float(scaled_intensities(image[::step, ::step]).mean()), float(np.mean(mean))
    if min(found, usual) <= 0:
        return False
    ratio = (found / usual) ** (1 if image.dtype == np.float32 else 2)
    return not 1 / UNLIKE < ratio < UNLIKE


def _strip_moments(pixels: Pixels, used: NDArray[np.uint8] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel; for 8 bits from the histogram, which is faster."""
    if pixels.dtype != np.uint8:
        mean, std = cv2.meanStdDev(scaled_intensities(pixels), mask=used)
        return np.asarray(mean, float).ravel(), np.asarray(std, float).ravel()
    counts = [cv2.calcHist([pixels], [c], used, [256], [0, 256]).ravel() for c in range(pixels.shape[2])]
    shares = np.array(counts, float)  # OpenCV counts in float32, exact up to 2**24, which is more than a strip
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    mean = shares @ ROOTS.astype(float)
    return mean, np.sqrt((shares * (ROOTS - mean[:, None]) ** 2).sum(axis=1))


def pooled_moments(records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Compute mean and standard deviation of each channel over all counted pixels of some images.

    They follow from the moments of each image, weighted by its number of counted pixels.
    """
    weights = np.array([record.counted_pixels for record in records], float)
    weights /= weights.sum()
    means, stds = (np.array([getattr(record, name) for record in records]) for name in ("mean", "std"))
    mean = weights @ means
    variance = weights @ (stds**2 + (means - mean) ** 2)
    return mean.tolist(), np.sqrt(variance).tolist()


@dataclass(frozen=True)
class Normalisation:
    """Maps intensities to (scaled intensity - mean) / std. A channel without variation is divided by 1.

    Attributes:
        mean: The mean of each channel.
        std: The standard deviation of each channel.
        linear: Whether whole numbers are used as they are, without the square root.
    """

    mean: list[float]
    std: list[float]
    linear: bool = False

    @classmethod
    def of_records(cls, records: Sequence[Record]) -> "Normalisation":
        """Normalise all images by the moments of the training images."""
        return cls(*pooled_moments(records))

    @classmethod
    def of_image(cls, image: Pixels) -> "Normalisation":
        """Normalise one image by its own moments, where intensities of images cannot be compared."""
        return cls(*intensity_moments(image))

    @classmethod
    def of_encoder(cls, encoder: Encoder, dtype: DTypeLike, channels: int) -> "Normalisation":
        """Normalise all images as the weights of a pretrained encoder expect.

        Args:
            encoder: model.encoder, not plain.
            dtype: The number type of the images, uint8 or uint16.
            channels: The number of channels. The numbers for red, green and blue are used in turn; a single channel
                gets their mean.
        """
        facts, factor = ENCODERS[encoder], np.iinfo(np.dtype(dtype)).max / 255

        def of_channels(values: Sequence[float]) -> list[float]:
            chosen = [float(np.mean(values))] if channels == 1 else [values[c % 3] for c in range(channels)]
            return [factor * value for value in chosen]

        return cls(of_channels(facts.mean), of_channels(facts.std), linear=True)

    def __call__(self, image: Pixels) -> NDArray[np.float32]:
        """Normalise an image [height, width, channels]; the result is float32 of the same shape."""
        if image.dtype == np.uint8:  # the same result by a table, which is faster
            table = self._standardised(np.repeat(self._table[None, :, None], image.shape[2], axis=2))
            return np.asarray(cv2.LUT(np.ascontiguousarray(image), table), np.float32).reshape(image.shape)
        return self._standardised(np.asarray(image, np.float32) if self.linear else scaled_intensities(image))

    @property
    def _table(self) -> NDArray[np.float32]:
        return LEVELS if self.linear else ROOTS

    def _standardised(self, intensities: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((intensities - np.array(self.mean, np.float32)) / self._divisor(), np.float32)

    def undo(self, normalised: NDArray[np.float32], dtype: DTypeLike) -> Pixels:
        """Map normalised intensities back to pixels.

        Args:
            normalised: Float32 [height, width, channels].
            dtype: The number type of the pixels. For whole numbers the result is rounded and clipped to its range.
        """
        pixels = normalised * self._divisor() + np.array(self.mean, np.float32)
        if dtype == np.float32:
            return pixels
        largest = np.iinfo(np.dtype(dtype)).max
        intensities = pixels if self.linear else pixels.clip(0, None) ** 2
        return np.asarray(intensities.round().clip(0, largest), dtype)

    def _divisor(self) -> NDArray[np.float32]:
        pairs = zip(self.mean, self.std, strict=True)
        return np.array([std if std > FLAT * abs(mean) else 1.0 for mean, std in pairs], np.float32)
