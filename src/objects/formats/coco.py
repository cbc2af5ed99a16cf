"""Writes COCO instances: one JSON with the lists images, annotations and categories."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.files import atomic, read_json
from src.objects.annotated import AnnotatedImage, OutlinedObject, plain_numbers

DECIMALS = 6  # of a score


def coco_document(
    images: Iterable[AnnotatedImage], classes: Sequence[str], deviation: float = 0.0
) -> dict[str, object]:
    """Make a COCO JSON.

    The segmentation of an object is a list of polygons. COCO has no holes in polygons: an object with holes has its
    run lengths (RLE) instead, which are exact to the pixel.

    Args:
        images: The images with their objects.
        classes: The names of the classes; the category ids are 1, 2 … in this order.
        deviation: See `simplify_polygon`; run lengths are not simplified.

    Returns:
        The content of the file.
    """
    identities = {name: identity for identity, name in enumerate(classes, 1)}
    pictures: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image in images:
        identity = len(pictures) + 1
        pictures.append({"id": identity, "file_name": image.file, "width": image.width, "height": image.height})
        for one in image.objects:
            entry = {"id": len(annotations) + 1, "image_id": identity, "category_id": identities[one.label]}
            annotations.append(entry | _geometry(one, image, deviation))
    categories = [{"id": identity, "name": name} for name, identity in identities.items()]
    return {"images": pictures, "annotations": annotations, "categories": categories}


def merge_coco(parts: Iterable[Path], target: Path) -> None:
    """Join COCO files of single images to one file. One part is in memory at a time, besides the list of images.

    Args:
        parts: Files that `coco_document` was written to, all of the same classes; at least one.
        target: The file to write.
    """
    images: list[dict[str, object]] = []
    categories: object = []
    count = 0
    with atomic(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"annotations": [')
        for part in parts:
            content = read_json(part)
            shift, categories = len(images), content["categories"]
            images += [entry | {"id": entry["id"] + shift} for entry in content["images"]]
            for entry in content["annotations"]:
                count += 1
                moved = entry | {"id": count, "image_id": entry["image_id"] + shift}
                file.write(("" if count == 1 else ",") + "\n" + json.dumps(moved, ensure_ascii=False))
        rest = json.dumps({"images": images, "categories": categories}, ensure_ascii=False)
        file.write(f"\n], {rest[1:]}\n")


def _geometry(one: OutlinedObject, image: AnnotatedImage, deviation: float) -> dict[str, object]:
    """Segmentation, area, bbox, iscrowd and score of an annotation."""
    left, top, right, bottom = one.box
    polygons = [plain_numbers(polygon.outer) for polygon in one.simplified(deviation).polygons]
    segmentation: object = [[value for point in points for value in point] for points in polygons]
    if one.has_holes:
        segmentation = {
            "size": [image.height, image.width],
            "counts": run_lengths(one, image.height, image.width).tolist(),
        }
    score = {} if one.score is None else {"score": round(one.score, DECIMALS)}
    box = [left, top, right - left, bottom - top]
    return {"segmentation": segmentation, "area": one.area, "bbox": box, "iscrowd": 0} | score


def run_lengths(one: OutlinedObject, height: int, width: int) -> NDArray[np.int64]:
    """Encode an object as COCO's run lengths.

    Going down the columns, the object starts or ends at each horizontal edge of its outlines.

    Args:
        one: The object, with outlines along the edges of pixels.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        Lengths of the runs outside and inside the object in turn, int64; the first one may be 0.
    """
    rings = [ring.astype(np.int64) for polygon in one.polygons for ring in polygon.rings]
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    first, length = np.minimum(starts[:, 0], ends[:, 0]), np.abs(ends[:, 0] - starts[:, 0])
    edge = np.repeat(np.arange(len(starts)), length)
    column = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - first, length)
    places, times = np.unique(column * height + starts[edge, 1], return_counts=True)
    changes = places[times % 2 == 1]  # a run that ends with its column may continue at the top of the next one
    counts = np.diff(changes, prepend=0, append=height * width)
    return counts[:-1] if counts[-1] == 0 else counts
