"""One pair: everything that it tells alone, and what is kept of it when its pixels are gone."""

import zlib
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.checks.edges import Edges, edges
from src.data.crops.normalise import has_usable_values, intensity_moments
from src.data.crops.resize import resize_image, resize_mask
from src.data.reading.masks import StoredValues
from src.data.reading.unreadable import Finding, Unreadable
from src.data.similarity.duplicates import fingerprint
from src.data.similarity.filled import thumbnail
from src.data.similarity.thumbnails import Filled, Thumbnail
from src.data.source.pairs import Content
from src.data.store.store import release, strips

SIDE = 192  # pixels of a preview's longer side
FILLED = 0.001  # share of an image's numbers from which a value far from all others is thought to stand for no data
REPLACE = "replace them by a usual number, and let the mask hold the value of `ignore` there"
Pixels = NDArray[Any]


@dataclass(frozen=True)
class CheckedPair:
    """What is kept of a pair when its pixels are gone.

    Attributes:
        mean, std: see normalise.py.
        checksums: CRC-32 of the pixels of image and mask.
        fingerprint: see duplicates.py. thumbnail: see filled.py.
        preview: image and codes, thinned out.
        findings: what is odd about the pair alone.
        inverted: whether the image's file stores white as 0.
        orientation: EXIF, 1 … 8, of the image's file.
        highest: the highest of the image's numbers.
        edges: where the values of the mask meet.
        offsets: where image and mask begin in the store.
    """

    id: str
    shape: tuple[int, ...]
    dtype: str
    values: StoredValues
    mean: list[float]
    std: list[float]
    checksums: tuple[int, int]
    fingerprint: NDArray[np.float16]
    thumbnail: tuple[Thumbnail, Filled]
    preview: tuple[Pixels, NDArray[np.uint8]] | None
    findings: list[Finding]
    inverted: bool = False
    orientation: int = 1
    highest: float = 0.0
    edges: Edges = field(default_factory=Edges)
    offsets: tuple[int, int] = (0, 0)

    @property
    def picture(self) -> Hashable:
        """Equal for equal pixels, and for others only by an accident that CRC-32 and the fingerprint share."""
        return self.shape, self.dtype, self.checksums[0], self.fingerprint.tobytes()


def check_pair(name: str, content: Content, ignore: int | None, shown: bool) -> CheckedPair:
    """Everything that one pair tells; runs on all cores, so it changes nothing. Raises `Unreadable`."""
    image, labels = content.image, content.labels
    code = labels.values.codes.get(ignore) if ignore is not None else None
    findings = [Finding(name, "warning", what, setting) for what, setting in content.notes]
    if not has_usable_values(image):
        what = "the image holds NaN, infinite or absurdly large values, perhaps where there is no data"
        raise Unreadable(what, f"{REPLACE}, or data.on_error: skip")
    if (image[::16, ::16] == image[0, 0]).all() and (image == image[0, 0]).all():
        findings.append(Finding(name, "warning", "the image is of one colour", "remove it if it is damaged"))
    if found := filler(image):
        what = "{1:.1%} of the image's numbers are {0:g}, farther from all others than these lie apart".format(*found)
        setting = f"if there is no data: {REPLACE}; as they are they spoil data.normalise"
        findings.append(Finding(name, "warning", what, setting))
    if len(labels.values.pixels) == 1:
        what = f"the mask holds a single value, {next(iter(labels.values.pixels))}"
        findings.append(Finding(name, "warning", what, "check that it is meant"))
    release(image)
    mean, std = intensity_moments(image, None if code is None else labels.codes != code)
    entry = CheckedPair(
        id=name,
        shape=image.shape,
        dtype=image.dtype.name,
        values=labels.values,
        mean=mean,
        std=std,
        checksums=(_checksum(image), _checksum(labels.codes)),
        fingerprint=fingerprint(image),
        thumbnail=thumbnail(image),
        preview=_preview(image, labels.codes) if shown else None,
        findings=findings,
        inverted=content.inverted,
        orientation=content.orientation,
        highest=_highest(image, found[0] if found else None),
        edges=edges(labels),
    )
    release(image)
    release(labels.codes)
    return entry


def filler(image: Pixels) -> tuple[float, float] | None:
    """The lowest or highest number of an image of floats, and its share, if it looks like one that stands for no data.

    Such as -9999 or -32768: in at least `FILLED` of the image, and farther from all other numbers than these lie apart.
    """
    if image.dtype != np.float32:
        return None
    lowest, highest, _ = _extremes(image)
    for value in (lowest, highest):
        low, high, number = _extremes(image, value)
        if number <= (1 - FILLED) * image.size and 0 < high - low < max(low - value, value - high):
            return value, 1 - number / image.size
    return None


def _extremes(image: Pixels, but: float = np.nan) -> tuple[float, float, int]:
    """The lowest and highest number, strip by strip, of all but those that equal `but`; and how many there are."""
    low, high, number = np.inf, -np.inf, 0
    for rows in strips(*image.shape[:2]):
        taken = image[rows][image[rows] != but]
        low, high = float(taken.min(initial=low)), float(taken.max(initial=high))
        number += taken.size
        release(image)
    return low, high, number


def _highest(image: Pixels, filler: float | None) -> float:
    """The highest number, without those that stand for no data."""
    if filler is not None:
        return _extremes(image, filler)[1]
    highest = max(float(image[rows].max()) for rows in strips(*image.shape[:2]))
    release(image)
    return highest


def _checksum(pixels: Pixels) -> int:
    """CRC-32 of the pixels, strip by strip."""
    checksum = 0
    for rows in strips(*pixels.shape[:2]):
        checksum = zlib.crc32(np.ascontiguousarray(pixels[rows]).data, checksum)
        release(pixels)
    return checksum


def _preview(image: Pixels, codes: NDArray[np.uint8]) -> tuple[Pixels, NDArray[np.uint8]]:
    step = max(1, max(codes.shape) // (4 * SIDE))  # thinned out before the averaging, or a large image would take long
    image, codes = np.ascontiguousarray(image[::step, ::step]), np.ascontiguousarray(codes[::step, ::step])
    scale = min(1.0, SIDE / max(codes.shape))
    size = max(1, round(codes.shape[1] * scale)), max(1, round(codes.shape[0] * scale))
    return resize_image(image, *size), resize_mask(codes, *size)
