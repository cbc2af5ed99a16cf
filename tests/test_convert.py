"""Foreign annotations to a data set: pixels against brute force, and what is refused with which words."""

import base64
import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from src.convert.annotations import Options, number
from src.convert.coco import read_coco
from src.convert.frame import TURNS, read_header
from src.convert.labelme import read_labelme
from src.convert.problems import Refused
from src.convert.regions import fill_disc, fill_polygons, fill_runs, place_bitmap
from src.convert.rle import read_rle
from src.convert.summary import describe
from src.convert.write import write
from src.convert.yolo import read_yolo
from src.data.dataset import read_dataset
from src.data.images import read_image
from src.data.pairs import folder_pairs
from src.errors import UserError
from tests.closure import ROOT
from tests.conftest import data_section, prepared

SQUARE = [2, 2, 6, 2, 6, 6, 2, 6]  # 4 × 4 pixels


def read_mask(path):
    """The mask's values, as Pillow reads them."""
    return np.asarray(Image.open(path))


def paired(folder):
    """The pairs of a data set, as the pipeline finds them."""
    return folder_pairs(folder, data_section(folder), False, None)[0]


def photo(path, width=12, height=10, orientation=1):
    """A smooth image of which every corner differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:height, :width]
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray((20 + 9 * columns + 3 * rows).astype(np.uint8)).save(path, exif=exif)
    return path


def picture(region, height, width):
    mask = np.zeros((height, width), bool)
    rows, columns = region.inside.shape
    mask[region.top : region.top + rows, region.left : region.left + columns] = region.inside
    return mask


def inside(x, y, points):
    """Even-odd rule for one point: the crossings of a ray to the left, an edge holding its upper end only."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            odd = not odd
    return odd


@pytest.mark.parametrize("grid", [None, 2])
def test_polygons_hold_the_pixels_whose_centres_they_hold(grid):
    rng = np.random.default_rng(0)
    for _ in range(40):  # they cross themselves, and reach out of the picture; on the grid, edges run through centres
        points = rng.uniform(-4, 20, (rng.integers(3, 9), 2))
        points = np.round(points * grid) / grid if grid else points
        expected = [[inside(c + 0.5, r + 0.5, points.tolist()) for c in range(15)] for r in range(13)]
        np.testing.assert_array_equal(picture(fill_polygons([points], 13, 15), 13, 15), expected)


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_no_gap():
    rng = np.random.default_rng(1)
    for centre in (rng.uniform(3, 12, (20, 2)), rng.integers(6, 24, (20, 2)) / 2):
        for point in centre:
            corners = np.array([[0, 0], [15, 0], [15, 15], [0, 15]], float)
            fan = [np.array([corners[k], corners[(k + 1) % 4], point]) for k in range(4)]
            assert (sum(picture(fill_polygons([part], 15, 15), 15, 15).astype(int) for part in fan) == 1).all()


def test_a_centre_on_an_edge_belongs_to_the_shape_right_of_it_or_below():
    square = np.array([[1.5, 1.5], [4.5, 1.5], [4.5, 4.5], [1.5, 4.5]])
    expected = np.zeros((7, 7), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(picture(fill_polygons([square], 7, 7), 7, 7), expected)


def test_parts_add_up_and_a_hole_is_left_free():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    hole = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [0, 0], [3, 3], [3, 7], [7, 7], [7, 3], [3, 3]], float)
    assert fill_polygons([square, square / 2, square + 12], 30, 30).area == 200
    mask = picture(fill_polygons([hole], 10, 10), 10, 10)
    assert mask.sum() == 100 - 16 and not mask[3:7, 3:7].any()


def test_discs_and_bitmaps_are_cut_off_at_the_picture():
    rows, columns = np.mgrid[:11, :9]
    for x, y, radius in [(4.2, 5.1, 3.3), (0.0, 0.0, 4.0), (8.5, 10.5, 0.0), (-9.0, 3.0, 2.0), (4.0, 4.0, 40.0)]:
        expected = (rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 <= radius**2
        np.testing.assert_array_equal(picture(fill_disc(x, y, radius, 11, 9), 11, 9), expected)
    pixels = np.array([[True, False, True], [True, True, False]])
    for top, left in [(0, 0), (-1, -2), (10, 7), (3, 4), (20, 20), (-5, -5)]:
        expected = np.zeros((40, 40), bool)
        expected[10 + top : 12 + top, 10 + left : 13 + left] = pixels
        found = picture(place_bitmap(pixels, top, left, 11, 9), 11, 9)
        np.testing.assert_array_equal(found, expected[10:21, 10:19])


RLE = {  # the texts are pycocotools 2.0.11's
    "b47<2N2N2N2O000000000001N2N2N2Nk4": (20, 30, lambda r, c: (r - 9) ** 2 + (c - 14) ** 2 < 60),
    "011010O01000O01020N0O010O010O010O01020N0O01000": (7, 9, lambda r, c: (7 * r + 3 * c) % 11 < 4),
    "0d0": (5, 4, lambda r, c: r >= 0),
    "d0": (5, 4, lambda r, c: r < 0),
    "01c0": (5, 4, lambda r, c: (r < 1) & (c < 1)),
    "c01": (5, 4, lambda r, c: (r == 4) & (c == 3)),
    "hd>`Ym0hd>": (300, 200, lambda r, c: (c >= 50) & (c < 150)),
    "hd>`Ym0hm2h_[OTaNmVGK": (
        300,
        200,
        lambda r, c: ((c >= 50) & (c < 150)) | ((c >= 160) & (c < 190)) | ((c == 195) & (r < 5)),
    ),
}


@pytest.mark.parametrize("text", RLE)
def test_run_lengths_are_read_as_pycocotools_writes_them(text):
    height, width, rule = RLE[text]
    expected = rule(*np.mgrid[:height, :width])
    runs = read_rle({"size": [height, width], "counts": text}, height, width)
    np.testing.assert_array_equal(picture(fill_runs(runs, height, width), height, width), expected)
    again = read_rle({"size": [height, width], "counts": runs.tolist()}, height, width)
    np.testing.assert_array_equal(again, runs)


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ("0c0", "covers 19"),
        ("0d0P", "cut off"),
        ("0d ", "damaged"),
        ("oooooooooooooooo0", "damaged"),
        ("0NT1", "no run lengths"),
        ([-1, 21], "no run lengths"),
        ([5, 4], "covers 9 pixels, the picture has 20"),
        ([20.0], "no run lengths"),
        ([True, 19], "no run lengths"),
        (None, "no run lengths"),
    ],
)
def test_damaged_run_lengths_are_refused(counts, why):
    with pytest.raises(Refused, match=why):
        read_rle({"size": [5, 4], "counts": counts}, 5, 4)


def coco(folder, annotations, images=None, categories=None, name="a.png"):
    """A COCO source with one image of 12 × 10 pixels; annotations are (category, segmentation, more)."""
    if not (folder / "photos").exists():
        photo(folder / "photos" / name)
    images = [{"id": 7, "file_name": name, "width": 12, "height": 10}] if images is None else images
    categories = [{"id": 9, "name": "tree"}, {"id": 3, "name": "cell"}] if categories is None else categories
    entries = [{"image_id": 7, "category_id": c, "segmentation": s} | more for c, s, more in annotations]
    content = {"images": images, "annotations": entries, "categories": categories}
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def from_coco(folder, *annotations, options=None, out="out", ignore_crowds=True, **more):
    path = coco(folder, annotations, **more)
    source = read_coco(path, folder / "photos", options or Options(), ignore_crowds=ignore_crowds)
    return write(source, folder / out)


def stored(folder, name="a.png"):
    return read_mask(folder / "out" / "masks" / name)


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def test_coco_becomes_a_data_set_that_prepare_reads(tmp_path):
    images = [{"id": 7, "file_name": "a.png", "width": 12, "height": 10}, {"id": "x", "file_name": "sub\\b.png"}]
    photo(tmp_path / "photos/sub/b.png", 8, 8)
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/other.png")
    summary = from_coco(tmp_path, (9, box(0, 0, 4, 5), {}), (3, box(2, 2, 6, 6), {}), images=images)
    expected = np.zeros((10, 12), np.uint8)
    expected[:5, :4], expected[2:6, 2:6] = 2, 1  # by category id; the smaller on top
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert not stored(tmp_path, "sub/b.png").any()
    for name in ("a.png", "sub/b.png"):
        assert (tmp_path / "out/images" / name).read_bytes() == (tmp_path / "photos" / name).read_bytes()
    dataset = read_dataset(tmp_path / "out")
    assert dataset.classes == {0: "background", 1: "cell", 2: "tree"} and dataset.foreground == [1, 2]
    assert dataset.ignore == 255
    assert (summary.images, summary.unannotated, summary.shapes, summary.overlaps) == (2, 1, 2, 6)
    assert "1 image(s) there are not in the JSON, and left out; the first is 'other.png'" in describe(summary)
    store = prepared(tmp_path / "out", tmp_path)
    np.testing.assert_array_equal(store.mask(0), expected)


def test_smaller_shapes_lie_on_top_and_crowds_below_all(tmp_path):
    crowd = {"size": [10, 12], "counts": [0, 120]}
    shapes = [(3, box(3, 3, 5, 5), {}), (9, box(1, 1, 8, 8), {}), (3, crowd, {"iscrowd": 1})]
    from_coco(tmp_path, *shapes)
    expected = np.full((10, 12), 255, np.uint8)
    expected[1:8, 1:8], expected[3:5, 3:5] = 2, 1
    np.testing.assert_array_equal(stored(tmp_path), expected)
    from_coco(tmp_path, *shapes, out="as-class", ignore_crowds=False)
    expected[expected == 255] = 1
    np.testing.assert_array_equal(read_mask(tmp_path / "as-class/masks/a.png"), expected)


def test_of_equal_areas_the_later_is_on_top(tmp_path):
    first, second, same = (9, box(0, 0, 4, 4), {}), (3, box(2, 2, 6, 6), {}), (3, box(5, 5, 9, 9), {})
    assert from_coco(tmp_path, first, second, same).overlaps == 4  # shapes of one class do not count
    assert stored(tmp_path)[3, 3] == 1


def test_classes_without_a_pixel_keep_their_value_but_no_name(tmp_path):
    summary = from_coco(tmp_path, (9, box(0, 0, 4, 4), {}), (3, box(0.1, 0.1, 0.3, 0.3), {}))
    assert read_dataset(tmp_path / "out").classes == {0: "background", 2: "tree"}
    assert summary.unused == ["cell"] and summary.invisible == 1
    assert "does not name: 'cell'" in describe(summary) and "13.333% of the pixels" in describe(summary)


REFUSALS = [
    ((3, [SQUARE[:4]], {}), "a polygon of 2 point"),
    ((3, [SQUARE[:7]], {}), "not a list of x, y, x, y"),
    ((3, [[*SQUARE[:7], "6"]], {}), "not a list of x, y, x, y"),
    ((3, [[*SQUARE[:7], math.nan]], {}), "not a finite number"),
    ((3, [[*SQUARE[:7], 10**400]], {}), "far too large"),
    ((3, [[*SQUARE[:7], 12]], {}), "reaches 2 pixels out of the picture of 12 × 10"),
    ((3, [], {}), "has no segmentation"),
    ((4, [SQUARE], {}), "category_id 4 is none of categories"),
    ((3, [SQUARE], {"image_id": 8}), "image_id 8 is none of images"),
    ((3, [SQUARE], {"category_id": "cell"}), "category_id: Input should be a valid integer"),
    ((3, {"size": [12, 10], "counts": [0, 120]}, {}), r"RLE is of size \[12, 10\]"),
]


@pytest.mark.parametrize(("annotation", "why"), REFUSALS)
def test_what_coco_may_not_hold(tmp_path, annotation, why):
    with pytest.raises(UserError, match=rf"1 problem.*\n  'annotations\[1\].*{why}.* → "):
        from_coco(tmp_path, (3, [SQUARE], {}), annotation)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "photos"]


def test_one_message_lists_every_problem(tmp_path):
    with pytest.raises(UserError) as error:
        from_coco(tmp_path, *(annotation for annotation, _ in REFUSALS))
    assert f"{len(REFUSALS)} problem(s)" in str(error.value)
    assert all(f"'annotations[{position}]" in str(error.value) for position in range(len(REFUSALS)))


def test_shapes_out_of_the_picture_are_cut_off_if_told_so(tmp_path):
    far = [-3, -2, 4, -2, 4, 500, -3, 500]
    summary = from_coco(tmp_path, (3, [far], {}), options=Options(clip=True))
    expected = np.zeros((10, 12), np.uint8)
    expected[:, :4] = 1
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert summary.cut == 1 and "1 shape(s) reach out of the picture" in describe(summary)
    assert from_coco(tmp_path, (3, [[-0.9, 0, 4, 0, 4, 10.9]], {}), out="near").cut == 0


def test_boxes_are_filled_if_told_so(tmp_path):
    from_coco(tmp_path, (3, [], {"bbox": [1, 2, 3, 4]}), options=Options(boxes=True))
    expected = np.zeros((10, 12), np.uint8)
    expected[2:6, 1:4] = 1
    np.testing.assert_array_equal(stored(tmp_path), expected)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../photos/a.png", "leads upwards"),
        ("sub/../../x.png", "leads upwards"),
        ("..\\a.png", "leads upwards"),
        ("/etc/a.png", "absolute path"),
        ("C:\\a.png", "absolute path"),
        ("C:a.png", "absolute path"),
        ("\\\\host\\share\\a.png", "absolute path"),
        ("a.png:b.png", "holds a colon"),
        (".a.png", "hidden"),
        ("", "empty"),
        ("a\n.png", "control character"),
        ("a\0.png", "control character"),
        ("a\x7f.png", "control character"),
        ("\x1b[31m.png", "control character"),
        ("\ud800.png", "valid"),
        ("passwd", "not of a kind that is read"),
        ("a.gif", "not of a kind that is read"),
        ("missing.png", "is missing in"),
        ("x" * 5000 + ".png", "is missing in"),
        ("folder.png", "is not a file"),
        ("linked.png", "leads out of"),
        ("linked/secret.png", "'linked': is a link to a folder"),
        ("text.png", "cannot be read as an image"),
    ],
)
def test_names_that_are_refused(tmp_path, name, why):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "elsewhere/secret.png")
    (tmp_path / "photos/folder.png").mkdir()
    (tmp_path / "photos/linked.png").symlink_to(tmp_path / "elsewhere/secret.png")
    (tmp_path / "photos/text.png").write_text("no image")
    if name.startswith("linked/"):
        (tmp_path / "photos/linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=why) as error:
        from_coco(tmp_path, images=[{"id": 7, "file_name": name}])
    assert not (tmp_path / "out").exists()
    str(error.value).encode()
    assert "\x1b" not in str(error.value) and "\0" not in str(error.value)


@pytest.mark.parametrize("names", [["a.png", "a.png"], ["a.png", "a.jpg"], ["a.png", "A.png"], ["a.png", "./a.png"]])
def test_two_images_of_one_mask_are_refused(tmp_path, names):
    for name in names:
        photo(tmp_path / "photos" / name)
    with pytest.raises(UserError, match=r"would have the mask of 'a\.png'"):
        from_coco(tmp_path, images=[{"id": k, "file_name": name} for k, name in enumerate(names)])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not valid JSON"),
        ("[" * 10**5, "not valid JSON"),
        ("[]", "not COCO"),
        ('{"images": [], "annotations": {}, "categories": []}', "not COCO"),
        ('{"images": [], "annotations": [], "categories": []}', "no classes"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "no image was found"),
        ('{"images": [3], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', r"'images\[0\]': "),
    ],
)
def test_files_that_are_not_coco(tmp_path, content, why):
    (tmp_path / "photos").mkdir()
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=why):
        write(read_coco(tmp_path / "a.json", tmp_path / "photos", Options()), tmp_path / "out")


@pytest.mark.parametrize(
    ("categories", "why"),
    [
        ([(1, "a"), (1, "b")], "category id 1 occurs twice"),
        ([(1, "a"), (2, "a")], "named twice: a"),
        ([(1, "a\n")], "classes"),
        ([(k, str(k)) for k in range(255)], "255 classes; at most 254"),
    ],
)
def test_categories_that_cannot_be_classes(tmp_path, categories, why):
    with pytest.raises(UserError, match=why):
        from_coco(tmp_path, categories=[{"id": identity, "name": name} for identity, name in categories])


def test_the_most_classes_leave_255_to_ignore():
    values = number([str(k) for k in range(254)], ROOT)
    assert values["253"] == 254 and values["__ignore__"] == 255 and values["background"] == 0


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    from_coco(tmp_path, (3, [SQUARE], {}))
    before = stored(tmp_path)
    with pytest.raises(UserError, match="out: is not empty"):
        from_coco(tmp_path, (3, [SQUARE], {}))
    np.testing.assert_array_equal(stored(tmp_path), before)
    for out, why in [("photos/out", "lies in .*photos, which is only read"), ("a.json", "is no folder")]:
        with pytest.raises(UserError, match=why):
            from_coco(tmp_path, (3, [SQUARE], {}), out=out)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.png"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "a.png")

    monkeypatch.setattr("src.convert.write.shutil.copyfile", full)
    with pytest.raises(UserError, match="No space left on device; nothing was written"):
        from_coco(tmp_path, (3, [SQUARE], {}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "photos"]


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", [1, *TURNS])
@pytest.mark.parametrize("coordinates", ["shown", "stored"])
def test_masks_lie_as_the_image_is_shown(tmp_path, kind, orientation, coordinates):
    name = f"a.{kind}"
    path = photo(tmp_path / "photos" / name, orientation=orientation)
    header = read_header(path)
    assert header.stored == (12, 10) and header.shown == read_image(path).shape[1::-1]
    size = dict(zip(("width", "height"), getattr(header, coordinates), strict=True))
    told = None if orientation >= 5 or orientation == 1 else coordinates  # the size alone tells of one on its side
    images = [{"id": 7, "file_name": name} | size]
    corner = (3, box(0, 0, 4, 3), {})  # the first pixels of the picture that was annotated
    from_coco(tmp_path, corner, images=images, options=Options(coordinates=told), name=name)
    ((_, labels),) = [pair.read(None) for pair in paired(tmp_path / "out")]
    mask = labels.codes
    image = read_image(path)[..., 0]
    annotated = np.zeros(size["height"] * size["width"], np.uint8).reshape(size["height"], size["width"])
    annotated[:3, :4] = 1
    if coordinates == "shown":
        np.testing.assert_array_equal(mask, annotated)
    else:  # the corner of the stored pixels holds the darkest ones
        assert image[mask == 1].mean() < 60 < image[mask == 0].mean() and mask.sum() == 12
        assert image[mask == 1].max() <= 20 + 9 * 3 + 3 * 2 + 6


@pytest.mark.parametrize(("width", "height", "orientation"), [(12, 10, 3), (12, 10, 2), (10, 10, 6)])
def test_an_orientation_that_no_size_tells_is_refused_unless_decided(tmp_path, width, height, orientation):
    photo(tmp_path / "photos/a.png", width, height, orientation)
    images = [{"id": 7, "file_name": "a.png", "width": width, "height": height}]
    with pytest.raises(UserError, match=f"EXIF orientation {orientation}.*--coordinates"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)
    from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates="stored"))
    assert stored(tmp_path).sum() == 16 and not stored(tmp_path)[2, 2]


def test_an_image_that_shows_nothing_needs_no_decision(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png", orientation=3)
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png", "width": 12, "height": 10}]
    assert from_coco(tmp_path, (3, [SQUARE], {}), images=images).unannotated == 1


def test_a_size_that_is_not_the_files_is_refused(tmp_path):
    images = [{"id": 7, "file_name": "a.png", "width": 10, "height": 12}]
    with pytest.raises(UserError, match=r"'a\.png': is 12 × 10 pixels, but its annotations say 10 × 12"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)


def labelme(path, *shapes, image="a.png", size=(12, 10), **more):
    content = {"imagePath": image, "imageWidth": size[0], "imageHeight": size[1], "imageData": "x" * 9} | more
    content["shapes"] = [
        {"label": label, "shape_type": kind, "points": points} | extra for label, kind, points, extra in shapes
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def base64_png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def from_labelme(folder, out="out", **more):
    return write(read_labelme(folder / "set", more.pop("options", Options()), **more), folder / out)


def test_labelme_shapes_lie_on_top_of_earlier_ones(tmp_path):
    patch = np.array([[255, 0], [255, 255]], np.uint8)
    photo(tmp_path / "set/sub/a.png")
    labelme(
        tmp_path / "set/sub/a.json",
        ("wall", None, [[0, 0], [12, 0], [12, 10], [0, 10]], {}),
        ("cell", "rectangle", [[6, 6], [2, 2]], {}),
        ("_background_", "rectangle", [[3, 3], [4, 4]], {}),
        ("__ignore__", "rectangle", [[7, 0], [8, 1]], {}),
        ("cell", "circle", [[9, 7], [9, 8]], {}),
        ("wall", "mask", [[4, 4], [5, 5]], {"mask": base64_png(patch)}),
        ("axis", "line", [[0, 0], [1, 1]], {}),
        ("axis", "point", [[0, 0]], {}),
        image="..\\..\\pictures\\a.png",
    )
    summary = from_labelme(tmp_path)
    expected = np.full((10, 12), 2, np.uint8)
    expected[2:6, 2:6], expected[3, 3], expected[0, 7], expected[6:8, 8:10] = 1, 0, 255, 1
    expected[4:6, 4:6] = [[2, 1], [2, 2]]
    np.testing.assert_array_equal(stored(tmp_path, "sub/a.png"), expected)
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell", 2: "wall"}
    assert "'sub/a.json': shapes without an area are left out: 1 'line', 1 'point'" in describe(summary)


def test_labelme_images_without_a_json(tmp_path):
    photo(tmp_path / "set/a.png")
    photo(tmp_path / "set/b.png")
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    summary = from_labelme(tmp_path)
    assert (
        summary.images == 1 and "1 image(s) there have no JSON" in describe(summary) and "'b.png'" in describe(summary)
    )
    summary = from_labelme(tmp_path, "more", keep_unlabelled=True)
    assert (summary.images, summary.unannotated) == (2, 1)
    assert not read_mask(tmp_path / "more/masks/b.png").any()


def test_labelme_labels_are_numbered_in_alphabetical_order(tmp_path):
    photo(tmp_path / "set/a.png")
    shapes = [(label, "rectangle", [[k, 0], [k + 1, 1]], {}) for k, label in enumerate("dbeca")]
    labelme(tmp_path / "set/a.json", *shapes)
    from_labelme(tmp_path)
    assert read_dataset(tmp_path / "out").names == ["background", *"abcde"]
    assert stored(tmp_path)[0, :5].tolist() == [4, 2, 5, 3, 1]


def test_labelme_names_fix_the_values(tmp_path):
    photo(tmp_path / "photos/a.png")
    labelme(tmp_path / "set/session/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    from_labelme(tmp_path, images=tmp_path / "photos", names=["axon", "cell"])
    assert read_dataset(tmp_path / "out").classes == {0: "background", 2: "cell"} and stored(tmp_path).max() == 2
    with pytest.raises(UserError, match=r"'shapes\[0\] in session/a.json': 'cell' is no class"):
        from_labelme(tmp_path, "other", images=tmp_path / "photos", names=["axon"])


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (("a", "polygon", [[1, 1], [2, 2]], {}), "a polygon of 2 point"),
        (("a", "circle", [[1, 1]], {}), "a circle of 1 point"),
        (("a", "rectangle", [[1, 1], [2, 2], [3, 3]], {}), "a rectangle of 3 point"),
        (("a", "rectangle", [[1, 1], [30, 2]], {}), "reaches 18 pixels out"),
        (("a", "circle", [[1, math.nan], [2, 2]], {}), "not a finite number"),
        (("a", "mask", [[1, 1], [2, 2]], {}), "not a PNG"),
        (("a", "mask", [[1, 1], [2, 2]], {"mask": "%%%"}), "not a PNG"),
        (("a", "mask", [[1, 1], [7, 7]], {"mask": base64_png(np.ones((2, 2), np.uint8))}), "span 7 × 7 pixels"),
        (("a", "polygon", [[1, 1, 1]], {}), "shapes.0.points"),
        ((3, "polygon", [[1, 1]], {}), "shapes.0.label"),
    ],
)
def test_what_labelme_may_not_hold(tmp_path, shape, why):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", shape)
    with pytest.raises(UserError, match=rf"a\.json': .*{why}"):
        from_labelme(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("image", ["..", "", "c:\\", "a.png/..", "../x/missing.png", "a\n.png"])
def test_labelme_image_paths_that_are_refused(tmp_path, image):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("a", "circle", [[1, 1], [2, 2]], {}), image=image)
    with pytest.raises(UserError, match=r"1 problem.*\n  'a\.json': "):
        from_labelme(tmp_path)


def test_two_jsons_of_one_image_and_a_foreign_json_are_refused(tmp_path):
    photo(tmp_path / "set/a.png")
    for name in ("a", "b"):
        labelme(tmp_path / f"set/{name}.json", ("a", "circle", [[1, 1], [2, 2]], {}))
    (tmp_path / "set/c.json").write_text('{"images": []}')
    with pytest.raises(
        UserError, match=r"2 problem[^']*'c.json': imagePath: Field required[^\n]*\n  'a.png': would have"
    ):
        from_labelme(tmp_path)


def yolo(folder, lines, names="names: [cell, tree]", image="images/a.png"):
    photo(folder / image)
    label = (folder / image.replace("images", "labels")).with_suffix(".txt")
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text(lines)
    (folder / "data.yaml").write_text(names)
    return folder


def from_yolo(folder, **more):
    return write(read_yolo(folder, more.pop("options", Options()), **more), folder.parent / "out")


@pytest.mark.parametrize("names", ["names: [cell, tree]", "names: {1: tree, 0: cell}\npath: /etc\ntrain: ../x"])
def test_yolo_polygons_are_shares_of_the_size(tmp_path, names):
    yolo(tmp_path / "set", "0 .25 .2 .5 .2 .5 .6 .25 .6\n\n1 0 0 1 0 1 1 0 1\n", names)
    photo(tmp_path / "set/images/none.png")
    summary = from_yolo(tmp_path / "set")
    expected = np.full((10, 12), 2, np.uint8)
    expected[2:6, 3:6] = 1  # the smaller on top
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert (summary.images, summary.unannotated) == (2, 1) and not stored(tmp_path, "none.png").any()
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell", 2: "tree"}


@pytest.mark.parametrize("form", ["images/{}/a.png", "{}/images/a.png"])
def test_yolo_folders_become_the_official_lists(tmp_path, form):
    for subset in ("train", "val", "test"):
        yolo(tmp_path / "set", "0 0 0 1 0 1 1", image=form.format(subset))
    from_yolo(tmp_path / "set")
    dataset = read_dataset(tmp_path / "out")
    assert (dataset.train, dataset.validation, dataset.test) == ("train.txt", "validation.txt", "test.txt")
    assert (tmp_path / "out/validation.txt").read_text() == "val/a\n"
    assert [pair.id for pair in paired(tmp_path / "out")] == ["test/a", "train/a", "val/a"]


def test_of_train_and_val_alone_train_stays_open_for_test(tmp_path):
    for subset in ("train", "val"):
        yolo(tmp_path / "set", "0 0 0 1 0 1 1", image=f"images/{subset}/a.png")
    assert set(from_yolo(tmp_path / "set").subsets) == {"validation"}
    assert not (tmp_path / "out/train.txt").exists()


def test_yolo_boxes_are_refused_by_file_unless_told(tmp_path):
    for name in ("a", "b"):
        yolo(tmp_path / "set", "0 .5 .5 .5 .2\n1 0 0 1 0 1 1\n1 .5 .5 .1 .1", image=f"images/{name}.png")
    with pytest.raises(UserError, match=r"2 problem") as error:
        from_yolo(tmp_path / "set")
    for name in ("a", "b"):
        assert f"'set/images/{name}.png': lines of labels/{name}.txt are boxes, not polygons: 2 of 3" in str(
            error.value
        )
    from_yolo(tmp_path / "set", options=Options(boxes=True))
    assert (stored(tmp_path)[4:6, 3:9] == 1).mean() > 0.8


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("2 0 0 1 0 1 1", "class 2 has no name"),
        ("0.5 0 0 1 0 1 1", "class 0.5 has no name"),
        ("0 0 0 1 0 1", "6 numbers are neither a box nor a polygon"),
        ("0 0 0", "a polygon of 1 point"),
        ("0 0 0 1 0 1 nan", "not a finite number"),
        ("0 20 20 40 20 40 40", "reaches 468 pixels out"),
        ("0 0 0 one 0 1 1", "something else than numbers"),
    ],
)
def test_what_yolo_may_not_hold(tmp_path, lines, why):
    yolo(tmp_path / "set", f"0 0 0 1 0 1 1\n{lines}")
    with pytest.raises(UserError, match=rf"1 problem.*\n  'set/images/a.png': .*{why}"):
        from_yolo(tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    "names", ["path: .", "names: 3", "names: {a: b}", "names: [1.5]", "kpt_shape: [17, 3]\nnames: [a]"]
)
def test_yolo_names_that_are_refused(tmp_path, names):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", names)
    with pytest.raises(UserError, match=r"data.yaml: (names must be|describes key points)"):
        from_yolo(tmp_path / "set")


def test_yolo_names_may_be_given_or_listed(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    (tmp_path / "set/data.yaml").unlink()
    with pytest.raises(UserError, match="say --names"):
        read_yolo(tmp_path / "set", Options())
    assert read_yolo(tmp_path / "set", Options(), ["nerve"]).classes[1] == "nerve"
    (tmp_path / "set/classes.txt").write_text("axon\n")
    assert read_yolo(tmp_path / "set", Options()).classes[1] == "axon"


def test_yolo_text_files_without_an_image_and_links_are_refused(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    (tmp_path / "set/labels/b.txt").write_text("")
    (tmp_path / "secret.txt").write_text("root:x")
    photo(tmp_path / "set/images/c.png")
    (tmp_path / "set/labels/c.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UserError, match=r"2 problem") as error:
        from_yolo(tmp_path / "set")
    assert "'labels/b.txt': has no image in" in str(error.value) and "leads out of" in str(error.value)
    assert "root" not in str(error.value).replace(str(tmp_path), "")


def test_yolo_folders_that_nobody_annotated_are_named(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", image="images/train/a.png")
    photo(tmp_path / "set/images/test/b.png")
    (tmp_path / "set/images/test/c.gif").write_bytes(b"")
    words = describe(from_yolo(tmp_path / "set"))
    assert "'images/test': no image in it has a text file" in words
    assert "1 file(s) of another kind are left out; the first is 'test/c.gif'" in words


def test_yolo_extensions_may_be_capitals(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1 0 1", image="images/a.PNG")
    (tmp_path / "set/labels/a.txt").rename(tmp_path / "set/labels/a.TXT")
    from_yolo(tmp_path / "set")
    assert (stored(tmp_path) == 1).all()


def run(*arguments):
    command = [sys.executable, "-m", "tools.convert", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command_prints_a_summary_and_the_next_step(tmp_path):
    path = coco(tmp_path, [(3, [SQUARE], {})])
    found = run("coco", path, "--images", tmp_path / "photos", "--out", tmp_path / "out")
    assert found.returncode == 0 and "1 images with 1 shapes" in found.stdout
    assert found.stdout.endswith(f"python -m tools.check {tmp_path / 'out'}\n") and not found.stderr


def test_the_command_fails_with_one_message(tmp_path):
    path = coco(tmp_path, [(4, [SQUARE], {})])
    found = run("coco", path, "--images", tmp_path / "photos", "--out", tmp_path / "out")
    assert found.returncode == 1 and found.stderr.startswith("convert: 1 problem(s)") and not found.stdout
    assert "Traceback" not in found.stderr and not (tmp_path / "out").exists()


def test_the_commands_options_reach_the_library(tmp_path):
    yolo(tmp_path / "set", "1 .5 .5 1 1\n0 -1 0 1 0 1 1")
    found = run("yolo", "--names", "a,b", "--boxes", "--clip", tmp_path / "set", "--out", tmp_path / "out")
    assert found.returncode == 0 and "1 shape(s) reach out" in found.stdout
    assert read_dataset(tmp_path / "out").names == ["background", "a", "b"]
    photo(tmp_path / "photos/a.png", orientation=3)
    photo(tmp_path / "photos/b.png")
    labelme(tmp_path / "photos/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    found = run(
        "labelme", tmp_path / "photos", "--keep-unlabelled", "--coordinates", "stored", "--out", tmp_path / "lm"
    )
    assert found.returncode == 0 and read_mask(tmp_path / "lm/masks/a.png")[7:9, 9:11].all()
    crowd = (3, {"size": [10, 12], "counts": [0, 120]}, {"iscrowd": 1})
    path = coco(tmp_path, [crowd], images=[{"id": 7, "file_name": "b.png"}])
    found = run("coco", path, "--images", tmp_path / "photos", "--fill-crowds", "--out", tmp_path / "coco")
    assert found.returncode == 0 and read_mask(tmp_path / "coco/masks/b.png").min() == 1
