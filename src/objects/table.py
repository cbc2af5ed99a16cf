"""The table of objects: one row for each, in pixels and, where the size of a pixel is known, in its unit."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.files import atomic
from src.objects.components import Index
from src.objects.measure import Measures, Values
from src.objects.place import Spacing

DECIMALS = 4  # of lengths in pixels and of intensities
SHARE_DECIMALS = 6  # of probabilities and eccentricities
DIGITS = 8  # of lengths in a unit
BOX = ["left", "top", "right", "bottom"]
LENGTHS = ["area", "perimeter", "equivalent_diameter", "centroid_x", "centroid_y", *BOX]


@dataclass(frozen=True)
class MeasuredObjects:
    """Objects of an image with their measures, without their pixels.

    Attributes:
        classes: Class index of each, int64 [objects].
        boxes: Left, top, right and bottom, int64 [objects, 4].
        first: The number of the first object; the others follow.
        measures: Their measures.
    """

    classes: Index
    boxes: Index
    first: int
    measures: Measures


@dataclass(frozen=True)
class TableImage:
    """What the rows of an image need besides its objects.

    Attributes:
        file: The image, as the column `image` names it.
        height: Height in pixels.
        width: Width in pixels.
        names: The names of the classes.
        spacing: The size of a pixel; None if it is not known.
    """

    file: str
    height: int
    width: int
    names: Sequence[str]
    spacing: Spacing | None = None


def columns(channels: int) -> list[str]:
    """The columns of the table.

    Args:
        channels: The number of channels of the images.
    """
    intensities = [f"{kind}_intensity_{channel}" for channel in range(1, channels + 1) for kind in ("mean", "max")]
    names = ["image", "class", "number", *LENGTHS, "eccentricity", *intensities, "mean_probability", "touches_border"]
    return [*names, "unit", *(f"{name}_in_unit" for name in LENGTHS)]


def table_rows(found: MeasuredObjects, image: TableImage) -> Iterator[dict[str, object]]:
    """The rows of some objects of an image.

    Lengths are from the top left corner of the image; the centre of its first pixel is 0.5, 0.5. Right and bottom are
    behind the last pixel. Without a spacing the columns in a unit stay empty, and so does the perimeter in a unit if
    pixels are not square.

    Args:
        found: The objects.
        image: Their image.

    Yields:
        Column → value, for each object.
    """
    spacing, measures, boxes = image.spacing, found.measures, found.boxes
    lengths = _lengths(found)
    in_unit = lengths * _factors(spacing) if spacing else lengths[:, :0]
    pixel = (spacing.height, spacing.width) if spacing else (1.0, 1.0)
    eccentricities = measures.eccentricities(pixel)
    touching = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == [image.width, image.height]).any(axis=1)
    for index, name in enumerate(found.classes):
        row: dict[str, object] = {"image": image.file, "class": image.names[name], "number": found.first + index}
        row |= zip(LENGTHS, (_short(value) for value in lengths[index].tolist()), strict=True)
        row["eccentricity"] = round(float(eccentricities[index]), SHARE_DECIMALS)
        for channel, (mean, most) in enumerate(zip(measures.means[index], measures.maxima[index], strict=True), 1):
            row |= {f"mean_intensity_{channel}": _short(float(mean)), f"max_intensity_{channel}": _short(float(most))}
        row["mean_probability"] = round(float(measures.probabilities[index]), SHARE_DECIMALS)
        row["touches_border"] = int(touching[index])
        if spacing:
            row["unit"] = spacing.unit
            row |= {f"{name}_in_unit": f"{value:.{DIGITS}g}" for name, value in _finite(in_unit[index])}
        yield row


def _lengths(found: MeasuredObjects) -> Values:
    """The columns `LENGTHS`, float64 [objects, 9]."""
    measures = found.measures
    parts = [measures.areas, measures.perimeters, measures.diameters, *measures.centres.T, *found.boxes.T]
    return np.stack(parts, axis=1).astype(np.float64)


def _factors(spacing: Spacing) -> Values:
    """What turns the columns `LENGTHS` into the unit, float64 [9]; NaN for the perimeter if pixels are not square."""
    height, width = spacing.height, spacing.width
    perimeter = width if spacing.is_square else np.nan
    return np.array([height * width, perimeter, np.sqrt(height * width), width, height, width, height, width, height])


def _finite(values: Values) -> list[tuple[str, float]]:
    return [(name, value) for name, value in zip(LENGTHS, values.tolist(), strict=True) if np.isfinite(value)]


def _short(value: float) -> float:
    """The value rounded, as a whole number if it is one."""
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded.is_integer() else rounded


def join_tables(parts: Iterable[Path], target: Path, header: Sequence[str]) -> None:
    """Join tables with the same columns, one after the other.

    Args:
        parts: The CSV files.
        target: The CSV file to write.
        header: The columns, for the case that there are no parts.
    """
    with atomic(target) as temporary, temporary.open("wb") as file:
        file.write((",".join(header) + "\n").encode())
        for part in parts:
            with part.open("rb") as source:
                source.readline()
                shutil.copyfileobj(source, file)
