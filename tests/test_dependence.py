"""Dependent images are found and independent ones are not. Tests on real images need SEG_DATASETS."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from src.data.reading.images import read_image
from src.data.similarity.filled import thumbnail
from src.data.similarity.thumbnails import LIMIT, SIDE, decode_thumbnails, encode_thumbnail
from src.data.source.dataset import read_dataset
from src.data.source.package import package_pairs
from src.data.splits.dependence import find_dependence, natural_key
from src.data.splits.split_warnings import split_warning, validation_warning
from src.data.store.store import Record
from src.data.store.subsets import Subset
from tests import scenes
from tests.conftest import ROOT


def dependence(named, group=None):
    pictures = np.array([thumbnail(image)[0] for _, image in named]).reshape(-1, SIDE, SIDE)
    return find_dependence(pictures, {name: group(name) if group else name for name, _ in named})


INDEPENDENT = {
    "plain": scenes.independent,
    "ten": lambda seed: scenes.independent(seed, 10),
    "darkening": scenes.darkening,
    "one class after the other": scenes.by_class,
    "round field of view": scenes.framed,
    "bright in the middle": lambda seed: scenes.framed(seed, bright=100),
    "black with dots": scenes.dots,
}
DEPENDENT = {
    "video": scenes.video,
    "ten frames": lambda seed: scenes.video(seed, 10),
    "few frames a second": lambda seed: scenes.video(seed, step=24),
    "videos": scenes.videos,
    "volume": scenes.volume,
    "tiles": scenes.tiles,
    "overlapping tiles": lambda seed: scenes.tiles(seed, step=48),
    "two views": scenes.views,
    "camera that stands still": scenes.static,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", INDEPENDENT)
def test_independent_images_are_not_reported(kind, seed):
    assert dependence(INDEPENDENT[kind](seed)) is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", DEPENDENT)
def test_frames_slices_and_tiles_are_found(kind, seed):
    named = DEPENDENT[kind](seed)
    found = dependence(named)
    assert found is not None and len(found.pairs) == len(named) - 1 and found.neighbours > found.others + 0.1


@pytest.mark.parametrize("count", range(4))
def test_too_few_images_give_no_result(count):
    assert dependence(scenes.video(0, count)) is None


def test_a_video_with_names_in_no_order_is_not_found():
    """A limit of the method: only names say which images are neighbours."""
    named = scenes.video(0)
    order = np.random.default_rng(0).permutation(len(named))
    assert dependence([(f"{position:04d}", image) for position, (_, image) in zip(order, named, strict=True)]) is None


@pytest.mark.parametrize(
    ("named", "group", "found"),
    [
        (scenes.videos(0), lambda name: name.split("_")[0], False),
        (scenes.videos(0), lambda name: "all", False),
        (scenes.video(0), lambda name: str(int(name[6:]) // 10), False),  # three borders of forty
        (scenes.video(0), lambda name: str(int(name[6:]) // 3), True),
        (scenes.tiles(0), lambda name: name.rpartition("_")[0], True),  # columns side by side
        (scenes.tiles(0), lambda name: "scene", False),
        (scenes.views(0), lambda name: name[:-1], False),
        (scenes.views(0, 40), lambda name: name[-1], True),  # all left ones are one group, all right ones another
    ],
)
def test_only_neighbours_in_different_groups_count(named, group, found):
    assert (dependence(named, group) is not None) == found


def test_the_result_is_repeatable_and_does_not_depend_on_the_order_of_the_images():
    named = scenes.videos(1)
    turned = named[::-1]
    first, again, other = dependence(named), dependence(named), dependence(turned)
    assert first == again and other is not None and first is not None
    assert (first.what, set(first.pairs)) == (other.what, set(other.pairs))
    assert first.neighbours == pytest.approx(other.neighbours, abs=1e-5)


def test_of_many_images_only_runs_are_tested():
    """With more pairs than are compared, a video is found and independent images are not."""
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(size=(3000, SIDE, SIDE)), axis=0) * 0.3
    for pictures, found in ((np.diff(steps, axis=0), False), (steps[1:] - steps[:-1].mean(axis=0), True)):
        values = (pictures / pictures.std()).clip(-LIMIT, LIMIT).astype(np.float16)
        assert (find_dependence(values, {str(n): str(n) for n in range(len(values))}) is not None) == found


def test_names_are_ordered_by_their_numbers():
    assert sorted(["f10", "f9", "a2/3", "a10/1", "f"], key=natural_key) == ["a2/3", "a10/1", "f", "f9", "f10"]


def test_thumbnails_survive_as_text():
    pictures = np.array([thumbnail(image)[0] for _, image in scenes.independent(0, 3)])
    texts = [encode_thumbnail(picture) for picture in pictures]
    np.testing.assert_allclose(decode_thumbnails(texts).astype(float), pictures.astype(float), atol=LIMIT / 127)
    assert not decode_thumbnails([""]).any() and decode_thumbnails([]).shape == (0, SIDE, SIDE)


def rows_of(named, subset, group=lambda name: name):
    records = [
        Record(name, "", 8, 8, 1, 0, 0, [], [], [], encode_thumbnail(thumbnail(image)[0])) for name, image in named
    ]
    return records, [{"id": name, "group": group(name), "subset": subset(n)} for n, (name, _) in enumerate(named)]


def test_the_warning_names_what_is_affected():
    named = scenes.video(0)
    whole = "the 95 % intervals are too narrow"
    leaks = "validation and test scores may be too high"
    text = split_warning(*rows_of(named, lambda n: "test"))
    assert "39 such pairs of test images" in text and whole in text and leaks not in text
    text = split_warning(*rows_of(named, lambda n: ("train", "validation", "test")[n % 3]))
    assert "39 such pairs lie in different subsets" in text and leaks in text and whole not in text
    assert split_warning(*rows_of(named, lambda n: "train")) == ""
    assert split_warning(*rows_of(named, lambda n: "test", lambda name: "one")) == ""
    assert split_warning(*rows_of(scenes.independent(0), lambda n: ("train", "test")[n % 2])) == ""
    assert split_warning([], []) == ""


needs_data = pytest.mark.skipif("SEG_DATASETS" not in os.environ, reason="SEG_DATASETS is not set")


def real(name):
    folder = Path(os.environ["SEG_DATASETS"]) / name / "images"
    return [(path.stem, read_image(path)) for path in sorted(folder.iterdir())]


@needs_data
def test_real_nuclei_are_independent_and_frames_of_one_drive_are_not():
    """Nuclei are independent; frames of CamVid are not, unless each drive is a group."""
    street = real("street")
    assert dependence(real("nuclei")) is None
    found = dependence(street)
    assert found is not None and found.what == "have a similar layout"
    assert dependence(street, lambda name: name.split("_")[0]) is None


def test_blocks_of_the_map_adjoin():
    """The groups of the bundled sample are blocks of four tiles, and the next block starts where one ends."""
    pairs = package_pairs(read_dataset(ROOT / "data/blue-marble").package)
    named = [(pair.id, pair.read(None).image) for pair in pairs]
    found = dependence(named, lambda name: name.split("/")[0])
    assert found is not None and found.what == "have matching edges"


def subsets(named, validated, group=lambda name: name):
    """Training and validation images; `validated` says which images, by their number, are of the latter."""
    records, _ = rows_of(named, lambda n: "")
    store = SimpleNamespace(records=records)
    parts = [[n for n in range(len(named)) if validated(n) == which] for which in (False, True)]
    return [Subset(store, part, [group(named[n][0]) for n in part]) for part in parts]


def test_the_plan_warns_if_frames_are_divided_between_training_and_validation():
    named = scenes.video(0)
    text = validation_warning(*subsets(named, lambda n: n % 4 == 0), "data/my set")
    assert "19 such pairs are divided between training and validation" in text
    assert "validation scores will be too high" in text and "python -m tools.check 'data/my set'" in text
    assert validation_warning(*subsets(named, lambda n: n >= 39), "data/set") != ""
    grouped = subsets(scenes.videos(0), lambda n: n % 24 < 12, lambda name: name.split("_")[0])
    assert validation_warning(*grouped, "data/set") == ""
    assert validation_warning(*subsets(scenes.independent(0), lambda n: n % 4 == 0), "data/set") == ""
    assert validation_warning(*subsets(scenes.tiles(0), lambda n: n % 4 == 0), "data/set") == ""  # only of frames
    assert validation_warning(*subsets(scenes.videos(0), lambda n: n < 12), "data/set") == ""  # a whole video
