"""Reads GeoJSON: a file of features for each image."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from src.convert.annotations import Annotations, Item, Options
from src.convert.classes import (
    IGNORE_NAME,
    classes_by_value,
    is_background,
    number_classes,
    value_of_label,
    warn_of_unclear_names,
)
from src.convert.formats.geojson.features import AREAS, WITHOUT_AREA, Feature, Place
from src.convert.formats.geojson.georeference import WGS84, epsg_of, read_place
from src.convert.frame import read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.owners import find_owners, short_name
from src.convert.problems import Findings, Refused, located, parse_json
from src.convert.regions import Points
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted
from src.progress import progress

FEATURE_SUFFIXES = {".geojson", ".json"}
PIXELS, MAP = "pixels", "map"
HINT = "check that the features lie on their images, and --units"
QUPATH = {"objectType", "isLocked", "object_type"}  # properties that QuPath writes
DEGREES = (180, 90)  # largest longitude and latitude
IGNORE_CLASS = "ignore"  # with a star, QuPath's class of regions that no measurement uses


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        names: The classes in their order; None: the classes of all features, sorted.
        key: The property that names the class; None: QuPath's classification.
        unclassified: The class of features without one; None: they are refused.
        units: "pixels" or "map", what coordinates are in; None: the file must tell.
    """

    names: Sequence[str] | None = None
    key: str | None = None
    unclassified: str | None = None
    units: str | None = None


@dataclass(frozen=True)
class Document:
    """A file: the features with an area by their position in it, its crs, and what its coordinates are in, if known."""

    features: dict[int, Feature]
    crs: object
    units: str | None


def read_geojson(folder: Path, images: Path | None, reading: Reading, options: Options) -> Annotations:
    """Read GeoJSON files, one for each image. Larger shapes are drawn below smaller ones.

    Args:
        folder: Holds the files, which are named after their images, and the images if `images` is None.
        images: The folder of the images.
        reading: How files are read.
        options: The user's decisions.

    Raises:
        UserError: There are no files, or the classes cannot be used.
    """
    findings, root = Findings(options.skip_degenerate), images or folder
    documents = _documents(folder, findings)
    pictures = list_files(root, SUFFIXES, findings)
    labels = _labels(documents, reading, findings)
    names = reading.names or sorted(label for label in labels if not is_background(label))
    if not names:
        findings.stop_on_errors()
    values = number_classes(names, folder)
    warn_of_unclear_names(reading.names or sorted(labels), str(folder), findings)
    owners, items = find_owners(pictures, list(documents)), list[Item]()
    for file, document in progress(documents.items(), len(documents), "read"):
        with findings.collect(str(file)):
            if file not in owners:
                raise Refused(f"has no image of its name in {root}", "add the image, or name its folder with --images")
            picture = owners[file].image
            path = locate(root, picture)
            with located(f"its image {picture}"):
                frame = resolve_frame(read_header(path), None, options.coordinates, bool(document.features))
            place = Place(frame, options, _to_pixels(document, path, reading, (frame.width, frame.height)))
            items.append(Item(short_name(picture), path, frame, []))
            for position, feature in document.features.items():
                with findings.collect(f"features[{position}] of {file}"):
                    label = _class(feature, reading)
                    items[-1].shapes.append(place.shape(feature, value_of_label(values, label)))
    if others := sorted(set(pictures) - {owners[file].image for file in documents if file in owners}):
        what = f"{len(others)} image(s) there have no GeoJSON, and are left out; the first is {quoted(str(others[0]))}"
        findings.warn(str(root), what, "add a file without features if they show nothing of the classes")
    return Annotations(classes_by_value(values), items, True, [folder, root], findings, "draw them as holes", hint=HINT)


def _documents(folder: Path, findings: Findings) -> dict[PurePosixPath, Document]:
    """The files by their path. `UserError` if there is none."""
    documents: dict[PurePosixPath, Document] = {}
    for file in list_files(folder, FEATURE_SUFFIXES, findings):
        with findings.collect(str(file)):
            documents[file] = _document(file, parse_json(locate(folder, file)), findings)
    if not documents:
        findings.stop_on_errors()
        raise UserError(f"{folder}: no {' or '.join(sorted(FEATURE_SUFFIXES))} is there or in a folder below")
    return documents


def _document(file: PurePosixPath, content: object, findings: Findings) -> Document:
    """The valid features of a file; other features become findings."""
    members = content if isinstance(content, dict) else {}
    entries: object = content if isinstance(content, list) else [content]
    if members.get("type") == "FeatureCollection":
        entries = members.get("features")
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "geometry" in one for one in entries):
        raise Refused("is not GeoJSON with features", "export a FeatureCollection")
    features, kinds, nuclei = dict[int, Feature](), Counter[str](), 0
    for position, entry in enumerate(entries):
        with findings.collect(f"features[{position}] of {file}"):
            feature = Feature.model_validate(entry)
            kind = feature.geometry.type
            if kind in AREAS:
                features[position] = feature
                nuclei += feature.nucleusGeometry is not None
            elif kind in WITHOUT_AREA:
                kinds[kind] += 1
            else:
                raise Refused(f"is a {quoted(kind)}", "export polygons; QuPath turns ellipses into polygons")
    if kinds:
        what = ", ".join(f"{count} {quoted(kind)}" for kind, count in sorted(kinds.items()))
        findings.warn(
            str(file), f"features without an area are left out: {what}", "draw them as polygons if they count"
        )
    if nuclei:
        findings.warn(str(file), f"the nuclei of {nuclei} cell(s) are left out", "export them as objects of their own")
    crs = members.get("crs")
    qupath = any(QUPATH & (feature.properties or {}).keys() for feature in features.values())
    units = MAP if crs is not None else PIXELS if qupath or members.get("coordinates") == PIXELS else None
    return Document(features, crs, units)


def _class(feature: Feature, reading: Reading) -> str:
    label = feature.label(reading.key, reading.unclassified)
    return IGNORE_NAME if label.endswith("*") and label[:-1].casefold() == IGNORE_CLASS else label


def _labels(documents: dict[PurePosixPath, Document], reading: Reading, findings: Findings) -> Counter[str]:
    """Class → number of features; features without a class are reported when they are drawn."""
    labels: Counter[str] = Counter()
    for document in documents.values():
        for feature in document.features.values():
            try:
                labels[_class(feature, reading)] += 1
            except Refused:
                continue
    if not labels:
        for file, document in documents.items():
            for position, feature in document.features.items():
                with findings.collect(f"features[{position}] of {file}"):
                    _class(feature, reading)
    return labels


def _points(document: Document) -> Points:
    """All points of a file; features that cannot be read are reported when they are drawn."""
    rings = [np.zeros((0, 2))]
    for feature in document.features.values():
        with contextlib.suppress(Refused):
            rings += [ring for polygon in feature.rings() for ring in polygon]
    return np.concatenate(rings)


def _to_pixels(
    document: Document, path: Path, reading: Reading, size: tuple[int, int]
) -> Callable[[Points], Points] | None:
    """The function that turns the coordinates of a file into pixels; None: they are in pixels."""
    place = read_place(path)
    units = reading.units or document.units
    if units is None and document.features:
        points = _points(document)
        degrees, fits = (bool((np.abs(points) <= limit).all()) for limit in (DEGREES, size))
        if place is not None or degrees or not fits:
            what = "does not say whether its coordinates are in pixels or on a map (crs)"
            detail = "the image has a georeference" if place else "the image has no georeference"
            fit = ", and they fit both" if degrees and fits else "" if fits else ", and they do not fit its pixels"
            raise Refused(f"{what}; {detail}{fit}", "use --units pixels or --units map")
    if units != MAP:
        return None
    if place is None:
        what = f"is in map coordinates, but {path.name} has no georeference with an EPSG number (GeoTIFF)"
        raise Refused(what, "use the GeoTIFF that it was drawn on, or export in pixels")
    epsg = epsg_of(document.crs)
    if place.epsg != epsg:
        named = " (longitude and latitude)" if epsg == WGS84 else ""
        remedy = f"reproject it: ogr2ogr -t_srs EPSG:{place.epsg} new.geojson old.geojson"
        raise Refused(f"is in EPSG:{epsg}{named}, but {path.name} is in EPSG:{place.epsg}", remedy)
    return place.pixels
