"""The files that tools.predict writes about objects: label images, tables and polygons."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from src.data.classes.label_format import LabelFormat
from src.data.predictions.inputs import Input
from src.data.predictions.prediction_files import write_numbers
from src.files import write_csv, write_json, write_text
from src.objects.annotated import AnnotatedImage, OutlinedObject
from src.objects.components import Objects, number_objects
from src.objects.formats.coco import coco_document, merge_coco
from src.objects.formats.geojson import geojson_document
from src.objects.formats.labelme import labelme_document
from src.objects.formats.yolo import yolo_lines, yolo_names
from src.objects.map_place import map_place
from src.objects.measure import measure_objects
from src.objects.outlines import trace_outlines
from src.objects.place import Spacing, image_spacing
from src.objects.predicted import PredictedImage, class_probabilities
from src.objects.table import MeasuredObjects, TableImage, columns, join_tables, table_rows

PolygonFormat = Literal["geojson", "coco", "labelme", "yolo"]
SUFFIX: dict[PolygonFormat, str] = {"geojson": ".geojson", "coco": ".json", "labelme": ".json", "yolo": ".txt"}
OBJECTS, LABELS, POLYGONS = "objects", "labels", "polygons"  # folders of results


@dataclass(frozen=True)
class ObjectOptions:
    """What is written about objects.

    Attributes:
        table: Write the table and the label images.
        polygons: The format of polygons; None: they are not written.
        deviation: How far simplified outlines may deviate, in pixels; 0: outlines are exact.
        split: Divide objects that touch, see `split_touching`.
    """

    table: bool = False
    polygons: PolygonFormat | None = None
    deviation: float = 0.0
    split: bool = False


@dataclass(frozen=True)
class ObjectFiles:
    """Writes objects of predicted images.

    Attributes:
        folder: The folder of all results.
        options: What is written.
        names: The names of the classes.
        form: The meaning of labels.
        foreground: The class indices whose components are objects.
        spacings: Folder of images → the size of a pixel, from dataset.yaml.
    """

    folder: Path
    options: ObjectOptions
    names: Sequence[str]
    form: LabelFormat
    foreground: Sequence[int]
    spacings: Mapping[Path, Spacing] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """The kinds of results, as finished.jsonl lists them, with the options that change their content."""
        options, split = self.options, " split" if self.options.split else ""
        simplified = f" {options.deviation:g}" if options.deviation else ""
        stated = sorted({f" {one.height:g} × {one.width:g} {one.unit}" for one in self.spacings.values()})
        table = [f"{OBJECTS}{split}{','.join(stated)}", f"{LABELS}{split}"] if options.table else []
        return table + ([f"{POLYGONS} {options.polygons}{simplified}{split}"] if options.polygons else [])

    def paths(self, name: Path) -> dict[str, Path]:
        """Name the files of an image's objects: folder of a kind of result → file."""
        folders = dict[str, str]()
        if self.options.table:
            folders = dict.fromkeys([self._labels_of(classes) for classes in self._planes()], ".tif") | {
                OBJECTS: ".csv"
            }
        if self.options.polygons:
            folders[self._polygon_folder] = SUFFIX[self.options.polygons]
        return {kind: self.folder / kind / name.with_name(name.name + end) for kind, end in folders.items()}

    def write(self, image: PredictedImage) -> None:
        """Write the files of an image.

        Raises:
            OSError: A file cannot be written.
        """
        measured, outlined = list[MeasuredObjects](), list[OutlinedObject]()
        for classes in self._planes():
            objects = number_objects(image.mask, self.form, classes, self.folder, split=self.options.split)
            shares = class_probabilities(image, self.form, classes)
            found = measure_objects(objects, image.pixels, shares)
            first = 1 + sum(len(one.classes) for one in measured)
            measured.append(MeasuredObjects(objects.classes, objects.boxes, first, found))
            if self.options.table:
                write_numbers(image.paths[self._labels_of(classes)], objects.numbers, first, image.place)
            if self.options.polygons:
                outlined += self._outlined(objects, measured[-1])
        if self.options.table:
            self._write_table(image, measured)
        if self.options.polygons:
            self._write_polygons(image, outlined)

    def combine(self, inputs: Iterable[Input], channels: int, part: str = "") -> list[Path]:
        """Join the files of single images: objects.csv, and polygons.json for COCO.

        Args:
            inputs: The images whose objects are written, in their order.
            channels: The number of channels of the images.
            part: Suffix of the names, if several machines predict a part each.

        Returns:
            The files that people open first.
        """
        paths, written = [self.paths(one.name) for one in inputs], list[Path]()
        if self.options.table:
            written.append(self.folder / f"{OBJECTS}{part}.csv")
            join_tables((one[OBJECTS] for one in paths), written[-1], columns(channels))
        if self.options.polygons == "coco":
            written.append(self.folder / f"{POLYGONS}{part}.json")
            if paths:
                merge_coco((one[POLYGONS] for one in paths), written[-1])
            else:
                write_json(written[-1], coco_document([], self._classes), indent=None)
        elif self.options.polygons:
            written.append(self.folder / POLYGONS)
        if self.options.polygons == "yolo":
            write_text(self.folder / POLYGONS / "data.yaml", yolo_names(self._classes))
        return written

    @property
    def _classes(self) -> list[str]:
        """The names of the classes whose components are objects."""
        return [self.names[index] for index in self.foreground]

    @property
    def _polygon_folder(self) -> str:
        return f"{POLYGONS}/{LABELS}" if self.options.polygons == "yolo" else POLYGONS

    def _planes(self) -> Iterator[Sequence[int]]:
        """The classes that are numbered together: each by itself if they overlap."""
        yield from [[index] for index in self.foreground] if self.form.overlap else [self.foreground]

    def _labels_of(self, classes: Sequence[int]) -> str:
        return f"{LABELS}/{self.names[classes[0]]}" if self.form.overlap else LABELS

    def _outlined(self, objects: Objects, found: MeasuredObjects) -> Iterator[OutlinedObject]:
        for number, polygons in trace_outlines(objects.numbers, self.folder).items():
            index, measures = number - 1, found.measures
            name, area = self.names[objects.classes[index]], int(measures.areas[index])
            yield OutlinedObject(found.first + index, name, polygons, area, float(measures.probabilities[index]))

    def _write_table(self, image: PredictedImage, measured: Sequence[MeasuredObjects]) -> None:
        spacing = self.spacings.get(image.source.path.parent) or image_spacing(image.source.path, image.place)
        height, width = image.mask.shape
        about = TableImage(image.file, height, width, self.names, spacing)
        rows = (row for found in measured for row in table_rows(found, about))
        write_csv(image.paths[OBJECTS], rows, columns(image.pixels.shape[2]))

    def _write_polygons(self, image: PredictedImage, objects: Sequence[OutlinedObject]) -> None:
        height, width = image.mask.shape
        path, deviation = image.paths[self._polygon_folder], self.options.deviation
        about = AnnotatedImage(image.file, width, height, objects, self.form.overlap)
        if self.options.polygons == "geojson":
            write_json(path, geojson_document(about, map_place(image.place), deviation), indent=None)
        elif self.options.polygons == "coco":
            write_json(path, coco_document([about], self._classes, deviation), indent=None)
        elif self.options.polygons == "labelme":
            seen = AnnotatedImage(_seen_from(path.parent, image.source.path), width, height, objects, self.form.overlap)
            write_json(path, labelme_document(seen, deviation), indent=None)
        else:
            write_text(path, yolo_lines(about, self._classes, deviation))


def _seen_from(folder: Path, file: Path) -> str:
    """The path of a file from a folder; absolute if they have nothing in common, as on two drives of Windows."""
    try:
        return PurePath(os.path.relpath(file, folder.resolve())).as_posix()
    except ValueError:
        return file.as_posix()
