"""Conversion of GeoJSON: objects of QuPath, features in pixels, and features in map coordinates."""

import json
import math

import numpy as np
import pytest
import tifffile

from src.convert.annotations import Options
from src.convert.formats.geojson.features import fill_with_holes
from src.convert.formats.geojson.geojson import Reading, read_geojson
from src.convert.formats.geojson.georeference import epsg_of
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.errors import UserError
from tests.annotated import convert_here, inside, photo, picture, read_mask

OUTER = [[2, 1], [10, 1], [10, 9], [2, 9], [2, 1]]
HOLE = [[4, 3], [8, 3], [8, 7], [4, 7], [4, 3]]
ISLAND = [[5, 4], [7, 4], [7, 6], [5, 6], [5, 4]]
RING = np.zeros((10, 12), np.uint8)
RING[1:9, 2:10], RING[3:7, 4:8] = 1, 0


def feature(coordinates, label="Tumor", kind="Polygon", **properties):
    found = {"objectType": "annotation"} | ({"classification": {"name": label, "color": [200, 0, 0]}} if label else {})
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "id": "9f", "geometry": geometry, "properties": found | properties}


def plain(coordinates, **properties):
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": coordinates}, "properties": properties}


def write(folder, *features, name="a.geojson", **members):
    if not (folder / "photos").exists():
        photo(folder / "photos/a.png")
    (folder / "set").mkdir(exist_ok=True)
    content = {"type": "FeatureCollection", "features": list(features)} | members
    (folder / "set" / name).write_text(json.dumps(content))


def convert(folder, options=None, out="out", **more):
    source = read_geojson(folder / "set", folder / "photos", Reading(**more), options or Options())
    return write_data_set(source, folder / out)


def test_objects_of_qupath_become_classes_and_keep_their_holes(tmp_path):
    small = [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]
    names = feature(small, None, classification={"names": ["Stroma", "Positive"], "color": [1, 2, 3]})
    ignored = feature([[[10, 8], [12, 8], [12, 10], [10, 10], [10, 8]]], "Ignore*")
    write(tmp_path, names, feature([OUTER, HOLE]), ignored)
    assert convert(tmp_path).dataset.classes == {0: "background", 1: "Stroma: Positive", 2: "Tumor"}
    wanted = 2 * RING
    wanted[0:2, 0:2], wanted[8:10, 10:12] = 1, 255
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), wanted)


@pytest.mark.parametrize("shell", [lambda one: [one], lambda one: one])
def test_a_list_and_a_single_feature_are_read(tmp_path, shell):
    write(tmp_path)
    (tmp_path / "set/a.geojson").write_text(json.dumps(shell(feature([OUTER, HOLE]))))
    convert(tmp_path)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), RING)


def test_an_island_in_a_hole_stays_whatever_the_order_of_polygons(tmp_path):
    wanted = RING.copy()
    wanted[4:6, 5:7] = 1
    for order in (1, -1):
        polygons = [[np.array(ring, float) for ring in rings] for rings in ([OUTER, HOLE], [ISLAND])][::order]
        np.testing.assert_array_equal(picture(fill_with_holes(polygons, 10, 12), 10, 12), wanted)
    write(tmp_path, feature([[OUTER, HOLE], [ISLAND]], kind="MultiPolygon"))
    convert(tmp_path)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), wanted)


def test_polygons_with_holes_contain_the_pixels_whose_centres_they_contain():
    rng = np.random.default_rng(4)
    for _ in range(20):
        rings = [rng.uniform(-4, 18, (rng.integers(3, 7), 2)) for _ in range(rng.integers(1, 4))]
        wanted = [
            [
                inside(c + 0.5, r + 0.5, rings[0].tolist())
                and not any(inside(c + 0.5, r + 0.5, hole.tolist()) for hole in rings[1:])
                for c in range(15)
            ]
            for r in range(13)
        ]
        np.testing.assert_array_equal(picture(fill_with_holes([rings], 13, 15), 13, 15), wanted)


def test_a_property_or_an_option_names_the_class(tmp_path):
    write(tmp_path, plain([OUTER], crop="wheat"), plain([ISLAND], other=1), coordinates="pixels")
    with pytest.raises(UserError, match=r"2 problem.*(\n.*){2}has no classification; properties there: 'other'"):
        convert(tmp_path)
    with pytest.raises(UserError, match=r"1 problem.*\n  'features\[1\] of a.geojson': has no 'crop'"):
        convert(tmp_path, key="crop")
    summary = convert(tmp_path, key="crop", unclassified="other")
    assert summary.dataset.classes == {0: "background", 1: "other", 2: "wheat"} and summary.pixels[1] == 4


def geotiff(path, epsg=32632, point=False, turn=0.0, scale=2.0):
    """Write an image of 12 × 10 pixels and return its map: column, row → x, y."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cosine, sine, x, y = math.cos(turn) * scale, math.sin(turn) * scale, 500000.0, 5200000.0
    geographic = epsg == 4326
    model = (1024, 0, 1, 1 + geographic)
    keys = (1, 1, 0, 3, *model, 1025, 0, 1, 1 + point, 2048 if geographic else 3072, 0, 1, epsg)
    if turn:
        place = [(34264, 12, 16, (cosine, sine, 0, x, sine, -cosine, 0, y, 0, 0, 0, 0, 0, 0, 0, 1), True)]
    else:
        place = [
            (33550, 12, 3, (scale, scale, 0.0), True),
            (33922, 12, 6, (1.0, 2.0, 0, x + scale, y - 2 * scale, 0), True),
        ]
    tifffile.imwrite(path, np.zeros((10, 12), np.uint8), extratags=[*place, (34735, 3, len(keys), keys, True)])
    shift = 0.5 * point  # in a file of points, the map coordinates are those of the pixel's centre
    return lambda ring: [
        [x + (c - shift) * cosine + (r - shift) * sine, y + (c - shift) * sine - (r - shift) * cosine] for c, r in ring
    ]


@pytest.mark.parametrize("more", [{}, {"point": True}, {"turn": 0.5}, {"turn": 2.5, "point": True}])
def test_map_coordinates_become_pixels_of_the_geotiff(tmp_path, more):
    to_map = geotiff(tmp_path / "photos/a.tif", **more)
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    write(tmp_path, plain([to_map(OUTER), to_map(HOLE)], kind="field"), crs=crs)
    convert(tmp_path, key="kind")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), RING)


def test_map_coordinates_without_a_fitting_image_are_refused(tmp_path):
    crs = {"type": "name", "properties": {"name": "EPSG:25832"}}
    write(tmp_path, plain([OUTER], kind="field"), crs=crs)
    with pytest.raises(UserError, match=r"'a\.geojson': is in map coordinates, but a\.png has no georeference"):
        convert(tmp_path, key="kind")
    (tmp_path / "photos/a.png").unlink()
    geotiff(tmp_path / "photos/a.tif")
    with pytest.raises(UserError, match=r"is in EPSG:25832, but a\.tif is in EPSG:32632 → .*ogr2ogr -t_srs EPSG:32632"):
        convert(tmp_path, key="kind")
    write(tmp_path, plain([OUTER], kind="field"))
    with pytest.raises(UserError, match=r"does not say whether .*; the image has a georeference.*--units"):
        convert(tmp_path, key="kind")
    with pytest.raises(UserError, match=r"is in EPSG:4326 \(longitude and latitude\), but a\.tif is in EPSG:32632"):
        convert(tmp_path, key="kind", units="map")
    convert(tmp_path, key="kind", units="pixels")


def test_coordinates_that_may_be_degrees_are_refused_until_their_unit_is_given(tmp_path):
    write(tmp_path, plain([OUTER, HOLE], kind="cell"))
    with pytest.raises(UserError, match=r"the image has no georeference, and they fit both → use --units pixels or"):
        convert(tmp_path, key="kind")
    convert(tmp_path, key="kind", units="pixels")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), RING)
    photo(tmp_path / "photos/a.png", 400, 300)
    write(tmp_path, plain([[[0, 0], [399, 0], [0, 299]]], kind="cell"))
    assert convert(tmp_path, out="large", key="kind").shapes == 1  # no latitude is 299°


@pytest.mark.parametrize(
    ("name", "epsg"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", 4326),
        ("urn:ogc:def:crs:EPSG::3857", 3857),
        ("urn:ogc:def:crs:EPSG:9.8.2:3857", 3857),
        ("http://www.opengis.net/def/crs/EPSG/0/32632", 32632),
        ("EPSG:25832", 25832),
    ],
)
def test_names_of_reference_systems_are_read(name, epsg):
    assert epsg_of({"type": "name", "properties": {"name": name}}) == epsg


def test_malformed_features_are_listed_together_and_nothing_is_written(tmp_path):
    broken = [
        feature([[[1, 1], [2, 2]]]),
        feature([[["x", 1], [2, 2], [3, 3]]]),
        feature([[[-5, 1], [2, 2], [3, 3]]]),
        feature([[[1, float("inf")], [2, 2], [3, 3]]]),
        feature([OUTER], kind="GeometryCollection"),
        feature([]),
        feature([[OUTER], []], kind="MultiPolygon"),
        {"type": "Feature", "geometry": None},
    ]
    write(tmp_path, feature([OUTER]), *broken)
    write(tmp_path, feature([OUTER]), name="b.geojson")
    (tmp_path / "set/c.json").write_text('{"version": 5, "shapes": []}')
    (tmp_path / "set/d.json").write_text("{")
    with pytest.raises(UserError, match="11 problem") as error:
        convert(tmp_path)
    for words in (
        "'features[1] of a.geojson': a polygon of 2 point(s) encloses nothing",
        "'features[2] of a.geojson': its coordinates are not rings",
        "'features[3] of a.geojson': reaches 5 pixels out",
        "'features[4] of a.geojson': a coordinate is not a finite number",
        "'features[5] of a.geojson': is a 'GeometryCollection'",
        "'features[6] of a.geojson': has no points",
        "'features[7] of a.geojson': has no points",
        "'features[8] of a.geojson': geometry",
        "'b.geojson': has no image of its name",
        "'c.json': is not GeoJSON with features",
        "'d.json': is not valid JSON",
    ):
        assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_is_named(tmp_path):
    cell = feature([OUTER], "cell", objectType="cell") | {"nucleusGeometry": {"type": "Polygon", "coordinates": [HOLE]}}
    write(tmp_path, cell, feature([1, 1], kind="Point"), name="a_annotations.geojson")
    photo(tmp_path / "photos/b.png")
    words = describe(convert(tmp_path))
    assert (
        "features without an area are left out: 1 'Point'" in words and "the nuclei of 1 cell(s) are left out" in words
    )
    assert "1 image(s) there have no GeoJSON, and are left out; the first is 'b.png'" in words


def test_the_command_converts_geojson(tmp_path):
    write(tmp_path, plain([OUTER, HOLE], kind="x"))
    given = ("--images", tmp_path / "photos", "--property", "kind", "--units", "pixels", "--names", "y,x")
    convert_here("geojson", tmp_path / "set", *given, "--out", tmp_path / "out")
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), 2 * RING)
