"""Ready masks of overlapping classes, the masks that a prediction writes, and masks in the classes of a model."""

import shutil

import numpy as np
import pytest
import tifffile

from src.data.classes.label_format import LabelFormat
from src.data.labelled.class_match import match_classes
from src.data.labelled.remap_classes import remap_classes
from src.data.predictions.mask_tables import mask_tables
from src.data.predictions.prediction_files import write_mask
from src.data.source.dataset import IGNORE, Dataset
from src.errors import UserError
from src.evaluation.metrics.confusion import dice
from tests.conftest import prepared
from tests.overlapping import NAMES, write, write_overlapping
from tests.ready_masks import scored, write_halves

FORM = LabelFormat(2, overlap=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set of four images and its prepared copy, which must not be changed."""
    folder = tmp_path_factory.mktemp("ready")
    return write_overlapping(folder / "set", 4), prepared(folder / "set", folder)


@pytest.fixture
def folder(made, tmp_path):
    """The data set, with a copy of its masks in other/."""
    shutil.copytree(made[0], tmp_path / "set")
    shutil.copytree(made[0] / "masks", tmp_path / "set/other")
    return tmp_path / "set"


def refused(folder, tmp_path, message):
    with pytest.raises(UserError, match=message):
        scored(folder, tmp_path / "work")


def test_the_truth_scores_one_against_itself(folder, tmp_path):
    results, _, ready, taken = scored(folder, tmp_path / "work")
    assert np.nanmin(dice(results.pixels)) == 1 and taken == ready.extra == 0 and ready.notes() == []


def test_each_class_is_scored_by_its_own_masks(made, folder, tmp_path):
    store = made[1]
    for path in (folder / "other/stripe").iterdir():
        path.write_bytes((folder / "other/disc" / path.name).read_bytes())
    results, _, _, _ = scored(folder, tmp_path / "work")
    for row, record in enumerate(store.records):
        disc, stripe = (FORM.of_class(store.mask(row), label) for label in (0, 1))
        expected = 2 * (disc & stripe).sum() / (disc.sum() + stripe.sum())
        assert results.ids[row] == record.id and dice(results.pixels)[row].tolist() == [1, pytest.approx(expected)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_channels_are_read_in_the_order_of_their_dataset_yaml(made, folder, tmp_path, order):
    store = made[1]
    shutil.rmtree(folder / "other")
    for index, record in enumerate(store.records):
        planes = FORM.planes(store.mask(index))[..., list(order)].astype(np.uint8)
        (folder / "other").mkdir(exist_ok=True)
        tifffile.imwrite(folder / f"other/{record.id}.tif", planes)
    if order != (0, 1):
        named = f"overlap: true\nclasses: {{0: {NAMES[order[0]]}, 1: {NAMES[order[1]]}}}\n"
        (folder / "other/dataset.yaml").write_text(named)
    assert np.nanmin(dice(scored(folder, tmp_path / "work")[0].pixels)) == 1


def test_undecided_pixels_do_not_count(folder, tmp_path):
    name = "case 0-1.png"
    for label in NAMES:
        mask = np.zeros((70, 50), np.uint8)
        mask[10:] = 128
        write(folder / "other" / label / name, mask)
    results, _, _, taken = scored(folder, tmp_path / "work")
    assert taken == 60 * 50 and results.pixels.counted[1].tolist() == [500, 500]


def test_all_problems_of_ready_masks_are_listed(folder, tmp_path):
    (folder / "other/disc/case 0-0.png").unlink()
    write(folder / "other/stripe/case 0-1.png", np.zeros((9, 50), np.uint8))
    write(folder / "other/disc/case 1-2.png", np.full((64, 64), 7, np.uint8))
    with pytest.raises(UserError, match="in the predictions") as error:
        scored(folder, tmp_path / "work")
    found = str(error.value)
    assert "case 0-0': has no prediction" in found
    assert "the mask of the class 'stripe' is 50 × 9 pixels, the image 50 × 70" in found
    assert "other/disc/case 1-2.png holds 7; the mask of one class holds 0 and 1" in found


def test_a_missing_mask_is_empty_only_if_dataset_yaml_says_so(folder, tmp_path):
    (folder / "other/disc/case 0-0.png").unlink()
    (folder / "other/dataset.yaml").write_text("overlap: true\nmissing: empty\n")
    results, *_ = scored(folder, tmp_path / "work")
    assert dice(results.pixels)[0].tolist() == [0, 1]
    (folder / "other/stripe/case 0-0.png").unlink()
    shutil.rmtree(tmp_path / "work")
    refused(folder, tmp_path, "case 0-0': has no prediction")


def test_a_class_without_a_folder_is_refused(folder, tmp_path):
    shutil.rmtree(folder / "other/disc")
    refused(folder, tmp_path, "there is no folder of masks for 'disc'; add .*other/disc")


@pytest.mark.parametrize("content", ["classes: {0: disc, 1: stripe}", "overlap: true\nclasses: {0: disc, 1: dot}"])
def test_a_dataset_yaml_of_other_classes_is_refused(folder, tmp_path, content):
    (folder / "other/dataset.yaml").write_text(content)
    refused(folder, tmp_path, "whose classes overlap; write overlap: true, and the classes disc, stripe")


def test_ready_masks_of_overlapping_classes_do_not_fit_a_data_set_without_them(tmp_path):
    folder = write_halves(tmp_path / "set")
    (folder / "other/dataset.yaml").write_text("overlap: true\nclasses: {0: a, 1: b}\n")
    refused(folder, tmp_path, "overlap: true, but the classes of the data set do not overlap")


def test_written_masks_are_read_again_as_the_same_labels(made, tmp_path):
    source, store = made
    shutil.copytree(source / "images", tmp_path / "again/images")
    (tmp_path / "again/dataset.yaml").write_text("overlap: true\n")
    labels = [np.where(store.mask(index) == IGNORE, 0, store.mask(index)) for index in range(len(store))]
    for (folder, table), suffix in zip(mask_tables([], NAMES, FORM).items(), (".png", ".tif"), strict=True):
        for record, mask in zip(store.records, labels, strict=True):
            path = tmp_path / "again" / folder / f"{record.id}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, mask, table)
    again = prepared(tmp_path / "again", tmp_path)
    for index, mask in enumerate(labels):
        np.testing.assert_array_equal(again.mask(index), mask)


def test_the_masks_of_a_store_get_the_bits_of_a_model(made, tmp_path):
    source, before = made
    store = prepared(source, tmp_path)
    known = Dataset(overlap=True, classes={0: "stripe", 1: "dot", 2: "disc"})
    match = match_classes(store.dataset, known, named=False)
    after = remap_classes(store, match.indices, known.names, None, {"dot": "#0000FF"})
    assert after.dataset.overlap and after.dataset.names == known.names and after.dataset.foreground == [0, 1, 2]
    for index, (old, new) in enumerate(zip(before.records, after.records, strict=True)):
        planes = LabelFormat.of(after.dataset).planes(after.mask(index))
        np.testing.assert_array_equal(planes[..., [2, 0]], FORM.planes(before.mask(index)))
        np.testing.assert_array_equal(after.mask(index) == IGNORE, before.mask(index) == IGNORE)
        assert not planes[..., 1].any() and new.counted == old.counted
        assert new.pixels == [old.pixels[1], 0, old.pixels[0]]


@pytest.mark.parametrize("overlap", [True, False])
def test_classes_of_two_kinds_do_not_match(overlap):
    own, known = (Dataset(overlap=kind, classes={0: "a", 1: "b"}) for kind in (overlap, not overlap))
    with pytest.raises(UserError, match=r"the classes of the data (overlap, .* do not|do not overlap, .* do);"):
        match_classes(own, known, named=True)
