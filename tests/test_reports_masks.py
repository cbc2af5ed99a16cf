"""Problems that people reported for other segmentation tools, rebuilt: masks that were resized, scaled or exchanged."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.reported import (
    COUNT,
    HEIGHT,
    WIDTH,
    data_set,
    findings,
    index_mask,
    picture,
    refused,
    same_pixels,
    save,
    unremarked,
    warned,
)

COLOURS = np.array([[0, 0, 0], [200, 30, 30], [30, 30, 220]], np.uint8)
CLASSES = "classes: {0: background, 1: cell, 2: nucleus}\n"
THRESHOLD = {"read": "auto", "threshold": 128, "exif": "auto"}
INSTANCES = {"read": "instances", "threshold": 0, "exif": "auto"}
VIRIDIS = {1: [0, 2], 2: [0, 1, 2], 3: [0, 3, 4, 2]}  # highest class → the colour of each class
VIRIDIS_COLOURS = np.array([[68, 1, 84], [33, 144, 140], [253, 231, 36], [49, 104, 142], [53, 183, 120]], np.uint8)


def touching(number):
    """Class 2 on 0, 1 on 0 and 2 on 1, all with straight borders, at places of their own."""
    down, right = number % 4, number // 4 + number % 3
    mask = np.zeros((60, 50), np.uint8)
    mask[5 + down : 25 + down, 5 + right : 30 + right] = 2
    mask[35:50, 10 + number : 40] = 1
    mask[30:40, 25:45] = 2
    return mask


def resized(interpolation, colours=None, size=(WIDTH, HEIGHT)):
    def mask(number):
        drawn = touching(number) if colours is None else colours[touching(number)]
        return cv2.resize(drawn, size, interpolation=interpolation)

    return mask


SMOOTH = [cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC]


@pytest.mark.parametrize("interpolation", [*SMOOTH, cv2.INTER_LANCZOS4])
def test_blended_colours_are_not_taken_for_classes(tmp_path, interpolation):
    """Resized colour masks (abreheret/PixelAnnotationTool#35, commaai/comma10k#330)."""
    source = data_set(tmp_path / "set", resized(interpolation, COLOURS))
    (error,) = refused(tmp_path, source, "more than one reading", "nearest neighbour")
    for colour in ("#000000", "#C81E1E", "#1E1EDC"):
        assert colour in error["setting"]
    (source / "dataset.yaml").write_text('classes: {"#000000": background, "#C81E1E": cell, "#1E1EDC": nucleus}\n')
    (tmp_path / "again").mkdir()
    assert len(refused(tmp_path / "again", source, "the mask holds", "nearest neighbour")) >= COUNT - 1


@pytest.mark.parametrize("interpolation", SMOOTH)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (90, 100), (64, 64)])
def test_lines_that_interpolation_left_are_warned_of(tmp_path, interpolation, size):
    """Where 0 meets 2 there is a line of 1 (albumentations-team/albumentations#1294, shekkizh/FCN.tensorflow#4)."""
    noise = np.random.default_rng(0)
    source = data_set(
        tmp_path / "set",
        resized(interpolation, size=size),
        lambda number: noise.integers(0, 255, (size[1], size[0], 3), np.uint8),
    )
    (source / "dataset.yaml").write_text(CLASSES + "background: background\n")
    warned(tmp_path, source, "lines of 1 or 2 pixels where lower values meet higher ones")


def nested(number):
    """A nucleus in its cell: 2 in a broad ring of 1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (18 + number, 20), 14, 1, -1)
    cv2.circle(mask, (18 + number, 20), 7, 2, -1)
    return mask


@pytest.mark.parametrize(
    "mask", [lambda number: touching(number)[:HEIGHT, :WIDTH], nested, lambda number: index_mask(number, 5)]
)
def test_drawn_classes_give_no_warning_of_interpolation(tmp_path, mask):
    same_pixels(unremarked(tmp_path, data_set(tmp_path / "set", mask)), {f"c{n}": mask(n) for n in range(COUNT)})


def levels(number):
    """Stripes of the classes 1 to 1, 2 or 3, by number."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label in range(1, number % 3 + 2):
        mask[10 * label : 10 * label + 8, number : 30 + number] = label
    return mask


STRETCHED = {
    "to 255": lambda mask: (mask / mask.max() * 255).astype(np.uint8),
    "by 255 // n": lambda mask: mask * np.uint8(255 // mask.max()),
    "by OpenCV": lambda mask: cv2.normalize(mask, None, 0, 255, cv2.NORM_MINMAX),
    "viridis": lambda mask: VIRIDIS_COLOURS[np.array(VIRIDIS[mask.max()])[mask]],
}


@pytest.mark.parametrize("way", STRETCHED)
def test_masks_stretched_to_their_own_highest_class_are_refused(tmp_path, way):
    """Shown masks saved as masks (saic-vul/fbrs_interactive_segmentation#20, ilastik/ilastik#1127)."""
    source = data_set(tmp_path / "set", lambda number: STRETCHED[way](levels(number)))
    _, rows = findings(tmp_path, source)
    assert any("stretched to its own highest class" in row["what"] and row["severity"] == "error" for row in rows)
    if way == "to 255":
        (source / "dataset.yaml").write_text("classes: {0: background, 85: a, 127: b, 170: c, 255: d}\n")
        (tmp_path / "again").mkdir()
        warned(tmp_path / "again", source, "stretched to its own highest class")


def test_equal_grey_levels_in_all_masks_are_accepted(tmp_path):
    source = data_set(tmp_path / "set", lambda number: levels(number) * np.uint8(85))
    (source / "dataset.yaml").write_text("classes: {0: background, 85: a, 170: b, 255: c}\nbackground: background\n")
    same_pixels(unremarked(tmp_path, source), {f"c{number}": levels(number) for number in range(COUNT)})


@pytest.mark.parametrize("names", [range(COUNT), (2, 5)])
def test_different_images_with_the_same_mask_are_warned_of(tmp_path, names):
    """The mask of another image (xingyuansun/pix3d#18)."""
    source = data_set(tmp_path / "set", lambda number: index_mask(9 if number in names else number) * 255)
    warned(
        tmp_path, source, f"{len(names)} different images share their masks: the masks of 'c{names[0]}', 'c{names[1]}'"
    )


def test_equal_empty_masks_give_no_warning(tmp_path):
    source = data_set(tmp_path / "set", lambda number: index_mask(number) * np.uint8(255 * (number % 2)))
    _, rows = findings(tmp_path, source)
    assert {row["what"] for row in rows} == {"the mask holds a single value, 0"}


@pytest.mark.parametrize("few", [(2, 5), (7,)])
def test_a_few_masks_with_swapped_foreground_and_background_are_warned_of(tmp_path, few):
    """Swapped in a few masks (BioHit/TongeImageDataset#1)."""
    source = data_set(tmp_path / "set", lambda number: (index_mask(number) ^ (number in few)).astype(np.uint8) * 255)
    warned(tmp_path, source, f"foreground and background of {len(few)} mask(s) may be exchanged")


def test_foreground_of_varying_share_gives_no_warning_of_swapped_masks(tmp_path):
    """Shares of 5 % to 95 %, as of land and water."""

    def mask(number):
        covered = np.zeros((HEIGHT, WIDTH), np.uint8)
        covered[:, : 2 + 5 * number] = 255
        return covered

    unremarked(tmp_path, data_set(tmp_path / "set", mask))


def grey(number):
    return np.asarray(Image.fromarray(picture(number)).convert("L"))


def tomography(number):
    """Whole numbers from -1024 on, of air, to some hundred, as in CT."""
    return picture(number)[..., 0].astype(np.int16) * 8 - 1024


@pytest.mark.parametrize(
    ("image", "mask", "suffix"),
    [
        (tomography, tomography, "tif"),
        (lambda number: grey(number).astype(np.uint16) * 99, grey, "tif"),
        (picture, picture, "png"),
        (picture, grey, "png"),
    ],
)
def test_a_mask_that_holds_the_image_is_refused(tmp_path, image, mask, suffix):
    """Intensities in place of labels (MIC-DKFZ/nnUNet#1007)."""
    source = data_set(tmp_path / "set", mask, image, names=(f"c{{0}}.{suffix}", f"c{{0}}.{suffix}"))
    assert len(refused(tmp_path, source, "holds the image itself", "put the mask there")) == COUNT


def test_images_and_masks_in_each_others_folder_are_refused(tmp_path):
    source = data_set(tmp_path / "set", picture, lambda number: index_mask(number) * 255)
    assert len(refused(tmp_path, source, "looks like an image, and the image like a mask", "exchange them")) == COUNT


@pytest.mark.parametrize("masks", [THRESHOLD, INSTANCES])
def test_a_mask_that_holds_the_image_is_refused_with_every_setting(tmp_path, masks):
    source = data_set(tmp_path / "set", lambda number: grey(number) if number == 3 else index_mask(number) * 255)
    (error,) = refused(tmp_path, source, "masks/c3.png holds the image itself", "", masks=masks)
    assert error["file"] == "c3"


def test_a_mask_that_resembles_a_bright_object_is_accepted(tmp_path):
    """Masks with soft edges of bright discs on dark ground (hzlsaber/SIDA#25, DengPingFan/PraNet#54)."""
    source = data_set(
        tmp_path / "set",
        lambda number: cv2.GaussianBlur(index_mask(number) * 255, (5, 5), 0),
        lambda number: (
            index_mask(number) * 200 + np.random.default_rng(number).integers(0, 20, (HEIGHT, WIDTH))
        ).astype(np.uint8),
    )
    store = unremarked(tmp_path, source, masks=THRESHOLD)
    wanted = {f"c{n}": cv2.GaussianBlur(index_mask(n) * 255, (5, 5), 0) >= 128 for n in range(COUNT)}
    same_pixels(store, wanted)


def test_colour_masks_with_classes_in_one_channel_are_recognised(tmp_path):
    """Tags in the red channel, the numbers of objects in the others (carla-simulator/carla#6636)."""
    numbers = np.random.default_rng(0).integers(1, 255, (HEIGHT // 6, WIDTH // 5), np.uint8).repeat(6, 0).repeat(5, 1)

    def mask(number):
        return np.dstack([index_mask(number, 3) * 4, np.roll(numbers, number), np.roll(numbers, -number)])

    source = data_set(tmp_path / "set", mask)
    refused(tmp_path, source, "more than one reading", "classes in the red channel alone, 0, 4, 8: save this channel")


def test_jpeg_masks_among_others_are_listed(tmp_path):
    """One video's masks are JPEG (aurooj/Hand-Segmentation-in-the-Wild#4)."""
    source = data_set(tmp_path / "set")
    for number in (2, 5):
        (source / f"masks/c{number}.png").unlink()
        save(source / f"masks/c{number}.jpg", index_mask(number) * 255, quality=90)
    errors = refused(tmp_path, source, "lossy format", "data.masks.threshold: 128")
    assert [row["file"] for row in errors] == ["c2", "c5"]
