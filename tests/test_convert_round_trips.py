"""Masks → each format → masks. No pixel may differ: outlines run along the edges of pixels."""

import json

import numpy as np
import pytest
import scipy.io
from PIL import Image
from scipy import ndimage

from tests.annotated import base64_png, convert_here, labelme, photo, read_mask
from tests.test_convert_label_studio import brush

CLASSES = ["cell", "tree"]
HEIGHT, WIDTH = 37, 53


@pytest.fixture(scope="module")
def labels():
    """Blobs of two classes with holes, which touch each other and the border."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(5).random((2, HEIGHT, WIDTH)), (0, 2.5, 2.5))
    first, second = (plane > np.quantile(plane, 0.6) for plane in smooth)
    return np.where(first, 1, np.where(second, 2, 0)).astype(np.uint8)


def rectangles(inside):
    """The runs of pixels in each row as rectangles, [left, top, right, bottom]; together they are the region."""
    edges = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8))
    return [
        [int(left), int(row), int(right), int(row) + 1]
        for row, left, right in zip(*np.nonzero(edges == 1), np.nonzero(edges == -1)[1], strict=True)
    ]


def corners(rectangle):
    left, top, right, bottom = rectangle
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def polygons(labels):
    """Class → the corners of its rectangles."""
    return {name: [corners(one) for one in rectangles(labels == value)] for value, name in enumerate(CLASSES, 1)}


def coco(folder, labels, segmentation):
    categories = [{"id": 7 * value, "name": name} for value, name in enumerate(CLASSES, 1)]
    image = {"id": 3, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    entries = [
        {"id": value, "image_id": 3, "category_id": 7 * value, "segmentation": segmentation(labels == value)}
        for value in (1, 2)
    ]
    (folder / "a.json").write_text(json.dumps({"images": [image], "annotations": entries, "categories": categories}))
    return "coco", folder / "a.json", "--images", folder / "photos"


def coco_polygons(folder, labels):
    return coco(folder, labels, lambda inside: [np.ravel(corners(one)).tolist() for one in rectangles(inside)])


def coco_rle(folder, labels):
    def counts(inside):
        flat = inside.ravel(order="F").astype(int)
        ends = np.flatnonzero(np.diff(flat, prepend=0, append=2))
        return {"size": [HEIGHT, WIDTH], "counts": np.diff(ends, prepend=0).tolist()}

    return coco(folder, labels, counts)


def labelme_polygons(folder, labels):
    shapes = [(name, "polygon", one, {}) for name, listed in polygons(labels).items() for one in listed]
    labelme(folder / "photos/a.json", *shapes, size=(WIDTH, HEIGHT), imageData=None)
    return "labelme", folder / "photos"


def labelme_masks(folder, labels):
    points = [[0, 0], [WIDTH - 1, HEIGHT - 1]]
    shapes = [
        (name, "mask", points, {"mask": base64_png((labels == value).astype(np.uint8))})
        for value, name in enumerate(CLASSES, 1)
    ]
    labelme(folder / "photos/a.json", *shapes, size=(WIDTH, HEIGHT), imageData=None)
    return "labelme", folder / "photos"


def yolo_polygons(folder, labels):
    photo(folder / "set/images/a.png", WIDTH, HEIGHT)
    lines = [
        f"{index} " + " ".join(f"{x / WIDTH!r} {y / HEIGHT!r}" for x, y in one)
        for index, name in enumerate(CLASSES)
        for one in polygons(labels)[name]
    ]
    (folder / "set/labels").mkdir()
    (folder / "set/labels/a.txt").write_text("\n".join(lines))
    return "yolo", folder / "set", "--names", ",".join(CLASSES)


def voc_masks(folder, labels):
    photo(folder / "set/images/a.png", WIDTH, HEIGHT)
    (folder / "set/masks").mkdir()
    colours = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], np.uint8)
    Image.fromarray(colours[labels]).save(folder / "set/masks/a.png")
    (folder / "set/labelmap.txt").write_text("background:0,0,0::\ncell:250,50,83::\ntree:51,221,255::\n")
    return "voc", folder / "set"


def label_studio(folder, kind, values):
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    result = [{"type": kind, "value": value | {kind: [name]}} | size for name, value in values]
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": result}]}
    (folder / "export.json").write_text(json.dumps([task]))
    return "label-studio", folder / "export.json", "--images", folder / "photos"


def label_studio_polygons(folder, labels):
    shares = [
        (name, {"points": [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in one]})
        for name, listed in polygons(labels).items()
        for one in listed
    ]
    return label_studio(folder, "polygonlabels", shares)


def label_studio_brushes(folder, labels):
    masks = [(name, brush(labels == value)) for value, name in enumerate(CLASSES, 1)]
    return label_studio(folder, "brushlabels", masks)


def geojson_polygons(folder, labels):
    features = [
        {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[one] for one in listed]}}
        | {"properties": {"objectType": "annotation", "classification": {"name": name}}}
        for name, listed in polygons(labels).items()
    ]
    (folder / "photos/a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return "geojson", folder / "photos"


def via_polygons(folder, labels):
    regions = [
        {"shape_attributes": {"name": "polygon", "all_points_x": list(x), "all_points_y": list(y)}}
        | {"region_attributes": {"type": name}}
        for name, listed in polygons(labels).items()
        for x, y in (zip(*one, strict=True) for one in listed)
    ]
    (folder / "via.json").write_text(json.dumps({"a.png": {"filename": "a.png", "regions": regions}}))
    return "via", folder / "via.json", "--images", folder / "photos"


def arrays(folder, labels):
    scipy.io.savemat(folder / "photos/a.mat", {"labels": labels})
    return "arrays", folder / "photos", "--names", ",".join(CLASSES)


def mask_per_class(folder, labels):
    for value, name in enumerate(CLASSES, 1):
        (folder / "set").mkdir(exist_ok=True)
        Image.fromarray((labels == value).astype(np.uint8) * 255).save(folder / f"set/a_{name}.png")
    return "masks", folder / "set", "--each", "class", "--images", folder / "photos"


FORMATS = [
    *(coco_polygons, coco_rle, labelme_polygons, labelme_masks, yolo_polygons, voc_masks),
    *(label_studio_polygons, label_studio_brushes, geojson_polygons, via_polygons, arrays, mask_per_class),
]


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
def test_a_round_trip_changes_no_pixel(write, labels, tmp_path):
    photo(tmp_path / "photos/a.png", WIDTH, HEIGHT)
    convert_here(*write(tmp_path, labels), "--out", tmp_path / "out")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), labels)


def test_a_round_trip_of_numbered_objects_changes_no_pixel(labels, tmp_path):
    photo(tmp_path / "set/a/images/a.png", WIDTH, HEIGHT)
    numbers, count = ndimage.label(labels > 0)
    (tmp_path / "set/a/masks").mkdir()
    for number in range(1, count + 1):
        Image.fromarray((numbers == number).astype(np.uint8) * 255).save(tmp_path / f"set/a/masks/{number:03}.png")
    convert_here("masks", tmp_path / "set", "--each", "object", "--out", tmp_path / "out")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), numbers)
