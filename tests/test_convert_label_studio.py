"""Conversion of Label Studio's JSON export: brush masks, polygons in per cent, and tasks that are refused."""

import json
import math

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.formats.brush import read_brush
from src.convert.formats.label_studio import read_label_studio
from src.convert.problems import Refused
from src.convert.regions import fill_ellipse, fill_runs
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.errors import UserError
from tests.annotated import convert_here, photo, picture, stored

DISC = np.hypot(*(np.mgrid[:20, :30] - np.array([9, 14])[:, None, None])) < math.sqrt(60)
# mask2rle of label-studio-converter 0.0.59 for the disc, 255 inside:
DISC_RLE = bytes.fromhex(
    "00000960391bff011b00c37ff95c0311ffe4f00c57ff91c0319ffe3f00c77ff8ec031dffe3b00c77ff8ec031dffe3b00c77ff8ec031dffe3b00"
    "c77ff8fc0319ffe4700c57ff93c0311ffe5700c37ffc065c000"
)
SQUARE = [[25, 20], [50, 20], [50, 60], [25, 60]]  # of 12 × 10 pixels: columns 3 to 5, rows 2 to 5
FULL = np.zeros((10, 12), np.uint8)
FULL[2:6, 3:6] = 1


def encode(values, repeat):
    """Pack values as rle-pack does: runs of equal values, or one block of single values for everything."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    if repeat:
        at = 0
        while at < len(values):
            end = next((end for end in range(at, min(at + 8, len(values))) if values[end] != values[at]), None)
            end = min(at + 8, len(values)) if end is None else end
            bits += f"100{end - at - 1:03b}{values[at]:08b}"
            at = end
    else:
        bits += f"011{len(values) - 1:016b}" + "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def brush(mask, repeat=True, colour=(200, 30, 30)):
    """A brush mask as Label Studio's editor stores it: red, green, blue and alpha of each pixel."""
    pixels = np.where(mask[..., None], np.array([*colour, 255]), 0).ravel().tolist()
    return {"format": "rle", "rle": encode(pixels, repeat)}


def region(kind, value, label="cell", **more):
    size = {"original_width": 12, "original_height": 10, "image_rotation": 0}
    labels = {kind: [label]} if label is not None else {}
    return {"id": "r1", "type": kind, "to_name": "image", "value": value | labels} | size | more


def export(folder, *regions, image="/data/upload/1/0a1b2c3d-a.png", **more):
    """Write an export of one task and its image, a.png."""
    if not (folder / "photos").exists():
        photo(folder / "photos/a.png")
    annotation = {"id": 5, "result": list(regions), "was_cancelled": False, "ground_truth": False}
    task = {"id": 7, "data": {"image": image}, "annotations": [annotation], "predictions": []} | more
    (folder / "export.json").write_text(json.dumps([task]))
    return folder / "export.json"


def convert(folder, *regions, names=None, options=None, out="out", **more):
    path = export(folder, *regions, **more)
    return write_data_set(read_label_studio(path, folder / "photos", options or Options(), names), folder / out)


def test_brush_masks_of_label_studio_converter_are_read_to_the_pixel():
    found = fill_runs(read_brush(list(DISC_RLE), 20, 30), 20, 30)
    np.testing.assert_array_equal(picture(found, 20, 30), DISC)


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_round_trip_through_a_brush_mask_changes_no_pixel(tmp_path, repeat, share):
    mask = np.random.default_rng(3).random((10, 12)) < share
    counts = read_brush(brush(mask, repeat)["rle"], 10, 12)
    np.testing.assert_array_equal(picture(fill_runs(counts, 10, 12), 10, 12), mask)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rle: rle[:-3], "cut off"),
        (lambda rle: rle[:7], "cut off"),
        (lambda rle: [], "not a list of bytes"),
        (lambda rle: "AAAA", "not a list of bytes"),
        (lambda rle: [*rle[:5], 300], "not a list of bytes"),
        (lambda rle: [0, 0, 0, 9, *rle[4:]], "covers 2.25 pixels, the image has 600"),
        (lambda rle: [255] * len(rle), "covers"),
        (lambda rle: [*rle[:4], 0xFF, *rle[5:]], "values of 32 bits"),
    ],
)
def test_damaged_brush_masks_are_refused(change, why):
    with pytest.raises(Refused, match=why):
        read_brush(change(list(DISC_RLE)), 20, 30)


@pytest.mark.parametrize(
    "image", ["/data/upload/1/0a1b2c3d-a.png", "s3://bucket/x/a.png", "/data/local-files/?d=x/a.png"]
)
def test_polygons_in_per_cent_and_brushes_become_classes_in_alphabetical_order(tmp_path, image):
    spot = np.zeros((10, 12), bool)
    spot[4:8, 5:9] = True
    polygon = region("polygonlabels", {"points": SQUARE, "closed": True}, "nucleus")
    summary = convert(tmp_path, polygon, region("brushlabels", brush(spot), "cell"), image=image)
    assert summary.dataset.classes == {0: "background", 1: "cell", 2: "nucleus"}
    np.testing.assert_array_equal(stored(tmp_path), np.where(spot, 1, 2 * FULL))
    assert "found by decoded name or base name" in describe(summary)


def test_a_label_in_an_entry_of_its_own_is_used(tmp_path):
    """Projects with the tags Labels and Brush or Polygon export every region twice."""
    value = {"points": SQUARE}
    summary = convert(tmp_path, region("polygon", value, None), region("labels", value, "cell"))
    np.testing.assert_array_equal(stored(tmp_path), FULL)
    assert summary.shapes == 1


def test_turned_boxes_and_ellipses_are_drawn_where_the_editor_shows_them(tmp_path):
    box = {"x": 50, "y": 20, "width": 40, "height": 25, "rotation": 90}  # a quarter turn around the top left corner
    with pytest.raises(UserError, match=r"region 0 \(id r1\) of task 0 \(id 7\) \(a.png\)': is a box.*--boxes"):
        convert(tmp_path, region("rectanglelabels", box))
    photo(tmp_path / "photos/a.png", 10, 20)
    size = {"original_width": 10, "original_height": 20}
    convert(tmp_path, region("rectanglelabels", box, **size), options=Options(boxes=True))
    wanted = np.zeros((20, 10), np.uint8)
    wanted[4:8, 0:5] = 1
    np.testing.assert_array_equal(stored(tmp_path), wanted)


def test_ellipses_contain_the_pixels_whose_centres_they_contain(tmp_path):
    rows, columns = np.mgrid[:30, :40] + 0.5
    rng = np.random.default_rng(1)
    for _ in range(20):
        (x, y), (a, b), turn = rng.uniform(-5, 40, 2), rng.uniform(0.2, 20, 2), rng.uniform(-4, 4)
        offset = (columns - x + 1j * (rows - y)) * np.exp(-1j * turn)
        expected = (offset.real / a) ** 2 + (offset.imag / b) ** 2 <= 1
        np.testing.assert_array_equal(picture(fill_ellipse((x, y), (a, b), turn, (30, 40)), 30, 40), expected)
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 30, "rotation": 0}
    assert convert(tmp_path, region("ellipselabels", value)).pixels[1] == 32


REFUSED = [
    ([region("polygonlabels", {"points": [[1, 2], [3, 4]]})], "encloses nothing"),
    ([region("polygonlabels", {"points": [[1, 2], [3]]})], "its points are not pairs"),
    ([region("polygonlabels", {"points": [[1, 2], [3, 10**400], [4, 4]]})], "its points are not pairs"),
    ([region("polygonlabels", {"points": [[0, 0], [150, 0], [0, 90]]})], "reaches 6 pixels out of the image"),
    ([region("polygonlabels", {"points": SQUARE}, image_rotation=90)], "was drawn on the image turned by 90°"),
    ([region("polygonlabels", {"points": SQUARE, "polygonlabels": ["a", "b"]}, None)], "has 2 labels"),
    ([region("polygon", {"points": SQUARE}, None, id="r2")], "has no label"),
    ([region("brushlabels", {"rle": [1, 2, 3]})], "cut off"),
    ([region("bitmasklabels", {"imageDataURL": "data:"})], "regions of a kind that is not read: 'bitmasklabels'"),
    ([region("ellipselabels", {"x": 5, "y": 5, "radiusX": 0, "radiusY": 1})], "its radii are not above 0"),
    ([region("ellipselabels", {"x": "5", "y": 5, "radiusX": 1, "radiusY": 1})], "x is '5', not a number"),
    ([region("polygonlabels", {"points": SQUARE}, original_width=99)], "its annotations say 99 × 10"),
]


@pytest.mark.parametrize(("regions", "why"), REFUSED)
def test_a_malformed_region_is_named_with_its_task_and_nothing_is_written(tmp_path, regions, why):
    valid = region("polygonlabels", {"points": SQUARE}, "cell") if "99" not in why else regions[0]
    with pytest.raises(UserError, match=rf"1 problem.*\n  '.*task 0 \(id 7\).*{why}"):
        convert(tmp_path, valid, *regions)
    assert not (tmp_path / "out").exists()


def test_all_problems_are_listed_at_once(tmp_path):
    with pytest.raises(UserError, match="6 problem"):
        convert(
            tmp_path, region("polygonlabels", {"points": SQUARE}), *[case for cases, _ in REFUSED[:6] for case in cases]
        )


def test_one_of_several_annotations_counts_only_if_it_is_the_ground_truth(tmp_path):
    entries = [
        {"result": [region("polygonlabels", {"points": SQUARE})], "ground_truth": False},
        {"result": [region("polygonlabels", {"points": [[0, 0], [100, 0], [100, 100]]})], "ground_truth": True},
        {"result": [{"type": "broken"}], "was_cancelled": True},
    ]
    assert convert(tmp_path, annotations=entries).pixels[1] > 40
    entries[1]["ground_truth"] = False
    with pytest.raises(UserError, match=r"task 0.*has 2 annotations, and it is not certain which one counts"):
        convert(tmp_path, annotations=entries)


@pytest.mark.parametrize("image", ["/storage/7", "x/gone.png"])
def test_the_name_of_the_uploaded_file_finds_the_image_if_its_path_does_not(tmp_path, image):
    polygon = region("polygonlabels", {"points": SQUARE})
    assert convert(tmp_path, polygon, image=image, file_upload="0a1b2c3d-a.png").pixels[1] == 12
    with pytest.raises(UserError, match=r"task 0 \(id 7\)': .*(is missing|an extension|absolute path)"):
        convert(tmp_path, polygon, image=image, out="second")


def test_unfinished_tasks_and_results_without_an_area_are_named(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png")
    path = export(tmp_path, region("polygonlabels", {"points": SQUARE}), region("choices", {"choices": ["x"]}, None))
    tasks = json.loads(path.read_text())
    path.write_text(json.dumps([*tasks, tasks[0] | {"id": 8, "data": {"image": "b.png"}, "annotations": []}]))
    words = describe(write_data_set(read_label_studio(path, tmp_path / "photos", Options()), tmp_path / "out"))
    assert "1 task(s) have no annotation, and are left out: task 1 (id 8)" in words
    assert "results without an area are left out: 1 'choices'" in words
    assert "1 image(s) there are not in the JSON" in words


@pytest.mark.parametrize("content", ["{}", "[]", '[{"image": "a.png", "label": []}]', "no JSON"])
def test_other_files_are_refused(tmp_path, content):
    export(tmp_path).write_text(content)
    with pytest.raises(UserError, match=r"export\.json: is not"):
        read_label_studio(tmp_path / "export.json", tmp_path / "photos", Options())


def test_the_command_converts_a_label_studio_export(tmp_path):
    path = export(tmp_path, region("polygonlabels", {"points": SQUARE}, "b"))
    convert_here("label-studio", path, "--images", tmp_path / "photos", "--names", "a,b", "--out", tmp_path / "out")
    np.testing.assert_array_equal(stored(tmp_path), 2 * FULL)
