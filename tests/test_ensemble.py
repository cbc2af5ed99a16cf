"""The probabilities of an ensemble are the means of those that its models predict by themselves."""

import hashlib
import logging
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from src.archive.project import Decisions
from src.data.classes.label_format import LabelFormat
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import confusion_matrix, dice, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.model.export.export import write_exports
from src.model.export.exported_model import Export
from src.model.export.formats import FORMATS
from src.model.inference.predictor import Predictor, load_predictor
from src.model.network.model_file import read_model, write_model
from tests.conftest import prepared, write_data_set
from tests.made_ensemble import member, write_made

DIFFERENT = {  # normalisation by other statistics, by each image, and another depth
    "depth": lambda: [member(1), member(2, depth=1, mean=[6.0], std=[2.0]), member(3, depth=3, normalise="image")],
    "encoder": lambda: [
        member(4, 3, 3),
        member(5, 3, 3, "efficientnet_lite0", normalise="encoder", depth=1),
        member(6, 3, 3, depth=1, mean=[3.0, 5.0, 8.0], std=[2.0, 3.0, 1.0]),
    ],
}


@pytest.fixture(scope="module", params=DIFFERENT)
def members(request):
    """Members of two classes of grey images, or of three classes of RGB images."""
    return DIFFERENT[request.param]()


def drawn(members, height, width):
    """An image that is darker to the left, so that predictions vary."""
    pixels = np.random.default_rng(0).uniform(0, 255, (height, width, len(members[0].project.mean)))
    return (pixels * np.linspace(0.1, 1, width)[:, None]).astype(np.uint8)


def mean_of_members(members, image, decisions, **changes):
    """By each member's own predictor, with the decisions of the ensemble."""
    own = []
    for one in members:
        told = one.project.model_copy(update={"decisions": decisions.model_copy(update={"temperature": 1.0})} | changes)
        alone = Predictor.of_members([one])  # its graph is traced already
        alone.project = told
        own.append(alone.probabilities(image).astype(float))
    assert all(np.abs(first - other).max() > 0.01 for first, other in pairwise(own))  # it could fail
    mean = np.mean(own, axis=0) ** (1 / decisions.temperature)
    return mean / mean.sum(axis=-1, keepdims=True)


def joined(members, tile=1024, **changes):
    """The ensemble; changes: of all members' projects."""
    for one in members:
        one.project = one.project.model_copy(update=changes)
    return Predictor.of_members(members, tile)


@pytest.mark.parametrize(("mirror", "shorter_side"), [("both", 0), ("none", 20)])
def test_probabilities_are_the_means_of_the_members_own(members, mirror, shorter_side):
    decisions, image = Decisions(mirror=mirror, temperature=1.5 if mirror == "both" else 1.0), drawn(members, 37, 53)
    predictor = joined(members, decisions=decisions, shorter_side=shorter_side)
    expected = mean_of_members(members, image, decisions, shorter_side=shorter_side)
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-5)
    assert np.ptp(expected) > 0.05


def test_many_members_start_without_warnings_of_tensorflow(caplog):
    predictor = Predictor.of_members([member(seed) for seed in range(7)])
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        tf.get_logger().addHandler(caplog.handler)
        try:
            predictor.probabilities(np.zeros((16, 16, 1), np.uint8))
        finally:
            tf.get_logger().removeHandler(caplog.handler)
    assert not caplog.records


def test_tiles_do_not_change_the_probabilities_of_plain_members():
    members = [member(1), member(2, depth=1, mean=[6.0], std=[2.0])]
    image, predictor = drawn(members, 41, 62), joined(members, tile=16)
    assert predictor.multiple == 4
    expected = mean_of_members(members, image, Decisions())
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-5)


def test_tiles_start_where_every_member_can_halve_them():
    """An encoder of little depth blends tiles; a plain member of more depth needs them at multiples of 16."""
    members = [member(1, depth=1, encoder="efficientnet_lite0"), member(2, depth=4)]
    image, predictor = drawn(members, 41, 200), joined(members, tile=64)
    starts = [window[1].start for window, _ in predictor.tiles(image)]
    assert predictor.multiple == 16 and len(starts) > 1 and all(start % 16 == 0 for start in starts)


def test_the_mean_of_confident_logits_is_exact_and_finite():
    """Held against float64; log-odds and logarithms of the mean probabilities."""
    ends = np.array([-200.0, -80.0, -30.0, 0.0, 30.0, 80.0], np.float32)[:, None, None]
    for parts in ([ends, ends], [ends, ends[::-1]], [np.tile(ends, 3) * [1, -1, 0.5], np.tile(ends, 3)]):
        parts = [np.asarray(part, np.float32) for part in parts]
        meaning = Outputs(LabelFormat(max(parts[0].shape[-1], 2)))
        found = meaning.average(parts)
        assert found.shape == parts[0].shape and found.dtype == np.float32 and np.isfinite(found).all()
        mean = np.mean([meaning.probabilities(part).astype(float) for part in parts], axis=0)
        np.testing.assert_allclose(meaning.probabilities(found), mean, atol=1e-6)
    average = Outputs(LabelFormat(2)).average
    np.testing.assert_allclose(average([ends, ends])[1:], ends[1:], rtol=1e-5)
    assert average([ends]) is ends


def test_the_file_predicts_what_its_members_predict(tmp_path):
    """The decisions are those of ensemble.json; the members' own are not used."""
    decisions, members = Decisions(threshold=0.3, min_object=4), [member(1), member(2, depth=1, normalise="image")]
    joined(members, decisions=Decisions(threshold=0.9, temperature=3.0))
    paths = [tmp_path / "a.keras", tmp_path / "b.keras"]
    for path in paths:
        write_made(path, members, decisions=decisions)
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == 1
    predictor, image = load_predictor(paths[0]), drawn(members, 24, 40)
    assert predictor.project.decisions == decisions
    expected = mean_of_members(members, image, Decisions())
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-5)
    other = predictor.with_decisions(mirror="horizontal")
    assert other.members[1].graph is predictor.members[1].graph


def test_a_single_model_is_written_as_before(tmp_path):
    """Read and written again, a file keeps its bytes; its project.json names no ensemble."""
    paths, made = [tmp_path / "a.keras", tmp_path / "b.keras"], member(1)
    write_model(paths[0], made.model, made.project)
    write_model(paths[1], *read_model(paths[0]))
    assert paths[0].read_bytes() == paths[1].read_bytes() and b"ensemble" not in paths[0].read_bytes()


def test_onnx_holds_the_whole_ensemble(tmp_path):
    decisions, path, kind = Decisions(mirror="horizontal", temperature=0.7), tmp_path / "ensemble.onnx", FORMATS["onnx"]
    members = [member(1, 3, 3, depth=1, normalise="image"), member(2, 3, 3, mean=[6.0] * 3)]
    kind.write(Export.of(joined(members, decisions=decisions)), path)
    run, told = kind.run(path), kind.metadata(path)
    for size in ((37, 53), (3, 40)):
        image = drawn(members, *size)
        np.testing.assert_allclose(run(image[None])[0], mean_of_members(members, image, decisions), atol=2e-5)
    assert [one["depth"] for one in told["members"]] == [1, 2] and told["temperature"] == 0.7
    assert not {"mean", "std", "normalise", "encoder", "depth"} & told.keys()


def test_exports_are_compared_with_the_whole_ensemble(tmp_path):
    store = prepared(write_data_set(tmp_path / "set", 2), tmp_path)
    members = [member(seed, 2, 3, depth=1) for seed in (1, 2)]
    predictor = joined(members, classes=store.dataset.names)
    write_made(tmp_path / "ensemble.keras", members)
    report = write_exports(tmp_path / "ensemble.keras", [], tmp_path / "out", Subset.ungrouped(store, [0, 1]))
    counts = [confusion_matrix(store.mask(place), predictor(store.image(place)), 2) for place in (0, 1)]
    dice_of_cell = dice(pixel_counts(np.stack(counts), LabelFormat(2)))[:, 1]
    assert not report.problems and report.agreements[0].dice == pytest.approx(dice_of_cell.mean())
