"""The size of pixels and their place on a map: from dataset.yaml, GeoTIFF, OME-TIFF and ImageJ, and not from others."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.predictions.prediction_files import Georeference, read_georeference
from src.errors import UserError
from src.objects.map_place import MapPlace, map_place
from src.objects.place import Spacing, image_spacing, stated_spacings

PIXELS = np.zeros((4, 6), np.uint8)
SCALE, TIE = (33550, "d", 3, (0.5, 0.25, 0.0), True), (33922, "d", 6, (2.0, 1.0, 0.0, 1000.0, 5000.0, 0.0), True)


def keys(*entries):
    flat = [part for key, value in entries for part in (key, 0, 1, value)]
    return (34735, "H", 4 + len(flat), (1, 1, 0, len(entries), *flat), True)


UTM = keys((1024, 1), (3072, 32633))


def spacing_of(path, **options):
    tifffile.imwrite(path, PIXELS, **options)
    return image_spacing(path, read_georeference(path))


def test_the_spacing_of_dataset_yaml_holds_for_its_folder_and_those_below(tmp_path):
    (tmp_path / "set/images/sub").mkdir(parents=True)
    (tmp_path / "set/dataset.yaml").write_text("spacing: [0.5, 0.25]\nunit: mm\n")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/dataset.yaml").write_text("spacing: 2\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/dataset.yaml").write_text("path: of another program\nnames: [a, b]\n")
    found = stated_spacings([tmp_path / name / "a.png" for name in ("set/images", "set/images/sub", "photos", "other")])
    inner = Spacing(0.5, 0.25, "mm")
    expected = {"set/images": inner, "set/images/sub": inner, "photos": Spacing(2.0, 2.0, "units of spacing")}
    assert found == {tmp_path / name: spacing for name, spacing in expected.items()}


def test_every_dataset_yaml_that_cannot_be_used_is_listed_once(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.yaml").write_text("spacing: wide\n")
    images = [tmp_path / name / file for name in ("one", "two") for file in ("a.png", "b.png")]
    with pytest.raises(UserError) as error:
        stated_spacings(images)
    assert str(error.value).count("one/dataset.yaml") == str(error.value).count("two/dataset.yaml") == 1


def test_microscopes_write_the_size_of_a_pixel_as_ome_or_imagej(tmp_path):
    ome = {
        "axes": "YX",
        "PhysicalSizeX": 0.65,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "µm",
    }
    assert spacing_of(tmp_path / "a.ome.tif", metadata=ome) == Spacing(0.5, 0.65, "µm")
    imagej = {"imagej": True, "resolution": (4, 2)}
    assert spacing_of(tmp_path / "b.tif", metadata={"unit": "um"}, **imagej) == Spacing(0.5, 0.25, "µm")
    assert spacing_of(tmp_path / "c.tif", metadata={"unit": "pixel"}, **imagej) is None


def test_the_resolution_of_a_screen_or_printer_is_no_size(tmp_path):
    assert spacing_of(tmp_path / "a.tif", resolution=(300, 300), resolutionunit="INCH") is None
    assert spacing_of(tmp_path / "b.tif", resolution=(28.35, 28.35), resolutionunit="CENTIMETER") is None
    Image.fromarray(PIXELS).save(tmp_path / "c.png", dpi=(72, 72))
    assert image_spacing(tmp_path / "c.png", Georeference()) is None


def test_odd_metadata_is_no_size(tmp_path):
    for name, text in (("a", "ImageJ=1.53\nunit=\x07\n"), ("b", "<?xml version='1.0'?><OME><Image/></OME>")):
        assert spacing_of(tmp_path / f"{name}.tif", description=text, resolution=(1, 1)) is None


def test_a_map_in_metres_has_a_size_and_a_place(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, extratags=[SCALE, TIE, UTM])
    place = read_georeference(tmp_path / "a.tif")
    assert map_place(place) == MapPlace((999.0, 5000.25), (0.5, 0.0), (0.0, -0.25), 32633)
    assert image_spacing(tmp_path / "a.tif", place) == Spacing(0.25, 0.5, "m")


def test_a_point_raster_starts_half_a_pixel_earlier(tmp_path):
    tags = [SCALE, TIE, keys((1024, 1), (1025, 2), (3072, 32633), (3076, 9002))]
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, extratags=tags)
    place = read_georeference(tmp_path / "a.tif")
    assert map_place(place).origin == (998.75, 5000.375) and image_spacing(tmp_path / "a.tif", place).unit == "ft"


def test_a_rotated_map_has_the_steps_of_its_matrix(tmp_path):
    matrix = (3.0, 4.0, 0.0, 100.0, 4.0, -3.0, 0.0, 200.0, *[0.0] * 7, 1.0)
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, extratags=[(34264, "d", 16, matrix, True), UTM])
    place = read_georeference(tmp_path / "a.tif")
    assert map_place(place) == MapPlace((100.0, 200.0), (3.0, 4.0), (4.0, -3.0), 32633)
    assert image_spacing(tmp_path / "a.tif", place) == Spacing(5.0, 5.0, "m")


@pytest.mark.parametrize(
    ("tags", "placed"),
    [
        ([SCALE, TIE, keys((1024, 2), (2048, 4326))], True),  # degrees
        ([SCALE, TIE, keys((1024, 1), (3072, 32767))], False),  # defined by the user
        ([SCALE, TIE, keys((1024, 1), (3072, 2056))], True),  # a unit that only the registry knows
        ([SCALE, UTM], False),
        ([(33550, "d", 3, (0.0, 0.0, 0.0), True), TIE, UTM], False),
        ([SCALE, TIE, (34735, "H", 2, (1, 1), True)], False),
    ],
)
def test_maps_without_a_known_length_unit_have_no_size(tmp_path, tags, placed):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, extratags=tags)
    place = read_georeference(tmp_path / "a.tif")
    assert (map_place(place) is not None) == placed and image_spacing(tmp_path / "a.tif", place) is None
