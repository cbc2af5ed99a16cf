"""Check one pair by itself, and keep the facts about it that later steps need when its pixels are gone."""

import zlib
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from src.data.checks.edges import Edges, edges
from src.data.crops.normalise import has_usable_values, intensity_moments
from src.data.crops.resize import resize_image, resize_mask
from src.data.reading.channels import Pixels
from src.data.reading.stored_values import StoredValues
from src.data.reading.unreadable import Finding, Unreadable
from src.data.similarity.duplicates import fingerprint
from src.data.similarity.filled import thumbnail
from src.data.similarity.thumbnails import Filled, Thumbnail
from src.data.source.pairs import Content
from src.data.store.pair_writer import Stored
from src.data.store.store import release, strips

PREVIEW_SIDE = 192  # pixels: longer side of a preview
FILLED = 0.001  # share of an image's numbers from which a number far from all others may stand for "no data"
REPLACE = "replace them by a usual number, and let the mask hold the value of `ignore` there"
CONSTANT_STEP = 16  # every so many rows and columns are compared first, to find out fast that an image varies


@dataclass(frozen=True)
class CheckedPair:
    """The facts about a pair that are kept when its pixels are gone.

    Attributes:
        id: Id of the pair.
        shape: Height, width and channels of the image.
        dtype: Number type of the image.
        values: Stored values of the mask.
        mean: Mean of each channel, see normalise.py.
        std: Standard deviation of each channel, see normalise.py.
        checksums: CRC-32 of the pixels of the image and of the codes of the mask.
        fingerprint: See duplicates.py.
        thumbnail: See filled.py.
        preview: Reduced image and codes for the contact sheet; None if the pair is not on it.
        findings: Warnings about this pair.
        inverted: Whether the image's file stores white as 0.
        orientation: EXIF orientation of the image's file, 1 to 8.
        highest: The highest number of the image, without a number that stands for "no data".
        edges: Where the stored values of the mask meet.
        stored: Where the pixels are in the files of the store.
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
    stored: Stored = field(default_factory=Stored)

    @property
    def image_key(self) -> Hashable:
        """A key that is equal for equal images. Different images share it only if CRC-32 and fingerprint collide."""
        return self.shape, self.dtype, self.checksums[0], self.fingerprint.tobytes()


@dataclass(frozen=True)
class Filler:
    """A number that seems to stand for "no data".

    Attributes:
        value: The number.
        share: Its share of the image's numbers, 0 to 1.
    """

    value: float
    share: float


@dataclass(frozen=True)
class _Extremes:
    """The lowest and the highest of some numbers, and how many there are."""

    lowest: float
    highest: float
    count: int


def check_pair(name: str, content: Content, ignore: int | None, shown: bool) -> CheckedPair:
    """Check one pair and collect the facts about it. It runs in several threads and changes nothing.

    Args:
        name: Id of the pair.
        content: Image and mask.
        ignore: The stored value to ignore, if there is one. Its pixels do not count in mean and standard deviation.
        shown: Whether to make a preview for the contact sheet.

    Raises:
        Unreadable: The image holds NaN, infinite or absurdly large numbers.
    """
    image, labels = content.image, content.labels
    if not has_usable_values(image):
        what = "the image holds NaN, infinite or absurdly large values, perhaps where there is no data"
        raise Unreadable(what, f"{REPLACE}, or data.on_error: skip")
    filler = find_filler(image)
    findings = [Finding(name, "warning", what, setting) for what, setting in content.notes]
    findings += _oddities(name, content, filler)
    release(image)
    ignored_code = labels.values.codes.get(ignore) if ignore is not None else None
    mean, std = intensity_moments(image, None if ignored_code is None else labels.codes != ignored_code)
    pair = CheckedPair(
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
        highest=_highest(image, filler),
        edges=edges(labels),
    )
    release(image)
    release(labels.codes)
    return pair


def _oddities(name: str, content: Content, filler: Filler | None) -> list[Finding]:
    """Warnings for an image of one colour, a number that stands for "no data", and a mask of one value."""
    image, values = content.image, content.labels.values
    findings = []
    thinned = image[::CONSTANT_STEP, ::CONSTANT_STEP]
    if (thinned == image[0, 0]).all() and (image == image[0, 0]).all():
        findings.append(Finding(name, "warning", "the image is of one colour", "remove it if it is damaged"))
    if filler:
        share, value = f"{filler.share:.1%}", f"{filler.value:g}"
        what = f"{share} of the image's numbers are {value}, which is far outside the range of all other numbers"
        setting = f'if this number means "no data": {REPLACE}; otherwise it distorts data.normalise'
        findings.append(Finding(name, "warning", what, setting))
    if len(values.pixels) == 1:
        stored = next(iter(values.pixels))
        what = f"the mask holds a single value, {stored}"
        if values.kind == "overlap":
            what = "all pixels are of the same classes" if stored else "no pixel is of a class"
        findings.append(Finding(name, "warning", what, "check that this is intended"))
    return findings


def find_filler(image: Pixels) -> Filler | None:
    """Find a number in an image of floats that seems to stand for "no data", such as -9999 or -32768.

    Args:
        image: [height, width, channels]. Other dtypes than float32 are not searched.

    Returns:
        The lowest or the highest number, if at least the share `FILLED` of all numbers equals it, and if it is farther
        from all other numbers than these are from each other; else None.
    """
    if image.dtype != np.float32:
        return None
    ends = _extremes(image)
    for value in (ends.lowest, ends.highest):
        others = _extremes(image, value)
        distance = max(others.lowest - value, value - others.highest)
        if others.count <= (1 - FILLED) * image.size and 0 < others.highest - others.lowest < distance:
            return Filler(value, 1 - others.count / image.size)
    return None


def _extremes(image: Pixels, excluded: float = np.nan) -> _Extremes:
    """The extremes of all numbers of the image that differ from `excluded`, read strip by strip."""
    low, high, count = np.inf, -np.inf, 0
    for rows in strips(*image.shape[:2]):
        taken = image[rows][image[rows] != excluded]
        low, high = float(taken.min(initial=low)), float(taken.max(initial=high))
        count += taken.size
        release(image)
    return _Extremes(low, high, count)


def _highest(image: Pixels, filler: Filler | None) -> float:
    """The highest number of the image without the filler."""
    if filler is not None:
        return _extremes(image, filler.value).highest
    highest = max(float(image[rows].max()) for rows in strips(*image.shape[:2]))
    release(image)
    return highest


def _checksum(pixels: Pixels) -> int:
    """CRC-32 of the pixels, computed strip by strip."""
    checksum = 0
    for rows in strips(*pixels.shape[:2]):
        checksum = zlib.crc32(np.ascontiguousarray(pixels[rows]).data, checksum)
        release(pixels)
    return checksum


def _preview(image: Pixels, codes: NDArray[np.uint8]) -> tuple[Pixels, NDArray[np.uint8]]:
    """The image and the codes, with a longer side of at most `PREVIEW_SIDE` pixels."""
    step = max(1, max(codes.shape) // (4 * PREVIEW_SIDE))  # averaging all pixels of a large image would take long
    image, codes = np.ascontiguousarray(image[::step, ::step]), np.ascontiguousarray(codes[::step, ::step])
    scale = min(1.0, PREVIEW_SIDE / max(codes.shape))
    size = max(1, round(codes.shape[1] * scale)), max(1, round(codes.shape[0] * scale))
    return resize_image(image, *size), resize_mask(codes, *size)
