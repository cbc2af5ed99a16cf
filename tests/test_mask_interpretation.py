"""Values with several interpretations, or none: the error proposes lines, and each line makes the run pass."""

import re

import cv2
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from src.data.reading.masks import read_mask
from src.errors import UserError
from src.files import read_csv
from tests.conftest import data_section, prepared
from tests.corpus import pixels, png, saved, tiff
from tests.mask_sets import BINARY, LABELS, RNG, check, data_set


def numbered(count, fewest=3):
    """`count` masks of consecutively numbered objects; the number of objects varies."""
    return [np.minimum(np.arange(480).reshape(24, 20) // 40, fewest + n % 4).astype(np.uint8) for n in range(count)]


def soft_edges():
    steps = np.linspace(0, 255, 20).round().astype(np.uint8)
    return [
        np.tile(np.where(np.arange(20) < 8 + n, 0, np.where(np.arange(20) > 9 + n, 255, steps[9])), (24, 1))
        for n in (0, 1)
    ]


AMBIGUOUS = {
    "three greys": [np.array([0, 128, 255], np.uint8)[labels] for labels in LABELS],
    "soft edges": [mask.astype(np.uint8) for mask in soft_edges()],
    "1 here, 255 there": [np.array([0, 255 if n % 2 else 1], np.uint8)[pixels() % 2] for n in range(4)],
    "VOC": [np.where(pixels() % 22 == 21, 255, pixels() % 22).astype(np.uint8), (pixels() % 21).astype(np.uint8)],
    "numbered objects": numbered(8),
    "none to three objects": numbered(9, 0)[1:],
    "numbered objects, one missing": [*numbered(8), np.where(numbered(1)[0] == 2, 0, numbered(1)[0])],
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_several_interpretations_stop_the_run_and_each_proposed_line_makes_it_pass(tmp_path, name):
    source = data_set(tmp_path / "set", AMBIGUOUS[name])
    with pytest.raises(UserError, match="more than one reading is possible →") as error:
        prepared(source, tmp_path)
    assert not (tmp_path / "prepared").exists()
    lines = re.findall(r": in (dataset|params)\.yaml: (.*?)(?:; or |$)", str(error.value), re.MULTILINE)
    assert len(lines) == 2, str(error.value)
    for number, (file, line) in enumerate(lines):
        folder = tmp_path / str(number)
        if file == "dataset":
            (source / "dataset.yaml").write_text(line)
            store = prepared(source, folder)
            content = yaml.safe_load(line)
            assert len(store.dataset.classes) == len(content.get("classes", range(21)))
            (source / "dataset.yaml").unlink()
        else:
            *_, key, value = line.replace("data.masks.", "").split(": ")
            masks = {"read": "auto", "threshold": 0} | {key: yaml.safe_load(value)}
            store = prepared(source, folder, masks=masks)
            assert store.dataset.names == ["background", "foreground"]
            assert store.mask(0).max() == 1


def test_colours_that_blend_at_edges_are_not_taken_for_classes(tmp_path):
    """Red discs on black, with the half-tones of a drawing program. Without half-tones they are two classes."""
    discs = [cv2.circle(np.zeros((24, 20), np.uint8), (7 + number, 12), 6, 255, -1) for number in range(4)]
    soft = [cv2.GaussianBlur(disc, (3, 3), 0) for disc in discs]
    red = [[np.dstack([one, 0 * one, 0 * one]) for one in masks] for masks in (discs, soft)]
    store = prepared(data_set(tmp_path / "sharp", red[0]), tmp_path / "1")
    assert store.dataset.classes == {"#000000": "background", "#FF0000": "foreground"}
    with pytest.raises(UserError, match=r"more than one reading is possible → .*colours with soft edges"):
        prepared(data_set(tmp_path / "soft", red[1]), tmp_path / "2")


def test_instances_become_foreground_and_the_ignored_value_stays(tmp_path):
    array = np.tile(np.array([0, -1, 2, 3], np.int16), (24, 5))
    tifffile.imwrite(tmp_path / "a.tif", array)
    masks = data_section(tmp_path, masks={"read": "instances", "threshold": 0}).masks
    assert read_mask(tmp_path / "a.tif", masks, False, None).values.pixels == {0: 120, 1: 360}
    assert read_mask(tmp_path / "a.tif", masks, False, -1).values.pixels == {-1: 120, 0: 120, 1: 240}


@pytest.mark.parametrize(("threshold", "names"), [(128, ["background", "foreground"])])
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_masks_are_refused_until_a_threshold_says_how_to_read_them(tmp_path, format, threshold, names):
    shapes = [np.zeros((24, 20), np.uint8) for _ in range(4)]
    for number, shape in enumerate(shapes):
        shape[:, 8 + number :] = 255
    masks = [saved(Image.fromarray(shape).convert("RGB"), format, quality=80) for shape in shapes]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"4 problem.*") as error:
        prepared(source, tmp_path)
    assert "'m00', 'm01', 'm02', 'm03': the mask is in a lossy format" in str(
        error.value
    ) and "data.masks.threshold: 1" in str(error.value)
    store = prepared(source, tmp_path, masks={"read": "auto", "threshold": threshold})
    check(store, [np.minimum(shape, 1) for shape in shapes])
    assert store.dataset.names == names


def test_lossy_masks_are_refused_even_if_their_values_are_classes(tmp_path):
    flat = saved(Image.fromarray(np.full((24, 20), 1, np.uint8)), "JPEG", quality=100)
    source = data_set(tmp_path / "set", [BINARY[0], flat, BINARY[1]], "classes: {0: a, 1: b}")
    with pytest.raises(UserError, match=r"1 problem.*\n  'm01': the mask is in a lossy format"):
        prepared(source, tmp_path)
    check(prepared(source, tmp_path, on_error="skip"), BINARY[:2])


def test_probabilities_need_a_threshold_and_instances_become_foreground(tmp_path):
    soft = [RNG.random((24, 20), np.float32) for _ in range(3)]
    store = prepared(
        data_set(tmp_path / "soft", [tiff(one) for one in soft]),
        tmp_path / "1",
        masks={"read": "auto", "threshold": 0.5},
    )
    check(store, [(one >= 0.5).astype(np.uint8) for one in soft])
    objects = [RNG.integers(0, 4, (24, 20)).astype(np.uint16) * 700 for _ in range(3)]
    source = data_set(tmp_path / "objects", [png(one, 16, 0) for one in objects])
    check(
        prepared(source, tmp_path / "2", masks={"read": "instances", "threshold": 0}),
        [(o > 0).astype(np.uint8) for o in objects],
    )
    many = [np.arange(480, dtype=np.uint16).reshape(24, 20) // 3 * (n + 1) for n in range(3)]
    with pytest.raises(
        UserError, match=r"numbered objects on background 0: in params\.yaml: data\.masks\.read: instances"
    ):
        prepared(data_set(tmp_path / "many", [png(one, 16, 0) for one in many]), tmp_path / "3")


@pytest.mark.parametrize("blur", [3, 7])
def test_smooth_edges_have_to_be_confirmed(tmp_path, blur):
    discs = [cv2.circle(np.zeros((24, 20), np.uint8), (7 + number, 12), 6, 255, -1) for number in range(6)]
    masks = [cv2.GaussianBlur(disc, (blur, blur), 0) for disc in discs]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"foreground with soft edges: in params\.yaml: data\.masks\.threshold: 128"):
        prepared(source, tmp_path)
    store = prepared(source, tmp_path, masks={"read": "auto", "threshold": 128})
    check(store, [(mask >= 128).astype(np.uint8) for mask in masks])


def test_many_values_without_an_interpretation_ask_for_class_names(tmp_path):
    masks = [RNG.integers(0, 150, (24, 20)).astype(np.uint8) for _ in range(3)]
    source = data_set(tmp_path / "set", masks)
    with pytest.raises(UserError, match=r"\(150 values\).*classes: in dataset\.yaml, all of them.*read: instances"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text(f"classes: {{{', '.join(f'{value}: c{value}' for value in range(150))}}}")
    check(prepared(source, tmp_path), masks)


def test_sixteen_bit_soft_edges_get_a_threshold_in_their_own_range(tmp_path):
    soft = np.zeros((24, 20), np.uint16)
    soft[:, 10:] = 65535
    soft[:, 9] = np.linspace(1, 65534, 24)
    soft[:, 10] = np.linspace(100, 60000, 24)
    masks = [png(np.roll(soft, n, 1), 16, 0) for n in range(3)]
    with pytest.raises(UserError, match=r"data\.masks\.threshold: 3276[78]"):
        prepared(data_set(tmp_path / "set", masks), tmp_path)


def test_one_unknown_value_in_one_of_two_hundred_files_is_found(tmp_path):
    masks = [BINARY[number % 6].copy() for number in range(200)]
    masks[137][5, 6] = 9
    source = data_set(tmp_path / "set", masks, "classes: {0: no, 1: yes}\n")
    with pytest.raises(UserError, match=r"1 problem.*\n  'm137': the mask holds 9, known are 0, 1 →") as error:
        prepared(source, tmp_path)
    assert str(error.value).count("\n") == 1
    assert len(prepared(source, tmp_path, on_error="skip")) == 199
    assert [row["file"] for row in read_csv(tmp_path / "checks.csv") if row["severity"] == "skipped"] == ["m137"]


def test_the_rarest_value_is_shown_with_a_mask_that_holds_it(tmp_path):
    masks = [np.array([0, 128, 255], np.uint8)[labels] for labels in LABELS]
    masks[3][5, 6] = 7
    with pytest.raises(UserError, match=re.escape("(7 in 1, as in 'm03'; ")):
        prepared(data_set(tmp_path / "set", masks), tmp_path)


@pytest.mark.parametrize("value", [0, 255])
def test_masks_with_a_single_value_are_refused(tmp_path, value):
    with pytest.raises(UserError, match="a single class → add masks that hold the classes"):
        prepared(data_set(tmp_path / "set", [np.full((24, 20), value, np.uint8)] * 3), tmp_path)
