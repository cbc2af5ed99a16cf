"""Polygon formats: masks that are written as polygons and converted back differ by no pixel."""

import json

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.formats.coco import read_coco
from src.convert.formats.labelme import read_labelme
from src.convert.formats.yolo import read_yolo
from src.convert.regions import fill_runs
from src.convert.write import write_data_set
from src.files import write_json
from src.objects.annotated import AnnotatedImage, OutlinedObject
from src.objects.formats.coco import coco_document, merge_coco, run_lengths
from src.objects.formats.geojson import geojson_document
from src.objects.formats.labelme import BACKGROUND, labelme_document
from src.objects.formats.yolo import yolo_lines, yolo_names
from src.objects.map_place import MapPlace
from src.objects.outlines import trace_outlines
from tests.annotated import photo, picture, read_mask
from tests.outlined import NAMES, annotated, blobs

SEEDS = [1, 2]
RING = np.array([[1, 1, 1, 1, 0], [1, 0, 0, 1, 0], [1, 0, 2, 1, 0], [1, 1, 1, 1, 1]], np.uint8)  # an object in a hole


def write_coco(folder, images):
    parts = []
    for name, image in images.items():
        parts.append(folder / f"{name}.part")
        write_json(parts[-1], coco_document([image], NAMES[1:]), indent=None)
    merge_coco(parts, folder / "all.json")
    return read_coco(folder / "all.json", folder / "images", Options())


def write_labelme(folder, images):
    for name, image in images.items():
        write_json(folder / f"images/{name}.json", labelme_document(image))
    return read_labelme(folder / "images", Options(), names=NAMES[1:])


def write_yolo(folder, images):
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text(yolo_names(NAMES[1:]))
    for name, image in images.items():
        (folder / f"labels/{name}.txt").write_text(yolo_lines(image, NAMES[1:]))
    return read_yolo(folder, Options())


@pytest.mark.parametrize("write", [write_coco, write_labelme, write_yolo])
def test_masks_come_back_from_every_format_without_a_different_pixel(tmp_path, write):
    masks = {f"i{seed}": blobs(seed, width=52 + 4 * seed) for seed in SEEDS} | {"ring": RING.repeat(3, 0).repeat(7, 1)}
    source, images = tmp_path / "source", {}
    for name, mask in masks.items():
        photo(source / f"images/{name}.png", mask.shape[1], mask.shape[0])
        images[name] = annotated(mask, f"{name}.png")
    summary = write_data_set(write(source, images), tmp_path / "out")
    for name, mask in masks.items():
        np.testing.assert_array_equal(read_mask(tmp_path / f"out/masks/{name}.png"), mask)
    assert not summary.warnings and not summary.skipped
    assert summary.dataset.classes == dict(enumerate(NAMES))


def test_run_lengths_hold_the_pixels_of_an_object():
    for seed in SEEDS:
        image = annotated(blobs(seed))
        for one in image.objects:
            counts = run_lengths(one, image.height, image.width)
            assert (counts[1:] > 0).all() and counts.sum() == image.height * image.width
            found = picture(fill_runs(counts, image.height, image.width), image.height, image.width)
            assert found.sum() == one.area
    full = annotated(np.ones((3, 4), np.uint8))
    assert run_lengths(full.objects[0], 3, 4).tolist() == [0, 12]


def test_coco_lists_area_box_score_and_holes_as_runs():
    content = coco_document([annotated(RING)], NAMES[1:])
    ring, tree = content["annotations"]
    assert content["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "tree"}]
    assert ring["bbox"] == [0, 0, 5, 4] and ring["area"] == 13 and ring["score"] == 0.75 and not ring["iscrowd"]
    assert ring["segmentation"]["size"] == [4, 5] and tree["segmentation"] == [[2, 2, 3, 2, 3, 3, 2, 3]]


def test_merged_coco_files_number_images_and_annotations_through(tmp_path):
    parts = []
    for name in ("a.png", "b.png", "c.png"):
        parts.append(tmp_path / f"{name}.json")
        write_json(parts[-1], coco_document([annotated(RING * (name != "b.png"), name)], NAMES[1:]))
    merge_coco(parts, tmp_path / "all.json")
    content = json.loads((tmp_path / "all.json").read_text())
    assert content == coco_document(
        [annotated(RING * (name != "b.png"), name) for name in ("a.png", "b.png", "c.png")], NAMES[1:]
    )


def test_labelme_draws_a_hole_after_its_object_and_before_what_lies_in_it():
    content = labelme_document(annotated(RING))
    assert [shape["label"] for shape in content["shapes"]] == ["cell", BACKGROUND, "tree"]
    assert [shape["group_id"] for shape in content["shapes"]] == [1, 1, 2]
    assert (content["imageHeight"], content["imageWidth"], content["imageData"]) == (4, 5, None)


def test_a_hole_of_one_of_several_overlapping_classes_erases_no_other_class():
    hole, below = (RING == 1).astype(np.uint8), np.ones((4, 5), np.uint8)
    objects = [
        OutlinedObject(1, "cell", trace_outlines(hole)[1], 13),
        OutlinedObject(2, "tree", trace_outlines(below)[1], 20),
    ]
    shapes = labelme_document(AnnotatedImage("a.png", 5, 4, objects, overlap=True))["shapes"]
    assert [shape["label"] for shape in shapes] == ["cell", "tree"] and len(shapes[0]["points"]) > 8


def test_yolo_has_a_line_for_each_polygon_and_shares_of_the_size():
    assert yolo_lines(annotated(np.eye(2, dtype=np.uint8)), NAMES[1:]) == (
        "0 0 0 0.5 0 0.5 0.5 0 0.5\n0 0.5 0.5 1 0.5 1 1 0.5 1\n"
    )
    assert yolo_lines(annotated(np.zeros((2, 2), np.uint8)), NAMES[1:]) == ""
    assert yolo_names(["cell", "no: yes"]) == "names:\n  0: cell\n  1: 'no: yes'\n"


def area(ring):
    (x, y), (next_x, next_y) = ring[:-1].T, ring[1:].T
    return (x * next_y - next_x * y).sum() / 2


@pytest.mark.parametrize(
    "place", [None, MapPlace((5e5, 4e6), (0.5, 0.0), (0.0, -0.5), 32633), MapPlace((0, 0), (0, 2), (2, 0), 4326)]
)
def test_geojson_has_closed_rings_in_the_order_of_the_standard(place):
    content = geojson_document(annotated(RING), place)
    ring, tree = content["features"]
    outer, hole = (np.array(points) for points in ring["geometry"]["coordinates"])
    scale = 1 if place is None else abs(np.linalg.det([place.right, place.down]))
    assert (outer[0] == outer[-1]).all() and area(outer) == 17 * scale and area(hole) == -4 * scale
    assert ring["properties"]["class"] == "cell" and tree["properties"]["mean_probability"] == 0.75
    assert ("crs" in content) == (place is not None)


def test_geojson_in_map_coordinates_starts_at_the_corner_of_the_image():
    place = MapPlace((500_000.0, 4_000_000.0), (0.5, 0.0), (0.0, -0.5), 32633)
    content = geojson_document(annotated(np.ones((2, 4), np.uint8)), place)
    (ring,) = content["features"][0]["geometry"]["coordinates"]
    assert {*map(tuple, ring)} == {(x, y) for x in (500_000, 500_002) for y in (4_000_000, 3_999_999)}
    assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"


def test_geojson_joins_the_parts_of_an_object():
    (feature,) = geojson_document(annotated(np.eye(2, dtype=np.uint8)))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon" and len(feature["geometry"]["coordinates"]) == 2
