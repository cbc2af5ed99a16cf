"""Annotations that contradict themselves, their image or an option: decided by data, warned of or refused."""

import base64
import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from src.convert.annotations import Options
from src.convert.formats.voc import read_voc
from src.convert.holes import find_nested
from src.convert.regions import fill_polygons, overlap
from src.convert.summary import describe
from src.errors import UserError
from tests.annotated import (
    SQUARE,
    from_coco,
    from_labelme,
    from_yolo,
    labelme,
    photo,
    picture,
    read_mask,
    run,
    stored,
    yolo,
)
from tests.conftest import prepared

OUTER = [1, 1, 11, 1, 11, 9, 1, 9]  # 10 × 8 pixels
BACKWARDS = [1, 9, 11, 9, 11, 1, 1, 1]  # the same
INNER = [3, 3, 8, 3, 8, 7, 3, 7]  # 5 × 4 pixels
RING = np.zeros((10, 12), np.uint8)
RING[1:9, 1:11], RING[3:7, 3:8] = 1, 0
FILLED = np.zeros((10, 12), np.uint8)
FILLED[1:9, 1:11] = 1


@pytest.mark.parametrize("parts", [[OUTER, INNER], [INNER, OUTER], [OUTER, BACKWARDS, INNER]])
@pytest.mark.parametrize("area", [60, 60.4, "60"])
def test_an_inner_polygon_is_a_hole_if_area_says_so(tmp_path, parts, area):
    summary = from_coco(tmp_path, (3, parts, {"area": area, "id": 5}))
    np.testing.assert_array_equal(stored(tmp_path), RING)
    np.testing.assert_array_equal(prepared(tmp_path / "out", tmp_path).mask(0), RING)
    words = describe(summary)
    assert "'annotations[0] (id 5) on a.png': a polygon lies inside another" in words and "drawn as a hole" in words
    assert "area is 60; with a hole it would be about 60, without 80" in words or area == 60.4


@pytest.mark.parametrize("area", [80, 100])  # of the union, or of both polygons added up
def test_an_inner_polygon_is_added_up_if_area_says_so(tmp_path, area):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}))
    np.testing.assert_array_equal(stored(tmp_path), FILLED)
    assert not summary.warnings


@pytest.mark.parametrize("more", [{}, {"area": 0}, {"area": None}, {"area": 80, "bbox": [1, 1, 10, 8]}])
def test_an_inner_polygon_that_no_area_explains_is_added_up_with_a_warning(tmp_path, more):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], more))
    np.testing.assert_array_equal(stored(tmp_path), FILLED)
    assert "no area says whether it is a hole" in describe(summary) and "--holes cut" in describe(summary)


def test_an_area_that_fits_neither_reading_is_refused_unless_decided(tmp_path):
    for position, area in enumerate((74, 40, 130)):
        with pytest.raises(UserError, match=r"'annotations\[0\] on a.png': a polygon lies.*area is \d+;.*--holes cut"):
            from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}))
        from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes="cut"), out=f"cut{position}")
        from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes="fill"), out=f"fill{position}")
        np.testing.assert_array_equal(read_mask(tmp_path / f"cut{position}/masks/a.png"), RING)
        np.testing.assert_array_equal(read_mask(tmp_path / f"fill{position}/masks/a.png"), FILLED)


@pytest.mark.parametrize(("holes", "area"), [("cut", 80), ("fill", 60)])
def test_an_option_that_overrides_what_area_says_is_warned_of(tmp_path, holes, area):
    summary = from_coco(tmp_path, (3, [OUTER, INNER], {"area": area}), options=Options(holes=holes))
    np.testing.assert_array_equal(stored(tmp_path), RING if holes == "cut" else FILLED)
    assert f"--holes {holes} overrides this" in describe(summary)


def test_contours_through_pixel_centres_are_told_from_filled_ones_by_the_pixels_of_their_mask(tmp_path):
    """As cv2.findContours and mask.sum() give them: area exceeds the polygons' by half a border line."""
    outer, inner = [1, 1, 10, 1, 10, 8, 1, 8], [2, 2, 8, 2, 8, 7, 2, 7]
    hole = from_coco(tmp_path, (3, [outer, inner], {"area": int(RING.sum())}))
    assert "drawn as a hole" in describe(hole) and not stored(tmp_path)[4, 5]
    from_coco(tmp_path, (3, [outer, inner], {"area": int(FILLED.sum())}), out="filled")
    assert read_mask(tmp_path / "filled/masks/a.png")[4, 5] == 1


def test_rings_that_opencv_traced_are_never_read_the_wrong_way(tmp_path):
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(40):
        outer, inner = np.zeros((2, 120, 140), np.uint8)
        cv2.ellipse(outer, (70, 60), (int(rng.integers(25, 60)), int(rng.integers(25, 55))), 0, 0, 360, 1, -1)
        cv2.circle(inner, (70, 60), int(rng.integers(2, 22)), 1, -1)
        contours, _ = cv2.findContours(outer - inner, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        inside = find_nested([contour[:, 0].astype(float) for contour in contours], 120, 140)
        ring, filled = (inside.check_area(float(mask.sum())).holes for mask in (outer - inner, outer))
        assert ring is not False and filled is not True
        decided += (ring is True) + (filled is False)
    assert decided >= 76  # of 80; the others are refused, and left to --holes


def polygons(seed):
    """Ellipses of several sizes, some of them twice, some without a pixel's centre."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sizes = rng.choice([0.2, 3, 8, 20, 40], (30, 2), p=[0.1, 0.3, 0.3, 0.2, 0.1])
    parts = [rng.uniform(0, 90, 2) + size * unit for size in sizes]
    return [*parts, parts[3], parts[7]]


@pytest.mark.parametrize("seed", range(5))
def test_how_deep_polygons_lie_in_each_other_is_what_their_pixels_say(seed):
    parts = polygons(seed)
    masks = [picture(fill_polygons([part], 90, 90), 90, 90) for part in parts]
    assert any(mask.any() for mask in masks)
    first = [not mask.any() or not any((mask == other).all() for other in masks[:k]) for k, mask in enumerate(masks)]
    parts, masks = ([one for one, kept in zip(all_, first, strict=True) if kept] for all_ in (parts, masks))
    depths = [
        sum(0 < one.sum() < other.sum() and (one & other).sum() >= 0.98 * one.sum() for other in masks) for one in masks
    ]
    found = find_nested(polygons(seed), 90, 90)
    assert found.depths == depths and any(depths) and len(found.parts) == len(parts)


@pytest.mark.parametrize("inside", [False, True])
def test_polygons_that_do_not_touch_are_not_compared_as_pixels(monkeypatch, inside):
    compared = []
    monkeypatch.setattr("src.convert.holes.overlap", lambda one, other: compared.append(True) or overlap(one, other))
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    parts = [square + np.array([6 * (k % 30) + 1, 6 * (k // 30) + 1]) for k in range(900)]
    found = find_nested([*parts, square * 50] if inside else parts, 200, 200)
    assert len(compared) == 900 * inside and (found is not None) == inside
    assert not inside or (found.depths == [1] * 900 + [0] and found.cut().area == 200 * 200 - 900 * 16)


def test_islands_in_holes_stay_and_several_holes_are_cut(tmp_path):
    island, second = [4, 4, 6, 4, 6, 6, 4, 6], [9, 2, 10, 2, 10, 8, 9, 8]
    from_coco(tmp_path, (3, [OUTER, INNER, island, second], {"area": 80 - 20 + 4 - 6}))
    expected = RING.copy()
    expected[4:6, 4:6], expected[2:8, 9] = 1, 0
    np.testing.assert_array_equal(stored(tmp_path), expected)


def test_polygons_beside_each_other_and_equal_ones_need_no_area(tmp_path):
    apart = [[0, 0, 4, 0, 4, 4, 0, 4], [3, 3, 6, 3, 6, 6, 3, 6]]
    for number, (parts, area) in enumerate([(apart, 24), (apart, None), ([SQUARE, SQUARE], 16), ([SQUARE, SQUARE], 3)]):
        assert not from_coco(tmp_path, (3, parts, {"area": area}), out=f"out{number}").warnings


def test_a_box_that_is_not_where_the_polygon_is_is_warned_of(tmp_path):
    summary = from_coco(tmp_path, (3, [SQUARE], {"bbox": [2, 2, 4, 4]}), (3, [SQUARE], {"bbox": [7, 2, 4, 4]}))
    assert [finding.file for finding in summary.warnings] == ["annotations[1] on a.png"]
    assert "bbox and segmentation differ" in summary.warnings[0].what


def test_a_file_name_and_a_path_of_two_images_are_refused(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png")
    images = [{"id": 7, "file_name": "a.png", "path": "/datasets/set/b.png"}]
    with pytest.raises(UserError, match=r"file_name is 'a\.png', but path is another image, 'b\.png'"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)
    images[0]["path"] = "/datasets/set/gone.png"
    from_coco(tmp_path, (3, [SQUARE], {}), images=images)


@pytest.mark.parametrize(("size", "proved", "said"), [((12, 10), "stored", "shown"), ((10, 12), "shown", "stored")])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_coordinates_that_contradict_the_sizes_are_refused(tmp_path, orientation, size, proved, said):
    photo(tmp_path / "photos/a.png", orientation=orientation)
    images = [{"id": 7, "file_name": "a.png", "width": size[0], "height": size[1]}]
    why = rf"'a\.png': its annotations say {size[0]} × {size[1]} .* as {proved}, but --coordinates says {said}"
    with pytest.raises(UserError, match=why):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates=said))
    from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates=proved))
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), size=size)
    photo(tmp_path / "set/a.png", orientation=orientation)
    with pytest.raises(UserError, match=f"as {proved}, but --coordinates says {said}"):
        from_labelme(tmp_path, "labelme", options=Options(coordinates=said))


def test_shapes_that_fit_the_image_the_other_way_up_alone_are_refused(tmp_path):
    photo(tmp_path / "photos/a.png", orientation=6)  # 12 × 10 as stored
    images, wide = [{"id": 7, "file_name": "a.png"}], (3, [[0, 0, 12, 0, 12, 5]], {})
    for clip in (False, True):
        with pytest.raises(UserError, match=r"fits the image as stored, 12 × 10.*--coordinates stored"):
            from_coco(tmp_path, wide, images=images, options=Options(coordinates="shown", clip=clip))
    assert from_coco(tmp_path, wide, images=images, options=Options(coordinates="stored")).images == 1


@pytest.mark.parametrize(
    "line",
    [
        "0 2 2 9 2 9 8 2 8",
        "0 20 20 80 20 80 80",
        "0 -3 0 .5 0 .5 .5",
        "0 .1 .1 9 .1 9 .9",
        "0 5 5 4 4",
        "0 2.5 0 3 0 3 1",
    ],
)
def test_yolo_coordinates_in_pixels_or_per_cent_are_refused_whatever_clip_says(tmp_path, line):
    yolo(tmp_path / "set", f"0 0 0 1 0 1 1\n{line}")
    with pytest.raises(UserError, match=r"line 2 of labels/a.txt: reaches .* in pixels or per cent"):
        from_yolo(tmp_path / "set", options=Options(clip=True, boxes=True))


def test_yolo_polygons_that_reach_out_a_little_may_be_cut_off(tmp_path):
    yolo(tmp_path / "set", "0 -.5 0 1.5 0 1.5 1 -.5 1")
    assert from_yolo(tmp_path / "set", options=Options(clip=True)).cut == 1 and (stored(tmp_path) == 1).all()


@pytest.mark.parametrize("line", ["0 0 0 1 0 1 1 .93", "0 .5 .5 .2 .2 .9"])
def test_yolo_confidences_are_named(tmp_path, line):
    yolo(tmp_path / "set", line)
    with pytest.raises(UserError, match=r"line 1 of labels/a.txt.*neither a box nor a polygon.*confidence"):
        from_yolo(tmp_path / "set", options=Options(boxes=True))


def test_names_that_differ_from_the_folders_are_warned_of(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    words = describe(from_yolo(tmp_path / "set", names=["tree", "cell"]))
    assert "data.yaml': 2 class name(s) differ from those in --names" in words
    assert "0: 'cell' here, 'tree' there" in words
    (tmp_path / "set/classes.txt").write_text("cell\nwood\n")
    source = run("yolo", tmp_path / "set", "--out", tmp_path / "other")
    assert "classes.txt': 1 class name(s) differ from those in data.yaml" in source.stdout
    assert "1: 'wood' here, 'tree' there" in source.stdout


def test_a_class_that_only_one_list_names_is_said_to_have_no_name_in_the_other(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", "names: [cell, tree, wood]")
    (tmp_path / "set/classes.txt").write_text("cell\ntree\n")
    (warning,) = from_yolo(tmp_path / "set").warnings
    assert warning.what.endswith("which are used: 2: no name here, 'wood' there")


def pointing(folder, name, image):
    labelme(folder / f"{name}.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), image=image)


@pytest.mark.parametrize("image", ["b.png", "..\\old\\b.png", "/home/me/b.png", "C:\\pictures\\b.png"])
def test_a_json_that_points_at_two_images_is_refused_unless_decided(tmp_path, image):
    for name in ("a.png", "b.png"):
        photo(tmp_path / "set" / name)
    pointing(tmp_path / "set", "a", image)
    why = r"'a\.json': imagePath names 'b\.png', but another image, 'a\.png', has the name of the JSON.*--pair"
    with pytest.raises(UserError, match=why):
        from_labelme(tmp_path)
    from_labelme(tmp_path, "name", options=Options(paired_by="name"))
    from_labelme(tmp_path, "path", options=Options(paired_by="imagePath"))
    assert [path.name for path in (tmp_path / "name/masks").iterdir()] == ["a.png"]
    assert [path.name for path in (tmp_path / "path/masks").iterdir()] == ["b.png"]


def test_every_json_that_points_at_two_images_is_listed(tmp_path):
    for name in "abc":
        photo(tmp_path / f"set/{name}.png")
        pointing(tmp_path / "set", name, "a.png")  # as a program writes that names every image alike
    with pytest.raises(UserError, match="2 problem") as error:
        from_labelme(tmp_path)
    assert "'b.json'" in str(error.value) and "'c.json'" in str(error.value)


@pytest.mark.parametrize("image", ["../two/a.png", "..\\two\\a.png"])
def test_an_image_path_that_leads_to_another_folders_image_is_refused(tmp_path, image):
    for name in ("one/a.png", "two/a.png"):
        photo(tmp_path / "set" / name)
    pointing(tmp_path / "set/one", "a", image)
    with pytest.raises(UserError, match=r"leads to 'two/a\.png', but 'one/a\.png' lies closer"):
        from_labelme(tmp_path)


def test_a_json_of_another_name_than_its_only_image_is_fine(tmp_path):
    photo(tmp_path / "set/a.png")
    photo(tmp_path / "set/b.png")
    pointing(tmp_path / "set", "a_corrected", "a.png")
    assert from_labelme(tmp_path).images == 1


def test_an_image_path_of_a_missing_file_names_the_image_of_the_same_name(tmp_path):
    photo(tmp_path / "set/a.png")
    pointing(tmp_path / "set", "a", "IMG_0001.png")
    why = r"'a\.json': imagePath names 'IMG_0001\.png', which is missing, but 'a\.png' has the name.*--pair name"
    with pytest.raises(UserError, match=why):
        from_labelme(tmp_path)
    assert from_labelme(tmp_path, options=Options(paired_by="name")).images == 1
    (tmp_path / "set/a.png").rename(tmp_path / "set/c.png")
    with pytest.raises(UserError, match=r"'a\.json': its image 'IMG_0001\.png': is missing"):
        from_labelme(tmp_path, "more")


@pytest.mark.parametrize("image", ["x" * 300 + ".png", "/" + "d/" * 3000 + "x" * 5000 + ".png", "é" * 200 + ".png"])
def test_an_image_path_too_long_for_the_disk_is_missing(tmp_path, image):
    photo(tmp_path / "set/other.png")
    pointing(tmp_path / "set", "a", image)
    with pytest.raises(UserError, match=r"1 problem.*\n  'a\.json': its image .* is missing in"):
        from_labelme(tmp_path)


def scene(seed=0, width=96, height=72):
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def embedded(folder, shown, kind="PNG", image="a.png", size=(96, 72), **more):
    file = io.BytesIO()
    shown.save(file, kind, **more)
    text = base64.b64encode(file.getvalue()).decode()
    labelme(folder / "a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), image=image, size=size, imageData=text)


CHANGES = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned": lambda image: image.rotate(180),
    "another": lambda image: scene(1),
    "shifted": lambda image: Image.fromarray(np.roll(np.asarray(image), 24, axis=1)),
    "smaller": lambda image: image.resize((48, 36)),
    "cropped": lambda image: image.crop((20, 20, 96, 72)).resize((96, 72)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_that_is_not_the_picture_in_its_json_is_refused_unless_decided(tmp_path, change):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", CHANGES[change](scene()))
    with pytest.raises(UserError, match=r"'a\.json': .*imageData.*--ignore-image-data"):
        from_labelme(tmp_path)
    assert from_labelme(tmp_path, options=Options(compare_embedded=False)).images == 1


COPIES = {
    "equal": lambda image: image,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "grey": lambda image: image.convert("L"),
    "equalised": ImageOps.equalize,
    "noisy": lambda image: Image.fromarray(
        np.clip(np.asarray(image) + np.random.default_rng(0).normal(0, 20, (72, 96, 3)), 0, 255).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize(("kind", "more"), [("PNG", {}), ("JPEG", {"quality": 40})])
def test_a_copy_of_the_image_in_its_json_is_accepted(tmp_path, copy, kind, more):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", COPIES[copy](scene()), kind, **more)
    assert not from_labelme(tmp_path).warnings


def deep(kind):
    """The scene in grey, in more than 8 bits; with a hot pixel, and floats with pixels that are no number."""
    grey = np.asarray(scene().convert("L"), np.float32)
    if kind == "16 bits":
        pixels = (grey * 4 + 300).astype(np.uint16)
        pixels[5, 5] = 65535
        return pixels
    pixels = grey / 255 if kind == "floats from 0 to 1" else grey * 1e6 - 1e8
    pixels[3, 3:6] = np.nan, np.inf, -np.inf
    return pixels.astype(np.float32)


@pytest.mark.parametrize("kind", ["16 bits", "floats from 0 to 1", "large floats"])
def test_images_of_more_than_8_bits_are_compared_whatever_their_range(tmp_path, kind):
    (tmp_path / "set").mkdir()
    name = "a.png" if kind == "16 bits" else "a.tif"
    Image.fromarray(deep(kind)).save(tmp_path / "set" / name)
    for other, fits in [(scene(), True), (Image.fromarray(deep(kind)), True), (scene(1), False)]:
        embedded(tmp_path / "set", other, "TIFF" if other.mode == "F" else "PNG", image=name)
        if fits:
            assert from_labelme(tmp_path, f"out-{other.mode}").images == 1
        else:
            with pytest.raises(UserError, match="is not the picture that the JSON holds"):
                from_labelme(tmp_path)


@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 7, 8])
@pytest.mark.parametrize("coordinates", ["shown", "stored"])
def test_an_embedded_copy_of_the_file_with_its_exif_orientation_is_the_same_picture(tmp_path, orientation, coordinates):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.jpg", exif=exif, quality=95)
    size = (72, 96) if orientation >= 5 and coordinates == "shown" else (96, 72)
    for turned, fits in [(False, True), (True, False)]:
        content = scene().rotate(180) if turned else scene()
        embedded(tmp_path / "set", content, "JPEG", image="a.jpg", size=size, exif=exif, quality=95)
        if fits:
            assert from_labelme(tmp_path, options=Options(coordinates=coordinates)).images == 1
        else:
            with pytest.raises(UserError, match="is not the picture that the JSON holds"):
                from_labelme(tmp_path, "other", options=Options(coordinates=coordinates))


def test_no_program_is_started_for_postscript(tmp_path, monkeypatch):
    """Pillow knows EPS, too, and starts Ghostscript for it."""
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: started.append(True) or scene().im)
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", scene(), "EPS")
    assert from_labelme(tmp_path).images == 1
    scene().save(tmp_path / "set/a.png", "EPS")
    with pytest.raises(UserError, match=r"a\.png'?: cannot be read as an image"):
        from_labelme(tmp_path, "more")
    for name in ("images", "masks"):
        (tmp_path / "voc" / name).mkdir(parents=True)
    scene().save(tmp_path / "voc/images/a.png")
    scene().save(tmp_path / "voc/masks/a.png", "EPS")
    (tmp_path / "voc/labelmap.txt").write_text("background:0,0,0::\ncat:250,50,83::\n")
    with pytest.raises(UserError, match=r"mask a\.png: cannot be read as an image"):
        read_voc(tmp_path / "voc", Options()).findings.stop_on_errors()
    assert not started


@pytest.mark.parametrize("content", ["", "no base64!", "aGVsbG8=", None])
def test_image_data_that_holds_no_picture_is_not_compared(tmp_path, content):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), imageData=content)
    assert from_labelme(tmp_path).images == 1


@pytest.mark.parametrize(("orientation", "coordinates"), [(6, None), (3, "shown"), (2, "shown")])
def test_the_picture_in_a_json_is_compared_with_the_image_as_it_is_shown(tmp_path, orientation, coordinates):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "set").mkdir()
    scene(width=72 if orientation == 6 else 96, height=96 if orientation == 6 else 72).save(
        tmp_path / "set/a.jpg", exif=exif, quality=95
    )
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "set/a.jpg"))
    embedded(tmp_path / "set", shown)
    content = json.loads((tmp_path / "set/a.json").read_text()) | {"imagePath": "a.jpg"}
    (tmp_path / "set/a.json").write_text(json.dumps(content))
    assert from_labelme(tmp_path, options=Options(coordinates=coordinates)).images == 1
    if coordinates:
        with pytest.raises(UserError, match="is not the picture that the JSON holds"):
            from_labelme(tmp_path, "stored", options=Options(coordinates="stored"))


def test_shapes_inside_others_of_their_class_are_counted(tmp_path):
    photo(tmp_path / "set/a.png")
    big, small = [[0, 0], [9, 9]], [[2, 2], [4, 4]]
    more = {"group_id": 1}
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", big, more), ("cell", "rectangle", small, more))
    words = describe(from_labelme(tmp_path))
    assert "1 shape(s) lie inside others of their class and change nothing, in 'a.png'" in words
    assert "_background_" in words
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", big, {}), ("_Background_", "rectangle", small, {}))
    summary = from_labelme(tmp_path, "hole")
    assert not summary.redundant and read_mask(tmp_path / "hole/masks/a.png").sum() == 81 - 4


def test_the_options_that_decide_reach_the_library(tmp_path):
    from_coco(tmp_path, (3, [OUTER, INNER], {"area": 70}), options=Options(holes="fill"))
    source = (tmp_path / "a.json", "--images", tmp_path / "photos")
    assert run("coco", *source, "--holes", "cut", "--out", tmp_path / "cut").returncode == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "cut/masks/a.png"), RING)
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    scene().save(tmp_path / "set/b.png")
    embedded(tmp_path / "set", scene(1))
    pair = ("--pair", "imagePath", "--ignore-image-data", "--encoding", "gbk", "--skip-degenerate")
    assert run("labelme", tmp_path / "set", *pair, "--out", tmp_path / "labelme").returncode == 0
