"""Upright scenes are recognised from where the classes lie, and images without a direction are not taken for them."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from src.data.store.subsets import Subset
from src.plan.uprightness import (
    FEWEST,
    LEAST_COSINE,
    SIDE,
    Asymmetry,
    Layout,
    flip,
    independent_members,
    measure_layout,
)
from tests.conftest import ROOT, prepared
from tests.test_plan import facts, plan

ROWS, COLUMNS = np.mgrid[:96, :96] / 96
MOST_WRONG = 0.01  # share of random data sets without a direction in which one may be found


def subset(masks, groups=None, classes=None, background=True):
    """These masks as a subset, without any files."""
    names = [f"class {number}" for number in range(classes or max(int(mask.max()) for mask in masks) + 1)]
    dataset = SimpleNamespace(names=names, foreground=list(range(int(background), len(names))), overlap=False)
    store = SimpleNamespace(dataset=dataset, mask=lambda index: masks[index], release=lambda: None)
    return Subset(store, range(len(masks)), groups or [str(number) for number in range(len(masks))])


def chosen(masks, groups=None, **keywords):
    return flip(measure_layout(subset(masks, groups, **keywords)))[0]


def many(make, count=24, seed=0):
    rng = np.random.default_rng([seed, count])
    return [make(rng) for _ in range(count)]


def oval(mask, label, centre, size, angle=0.0):
    y, x = ROWS - centre[0], COLUMNS - centre[1]
    down, right = np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x
    mask[(down / size[0]) ** 2 + (right / size[1]) ** 2 < 1] = label


def empty():
    return np.zeros(ROWS.shape, np.uint8)


def street(rng):
    """Sky, houses and a road, with a tree and cars at random places."""
    mask, horizon = empty(), rng.normal(0.45, 0.06)
    mask[horizon - 0.15 - 0.1 * np.sin(9 * COLUMNS + rng.uniform(0, 6)) < ROWS] = 1
    mask[horizon < ROWS] = 2
    oval(mask, 3, (horizon - 0.1, rng.random()), (0.25, 0.12))
    oval(mask, 4, (horizon + rng.uniform(0.05, 0.3), rng.random()), (0.08, 0.12))
    return mask


def portrait(rng):
    mask, top, middle = empty(), rng.normal(0.3, 0.06), rng.normal(0.5, 0.08)
    oval(mask, 1, (top, middle), (0.12, 0.09))
    mask[(top + 0.1 < ROWS) & (abs(COLUMNS - middle) < 0.22)] = 1
    return mask


def chest(rng, heart=False):
    """Two lungs, wider at the bottom and not always at the same place; the heart lies to one side."""
    mask, (y, x), size = empty(), rng.normal(0, 0.03, 2), rng.normal(1, 0.08)
    for side in (-1, 1):
        height = ((ROWS - 0.2 - y) / (0.55 * size)).clip(0, 1)
        width = 0.13 * size * np.sqrt(height) * (height < 1)
        mask[abs(COLUMNS - 0.5 - x - side * 0.19) < width] = 1
    if heart:
        oval(mask, 2, (0.6 + y, 0.57 + x), (0.14 * size, 0.15 * size))
    return mask


def one_side(rng):
    """The optic disc of a right eye."""
    mask = empty()
    oval(mask, 1, (rng.normal(0.5, 0.05), rng.normal(0.72, 0.03)), (0.07, 0.07))
    return mask


DIRECTED = {
    "street": (street, "horizontal"),
    "portraits": (portrait, "horizontal"),
    "lungs": (chest, "horizontal"),
    "lungs and hearts": (lambda rng: chest(rng, heart=True), "none"),
    "right eyes": (one_side, "vertical"),
}


def blobs(rng, count, size, classes=2, area=(0, 1)):
    mask = empty()
    for _ in range(count):
        oval(mask, rng.integers(1, classes), rng.uniform(*area, 2), rng.uniform(*size, 2), rng.uniform(0, 3))
    return mask


def landscape(rng, classes, parts):
    """Areas of random shape, as from a satellite."""
    heights = [
        cv2.resize(rng.normal(size=(parts, parts)), ROWS.shape, interpolation=cv2.INTER_CUBIC) for _ in range(classes)
    ]
    return np.argmax(heights, axis=0).astype(np.uint8)


def lesion(rng):
    mask, centre, size = empty(), rng.normal(0.5, 0.04, 2), rng.uniform(0.15, 0.4, 2)
    oval(mask, 1, centre, size, rng.uniform(0, 3))
    oval(mask, 2, centre, size / 2, rng.uniform(0, 3))
    return mask


def eye(rng):
    """The optic disc of either eye."""
    mask = one_side(rng)
    return mask[:, ::-1] if rng.random() < 0.5 else mask


UNDIRECTED = {
    "one blob": lambda rng: blobs(rng, 1, (0.05, 0.25)),
    "one blob near the middle": lambda rng: blobs(rng, 1, (0.05, 0.25), area=(0.25, 0.75)),
    "some blobs": lambda rng: blobs(rng, rng.integers(1, 20), (0.02, 0.2)),
    "many nuclei": lambda rng: blobs(rng, 30, (0.02, 0.05)),
    "blobs of three classes": lambda rng: blobs(rng, 8, (0.05, 0.2), classes=4),
    "land and water": lambda rng: landscape(rng, 2, 4),
    "fields": lambda rng: landscape(rng, 6, 5),
    "lesions in the middle": lesion,
    "eyes": eye,
}


@pytest.mark.parametrize("scene", DIRECTED)
def test_images_with_a_direction_are_mirrored_only_across_it(scene):
    make, wanted = DIRECTED[scene]
    assert [chosen(many(make, 40, seed)) for seed in range(5)] == [wanted] * 5


@pytest.mark.parametrize("kind", UNDIRECTED)
def test_images_without_a_direction_are_mirrored_in_both(kind):
    draws = [(count, seed) for count in (3, 12, 16, 40) for seed in range(12)]
    wrong = sum(chosen(many(UNDIRECTED[kind], count, seed), classes=6) != "both" for count, seed in draws)
    assert wrong <= MOST_WRONG * len(draws)


def test_the_result_follows_the_images_when_they_are_turned():
    masks = many(street)
    upright, over = measure_layout(subset(masks)), measure_layout(subset([mask[::-1].copy() for mask in masks]))
    assert upright.vertical.cosine == pytest.approx(over.vertical.cosine, abs=0.02) and upright.vertical.cosine > 0.8
    turned = measure_layout(subset([mask.T.copy() for mask in masks]))
    assert turned == Layout(upright.horizontal, upright.vertical)
    assert chosen([mask.T.copy() for mask in masks]) == "vertical"


def test_upside_down_images_among_upright_ones_show_no_direction():
    rng = np.random.default_rng(0)
    masks = [mask[::-1].copy() if rng.random() < 0.5 else mask for mask in many(street, 60)]
    assert chosen(masks) == "both"


def test_the_cosine_and_the_share_are_those_of_all_pairs():
    """Compared with loops over pairs, on masks of which every pixel is read."""
    rng = np.random.default_rng(0)
    masks = [rng.choice(4, (SIDE, SIDE), p=weights).astype(np.uint8) for weights in rng.dirichlet(np.ones(4), 9)]
    for mask in masks:
        mask[: SIDE // 4] = 3
    found = measure_layout(subset(masks, background=False)).vertical

    def profile(mask):
        bands = np.split(mask, 16)
        return np.array([[np.mean(band == label) for label in range(4)] for band in bands])

    different = [(profile(mask) - profile(mask[::-1])).ravel() for mask in masks]
    pairs = [(one, other) for one in range(9) for other in range(9) if one != other]
    cosines = [
        different[one] @ different[other] / np.linalg.norm(different[one]) / np.linalg.norm(different[other])
        for one, other in pairs
    ]
    assert found.cosine == pytest.approx(np.mean(cosines), abs=1e-9)
    mean = np.mean([profile(mask) for mask in masks], axis=0)
    assert found.share == pytest.approx(np.abs(mean - mean[::-1]).sum() / 2 / mean.sum(), abs=1e-9)


def drifting(rng, frames):
    """Frames of cells that move slowly."""
    centres, sizes = rng.uniform(0, 1, (rng.integers(1, 8), 2)), rng.uniform(0.05, 0.2, (8, 2))
    made = []
    for _ in range(frames):
        mask = empty()
        for centre, size in zip(centres, sizes, strict=False):
            oval(mask, 1, centre, size)
        made.append(mask)
        centres = centres + rng.normal(0, 0.02, centres.shape)
    return made


def test_frames_of_a_few_videos_are_not_many_images():
    for videos in (1, 2, 3, 5):
        for seed in range(8):
            rng = np.random.default_rng([videos, seed])
            masks = [mask for _ in range(videos) for mask in drifting(rng, 60 // videos)]
            assert chosen(masks, classes=2) == "both"


def test_a_group_counts_once():
    masks = many(street, 40)
    assert chosen(masks, [str(number // 2) for number in range(40)]) == "horizontal"
    few = measure_layout(subset(masks, [str(number % (FEWEST - 1)) for number in range(40)]))
    assert few.vertical.cosine > LEAST_COSINE and few.vertical.independent < FEWEST
    assert flip(few)[0] == "both" and str(FEWEST) in flip(few)[1]


def test_too_few_images_and_images_without_foreground_decide_nothing():
    assert chosen(many(street, 5)) == "both"
    assert chosen([empty()] * 30, classes=2) == "both"
    assert chosen([np.full((1, 1), 1, np.uint8)], classes=2) == "both"
    assert chosen([np.full((7, 3), 255, np.uint8)] * 20, classes=2) == "both"
    assert chosen([*many(street, 24), *[empty()] * 24]) == "horizontal"  # empty ones say nothing about a direction


def test_independent_members_of_a_series():
    rng = np.random.default_rng(0)
    series = np.zeros((4000, 3))
    assert independent_members(series) == 0
    assert independent_members(rng.normal(size=series.shape)) == pytest.approx(4000, rel=0.05)
    for number in range(1, len(series)):
        series[number] = 0.8 * series[number - 1] + rng.normal(size=3)
    assert independent_members(series) == pytest.approx(4000 * 0.2 / 1.8, rel=0.1)  # of a first-order autoregression
    assert independent_members(np.cumsum(rng.normal(size=(64, 3)), axis=0)) < FEWEST  # a random walk


@pytest.mark.parametrize(("name", "wanted"), [("nuclei", "both"), ("vessels", "both"), ("street", "horizontal")])
@pytest.mark.skipif("SEG_DATASETS" not in os.environ, reason="SEG_DATASETS is not set")
def test_real_images_are_mirrored_as_they_can_occur(tmp_path, name, wanted):
    store = prepared(Path(os.environ["SEG_DATASETS"]) / name, tmp_path)
    for part in (range(len(store)), range(0, len(store), 2)) if name != "vessels" else (range(len(store)),):
        assert flip(measure_layout(Subset.ungrouped(store, part)))[0] == wanted


def test_the_sample_is_mirrored_in_both_directions(tmp_path):
    store = prepared(ROOT / "data/blue-marble", tmp_path)
    assert flip(measure_layout(Subset.ungrouped(store, range(len(store)))))[0] == "both"


def test_the_plan_records_the_directions_and_keeps_those_set_by_hand():
    upright = Asymmetry(cosine=0.8, share=0.5, independent=30)
    found = replace(facts(), layout=Layout(vertical=upright))
    made = plan(found)
    assert made.augment.flip == made.numbers["augment.flip"] == "horizontal"
    assert "0.80" in made.choices["augment.flip"].why
    assert plan(found, **{"augment.flip": "both"}).augment.flip == "both"
    assert plan(facts()).augment.flip == "both"
    assert plan(found).augment.rotate == plan(facts(), **{"augment.flip": "none"}).augment.rotate
    columns = [
        line.index(choice.why) for line, choice in zip(str(made).splitlines(), made.choices.values(), strict=True)
    ]
    assert len(set(columns)) == 1  # a long value moves no reason
