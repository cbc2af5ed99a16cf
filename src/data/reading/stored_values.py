"""The stored values of a mask, and a mask that has been read: 8-bit codes with a table from stored value to code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from src.data.reading.images import apply_orientation
from src.data.reading.object_numbers import ObjectNumbers

Kind = Literal["bits", "grey", "grey as RGB", "one-hot", "colour", "alpha", "foreground", "overlap"]


@dataclass
class StoredValues:
    """The stored values of one mask.

    With more than `MAX_VALUES` distinct values the codes mean nothing: such a mask is refused later, with all others.

    Attributes:
        kind: What a stored value is. "foreground": 0 and 1, made by data.masks.threshold or data.masks.read: instances.
            "overlap": a label of overlapping classes, made of several masks, see class_planes.py.
        lossy: The format changed values (JPEG), and no threshold removed the changes.
        codes: Stored value → code.
        pixels: Stored value → number of pixels.
        palette: Palette index → colour 0xRRGGBB, for the indices that must have one colour in all masks. None if the
            file has no palette.
        palette_bytes: Red, green, blue of all palette entries, used or not.
        over_8_bits: The file stores whole numbers of more than 8 bits.
        inverted: The file stores white as 0. The values are given with black as 0.
        nodata: The value of GDAL's no-data tag, if the file has one.
        inverted_booleans: The file may hold a boolean array whose True is read as 0, see `StoredImage`.
        maybe_unlabelled: In masks of numbered objects, values that may mean unlabelled. In `codes` and `pixels` they
            are objects.
    """

    kind: Kind
    lossy: bool = False
    codes: dict[int, int] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)
    palette: dict[int, int] | None = None
    palette_bytes: bytes = b""
    over_8_bits: bool = False
    inverted: bool = False
    nodata: int | None = None
    inverted_booleans: bool = False
    maybe_unlabelled: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Labels:
    """One mask that has been read.

    Attributes:
        codes: uint8 [height, width].
        values: The stored value of each code.
        orientation: EXIF orientation, 1 to 8, that is left to apply to `codes` and `numbers`.
        numbers: The objects of masks that number them: those of stored value 1, or of a class index if the mask was
            merged of several. Empty for other masks.
    """

    codes: NDArray[np.uint8]
    values: StoredValues
    orientation: int = 1
    numbers: Mapping[int, ObjectNumbers] = field(default_factory=dict)

    def turned(self, orientation: int) -> "Labels":
        """Return the mask with an EXIF orientation, 1 to 8, applied to it as it is stored."""
        numbers = {
            key: replace(objects, pixels=apply_orientation(objects.pixels, orientation))
            for key, objects in self.numbers.items()
        }
        return Labels(apply_orientation(self.codes, orientation), self.values, numbers=numbers)

    def equals(self, other: "Labels") -> bool:
        """Return whether another reading of the same mask has the same codes and numbers at every pixel."""
        return np.array_equal(self.codes, other.codes) and all(
            np.array_equal(objects.pixels, other.numbers[key].pixels) for key, objects in self.numbers.items()
        )
