"""Writes labelme: a JSON for each image, with a polygon for each outline."""

from collections.abc import Mapping, Sequence

import numpy as np

from src.objects.annotated import AnnotatedImage, OutlinedObject, join_holes, plain_numbers
from src.objects.outlines import Ring

BACKGROUND = "_background_"  # labelme's own name; tools.convert reads it, too
VERSION = "5.0.0"  # of labelme: the first with all keys that are written here


def labelme_document(image: AnnotatedImage, deviation: float = 0.0) -> dict[str, object]:
    """Make the labelme JSON of an image.

    labelme draws later shapes over earlier ones, so that larger outlines come first. A hole is a shape of
    `BACKGROUND`. Of overlapping classes, which it would erase, the outline runs into the hole and back instead. All
    shapes of an object have its number as group_id.

    Args:
        image: The image with its objects; `file` is the path of the image, seen from the folder of the JSON.
        deviation: See `simplify_polygon`.

    Returns:
        The content of the file.
    """
    simplified = [one.simplified(deviation) for one in image.objects]
    shapes = _joined(simplified) if image.overlap else _layered(simplified)
    return {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image.file,
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
    }


def _layered(objects: Sequence[OutlinedObject]) -> list[Mapping[str, object]]:
    """Shapes from the largest to the smallest; of a hole and an object that fills it, the hole first."""
    found = []
    for one in objects:
        for polygon in one.polygons:
            found.append((-_enclosed(polygon.outer), 1, _shape(polygon.outer, one.label, one.number)))
            found += [(-_enclosed(hole), 0, _shape(hole, BACKGROUND, one.number)) for hole in polygon.holes]
    return [shape for *_, shape in sorted(found, key=lambda entry: entry[:2])]


def _joined(objects: Sequence[OutlinedObject]) -> list[Mapping[str, object]]:
    return [_shape(join_holes(polygon), one.label, one.number) for one in objects for polygon in one.polygons]


def _enclosed(ring: Ring) -> float:
    """The area that a ring encloses, in pixels (shoelace formula)."""
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
    return abs(float((x * next_y - next_x * y).sum())) / 2


def _shape(ring: Ring, label: str, number: int) -> dict[str, object]:
    points = plain_numbers(ring)
    return {"label": label, "points": points, "group_id": number, "shape_type": "polygon", "flags": {}}
