"""How long a pixel is: from dataset.yaml, GeoTIFF, OME-TIFF and ImageJ.

The resolution of a plain TIFF, PNG or JPEG is not used: most programs write that of a screen or a printer there.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tifffile

from src.data.predictions.prediction_files import Georeference
from src.data.reading.tiff import is_tiff, open_tiff
from src.data.source.dataset import NAME, read_dataset
from src.errors import UserError, listing
from src.files import read_yaml
from src.objects.map_place import KEYS, MODEL_TYPE, PROJECTED_MODEL, geo_keys, map_place

LINEAR_UNIT = 3076  # key of GeoTIFF 1.1
LINEAR_UNITS = {9001: "m", 9002: "ft", 9003: "US survey ft"}
IN_METRES = {3857, *range(32601, 32661), *range(32701, 32761), *range(25828, 25839)}  # Web Mercator, UTM
MICROMETRE = "µm"
UNITS = {"um": MICROMETRE, "micron": MICROMETRE, "microns": MICROMETRE, "μm": MICROMETRE, r"\u00b5m": MICROMETRE}
NO_LENGTHS = {"", "pixel", "pixels", "px", "reference frame", "inch", "inches"}  # ImageJ writes inch for print sizes
MOST_LETTERS = 20  # of a unit


@dataclass(frozen=True)
class Spacing:
    """The size of a pixel.

    Attributes:
        height: Height of a row.
        width: Width of a column.
        unit: Unit of both, such as µm.
    """

    height: float
    width: float
    unit: str

    @property
    def is_square(self) -> bool:
        """Whether height and width are equal, up to rounding."""
        return math.isclose(self.height, self.width, rel_tol=1e-6)


def stated_spacings(images: Iterable[Path]) -> dict[Path, Spacing]:
    """Read the spacing in dataset.yaml for the folders of images.

    It is in the folder of the images, or in one above; the nearest dataset.yaml with a spacing decides. Others are not
    validated, since programs for YOLO call their files so, too.

    Args:
        images: The image files.

    Returns:
        Folder of images → spacing; folders without one are left out.

    Raises:
        UserError: A dataset.yaml cannot be used. The message lists all of them.
    """
    stated, found, problems = dict[Path, Spacing | None](), dict[Path, Spacing](), list[str]()
    for folder in dict.fromkeys(image.parent for image in images):
        for place in (folder, *folder.parents):
            if place not in stated:
                try:
                    stated[place] = _of_dataset(place)
                except UserError as error:
                    stated[place] = None
                    problems.append(str(error))
            if spacing := stated[place]:
                found[folder] = spacing
                break
    if problems:
        raise UserError(f"the size of a pixel cannot be read:\n{listing(problems)}")
    return found


def _of_dataset(folder: Path) -> Spacing | None:
    path = folder / NAME
    content = read_yaml(path) if path.is_file() else None
    if not isinstance(content, dict) or "spacing" not in content:
        return None
    dataset = read_dataset(folder)
    return None if dataset.spacing is None else Spacing(*dataset.pixel, dataset.length_unit)


def image_spacing(path: Path, georeference: Georeference) -> Spacing | None:
    """Read the spacing that an image file states: GeoTIFF in a known length unit, OME-TIFF, or ImageJ.

    Args:
        path: The image file.
        georeference: Its georeference.

    Returns:
        The spacing; None if there is none, or if it is not a length (degrees).
    """
    if any(tag[0] == KEYS for tag in georeference.tags):
        return _map_spacing(georeference)
    if not is_tiff(path):
        return None
    try:
        with open_tiff(path) as file:
            return _of_ome(file) or _of_imagej(file, georeference)
    except Exception:  # metadata is free text, and its parsers raise many kinds of error
        return None


def _map_spacing(georeference: Georeference) -> Spacing | None:
    place = map_place(georeference)
    keys = geo_keys(georeference)
    if place is None or keys.get(MODEL_TYPE) != PROJECTED_MODEL:
        return None
    unit = LINEAR_UNITS.get(keys.get(LINEAR_UNIT, 9001 if place.epsg in IN_METRES else 0))
    return Spacing(math.hypot(*place.down), math.hypot(*place.right), unit) if unit else None


def _of_ome(file: tifffile.TiffFile) -> Spacing | None:
    """The physical size of a pixel in the metadata of an OME-TIFF with one image."""
    if not file.is_ome or not file.ome_metadata:
        return None
    pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    units = {pixels.get(f"PhysicalSize{axis}Unit", MICROMETRE) for axis in "XY"}
    return _spacing(pixels["PhysicalSizeY"], pixels["PhysicalSizeX"], units.pop()) if len(units) == 1 else None


def _of_imagej(file: tifffile.TiffFile, georeference: Georeference) -> Spacing | None:
    """The unit that ImageJ writes into the description, and the pixels in it."""
    metadata, resolution = file.imagej_metadata, georeference.resolution
    if not metadata or resolution is None:
        return None
    (x, in_x), (y, in_y) = resolution
    return _spacing(in_y / y, in_x / x, str(metadata.get("unit", "")))


def _spacing(height: float, width: float, unit: str) -> Spacing | None:
    unit = UNITS.get(unit.strip().lower(), unit.strip())
    found = Spacing(float(height), float(width), unit)
    positive = all(math.isfinite(length) and length > 0 for length in (found.height, found.width))
    named = unit.isprintable() and unit.lower() not in NO_LENGTHS and len(unit) <= MOST_LETTERS
    return found if positive and named else None
