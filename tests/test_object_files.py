"""The files about objects that tools.predict writes: tables, label images and polygons, in parts and joined."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.predictions.inputs import Input
from src.data.predictions.prediction_files import NO_GEOREFERENCE, read_georeference, write_numbers
from src.files import read_csv
from src.objects.place import Spacing
from src.objects.predicted import TOP, PredictedImage
from src.objects.results import ObjectFiles, ObjectOptions
from tests.outlined import NAMES, blobs, numbered
from tests.test_prediction_files import GEO


def image_of(folder, files, mask, name="sub/a.png", **more):
    """A prediction with random pixels and probabilities."""
    rng, path = np.random.default_rng(0), folder / "photos" / name
    pixels = rng.integers(0, 255, (*mask.shape, 3), dtype=np.uint8)
    shares = more.pop("shares", rng.integers(0, TOP, (*mask.shape, len(files.names)), dtype=np.uint16))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no TIFF")
    source = Input(path, Path(name).with_suffix(""))
    place = more.pop("place", NO_GEOREFERENCE)
    return PredictedImage(source, pixels, mask, shares, place, files.paths(source.name))


def files_in(folder, form=None, spacings=None, **options):
    form = form or LabelFormat(3)
    foreground = range(form.classes) if form.overlap else range(1, form.classes)
    names = ["cell", "tree"] if form.overlap else NAMES[: form.classes]
    return ObjectFiles(folder / "out", ObjectOptions(**options), names, form, list(foreground), spacings or {})


def test_the_table_and_the_label_image_describe_every_component(tmp_path):
    files, mask = files_in(tmp_path, table=True), blobs(2)
    image = image_of(tmp_path, files, mask)
    files.write(image)
    labels, rows = tifffile.imread(tmp_path / "out/labels/sub/a.tif"), read_csv(tmp_path / "out/objects/sub/a.csv")
    assert labels.dtype == np.uint16 and len(rows) == labels.max() == numbered(mask).max()
    for row in rows:
        inside = labels == int(row["number"])
        index = NAMES.index(row["class"])
        y, x = np.nonzero(inside)
        assert (mask[inside] == index).all() and row["image"] == "sub/a.png" and int(row["area"]) == inside.sum()
        assert [int(row[side]) for side in ("left", "top", "right", "bottom")] == [
            x.min(),
            y.min(),
            x.max() + 1,
            y.max() + 1,
        ]
        assert float(row["centroid_x"]) == pytest.approx(x.mean() + 0.5, abs=1e-4)
        assert float(row["mean_probability"]) == pytest.approx(image.shares[inside, index].mean() / TOP, abs=1e-5)
        assert float(row["mean_intensity_2"]) == pytest.approx(image.pixels[inside, 1].mean(), abs=1e-4)
        assert int(row["max_intensity_3"]) == image.pixels[inside, 2].max()
        edges = x.min() == 0 or y.min() == 0 or x.max() == mask.shape[1] - 1 or y.max() == mask.shape[0] - 1
        assert int(row["touches_border"]) == edges and not row["unit"] and not row["area_in_unit"]


def test_lengths_are_also_given_in_the_unit_of_the_images(tmp_path):
    stated = {tmp_path / "photos": Spacing(2.0, 0.5, "µm")}
    files, mask = files_in(tmp_path, LabelFormat(2), stated, table=True), np.zeros((9, 9), np.uint8)
    mask[2:4, 3:8] = 1
    files.write(image_of(tmp_path, files, mask, "a.png"))
    (row,) = read_csv(tmp_path / "out/objects/a.csv")
    assert (row["unit"], row["area_in_unit"], row["perimeter_in_unit"]) == ("µm", "10", "")
    assert (row["centroid_x_in_unit"], row["centroid_y_in_unit"]) == ("2.75", "6")
    assert [row[f"{side}_in_unit"] for side in ("left", "top", "right", "bottom")] == ["1.5", "4", "4", "8"]


def test_mean_probability_of_two_classes_is_that_of_the_class_of_the_object(tmp_path):
    shares = np.full((2, 4, 1), round(0.8 * TOP), np.uint16)
    mask = np.array([[0, 0, 1, 1]] * 2, np.uint8)
    for foreground, expected in (([1], ["0.8"]), ([0, 1], ["0.2", "0.8"])):
        files = ObjectFiles(tmp_path / "out", ObjectOptions(table=True), NAMES[:2], LabelFormat(2), foreground)
        files.write(image_of(tmp_path, files, mask, shares=shares))
        rows = read_csv(tmp_path / "out/objects/sub/a.csv")
        assert [f"{float(row['mean_probability']):.3g}" for row in rows] == expected


def test_overlapping_classes_have_label_images_of_their_own_and_numbers_go_on(tmp_path):
    cells, trees = blobs(1) == 1, blobs(2) > 0
    files = files_in(tmp_path, LabelFormat(2, overlap=True), table=True, polygons="geojson")
    image = image_of(tmp_path, files, pack_planes([cells, trees]))
    files.write(image)
    both = [tifffile.imread(tmp_path / f"out/labels/{name}/sub/a.tif") for name in ("cell", "tree")]
    assert (both[0] > 0).tolist() == cells.tolist() and (both[1] > 0).tolist() == trees.tolist()
    rows = read_csv(tmp_path / "out/objects/sub/a.csv")
    assert [int(row["number"]) for row in rows] == list(range(1, both[1].max() + 1))
    assert {row["class"] for row in rows if int(row["number"]) <= both[0].max()} == {"cell"}
    features = json.loads((tmp_path / "out/polygons/sub/a.geojson").read_text())["features"]
    assert [(one["id"], one["properties"]["class"]) for one in features] == [
        (int(r["number"]), r["class"]) for r in rows
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [("labelme", "sub/a.json"), ("coco", "sub/a.json"), ("yolo", "labels/sub/a.txt")]
)
def test_polygons_are_written_where_the_tools_expect_them(tmp_path, kind, name):
    files = files_in(tmp_path, polygons=kind)
    image = image_of(tmp_path, files, blobs(1))
    files.write(image)
    written = files.combine([image.source], 3)
    text = (tmp_path / "out/polygons" / name).read_text()
    if kind == "labelme":
        assert json.loads(text)["imagePath"] == "../../../photos/sub/a.png"
    if kind == "coco":
        assert json.loads(text)["images"][0]["file_name"] == "sub/a.png" and written == [tmp_path / "out/polygons.json"]
    if kind == "yolo":
        assert (tmp_path / "out/polygons/data.yaml").read_text() == "names:\n  0: cell\n  1: tree\n"


def test_a_georeferenced_image_gets_map_coordinates(tmp_path):
    keys = (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633), True)
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((2, 4), np.uint8), extratags=[*GEO[:2], keys])
    files = files_in(tmp_path, table=True, polygons="geojson")
    mask = np.ones((2, 4), np.uint8)
    image = image_of(tmp_path, files, mask, "a.tif", place=read_georeference(path))
    files.write(image)
    content = json.loads((tmp_path / "out/polygons/a.geojson").read_text())
    points = content["features"][0]["geometry"]["coordinates"][0]
    assert {*map(tuple, points)} == {(x, y) for x in (370_000, 370_002) for y in (4_800_000, 4_799_999)}
    (row,) = read_csv(tmp_path / "out/objects/a.csv")
    assert (row["unit"], row["area_in_unit"]) == ("m", "2")
    with tifffile.TiffFile(tmp_path / "out/labels/a.tif") as file:
        assert file.pages.first.tags[33550].value == (0.5, 0.5, 0.0)


def test_joined_files_hold_the_images_in_their_order(tmp_path):
    files = files_in(tmp_path, table=True, polygons="coco")
    images = [image_of(tmp_path, files, blobs(seed), f"{name}.png") for seed, name in ((1, "b"), (2, "a"))]
    for image in images:
        files.write(image)
    inputs = [image.source for image in images]
    assert files.combine(inputs, 3, "-1-of-2") == [
        tmp_path / "out/objects-1-of-2.csv",
        tmp_path / "out/polygons-1-of-2.json",
    ]
    rows = read_csv(tmp_path / "out/objects-1-of-2.csv")
    assert rows == [row for name in "ba" for row in read_csv(tmp_path / f"out/objects/{name}.csv")]
    assert files.combine([], 3) == [tmp_path / "out/objects.csv", tmp_path / "out/polygons.json"]
    assert read_csv(tmp_path / "out/objects.csv") == []
    assert json.loads((tmp_path / "out/polygons.json").read_text())["images"] == []


def test_kinds_name_every_option_that_changes_a_file(tmp_path):
    stated = {tmp_path: Spacing(1.0, 0.5, "mm")}
    kinds = [
        files_in(tmp_path, table=True).kinds,
        files_in(tmp_path, table=True, split=True).kinds,
        files_in(tmp_path, spacings=stated, table=True).kinds,
        files_in(tmp_path, polygons="coco").kinds,
        files_in(tmp_path, polygons="coco", deviation=1.0).kinds,
        files_in(tmp_path, polygons="coco", deviation=2.0).kinds,
        files_in(tmp_path, polygons="coco", split=True).kinds,
    ]
    assert len({*map(tuple, kinds)}) == len(kinds)


def test_more_than_65535_objects_are_numbered_in_32_bits(tmp_path):
    numbers = np.arange(70_000, dtype=np.uint32).reshape(70, 1000)
    write_numbers(tmp_path / "a.tif", numbers)
    write_numbers(tmp_path / "b.tif", numbers[:1], 65_000)
    for name, expected in (("a", numbers), ("b", np.where(numbers[:1] > 0, numbers[:1] + 64_999, 0))):
        found = tifffile.imread(tmp_path / f"{name}.tif")
        assert found.dtype == np.uint32 and (found == expected).all()
