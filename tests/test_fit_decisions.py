"""Decisions change their defaults if, and only if, validation images gain from it."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit

from src.archive.project import Decisions
from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import confusion_matrix, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.metrics.remove_small_components import remove_small_components
from src.model.decisions.fit_decisions import fit_decisions
from src.model.decisions.postprocess_search import LOGIT_THRESHOLDS, TEMPERATURES, counts_at, usable_thresholds
from src.model.inference.member import Member
from src.model.inference.predictor import Predictor
from src.model.network.model_file import read_model, write_model
from src.model.network.unet import build_unet
from src.params import Decide, PlannedModel
from tests.conftest import prepared, write_data_set
from tests.test_predictor import project

EVERYTHING = {name: True for name in Decide.model_fields}
WAYS = {"none": [()], "horizontal": [(), (1,)], "vertical": [(), (0,)], "both": [(), (0,), (1,), (0, 1)]}  # axes
LEVEL, SLOPE = 80, 1.67  # where tests/conftest.py's discs begin, and the logit for each grey value beyond it


class Made(Member):
    """A network whose logits are a function of the image, so that the best decisions are known."""

    def __init__(self, model, project, logits):
        super().__init__(model, project)
        self.made = logits

    def padded(self, pixels, normalisation, mirrored):
        grey = pixels.astype(np.float32).mean(axis=2)
        ways = [(), *(tuple(axis - 1 for axis in axes) for axes in mirrored)]  # without the axis of the batch
        return np.mean([np.flip(self.made(np.flip(grey, axes)), axes) for axes in ways], axis=0, dtype=np.float32)[
            ..., None
        ]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decide")
    return prepared(write_data_set(folder / "set", count=24), folder)


def made(logits):
    """A predictor of two classes with these logits."""
    model = build_unet(PlannedModel(filters=2, depth=2), 3, 1)
    return Predictor.of_members([Made(model, project(mean=[0.0] * 3, std=[1.0] * 3), logits)])


def decided(store, logits, capsys=None, groups=None, **tried):
    """The predictor and the verdicts for a network with these logits."""
    network = made(logits)
    names = groups or [str(number) for number in range(24)]
    wanted = Decide.model_validate(dict.fromkeys(EVERYTHING, False) | tried)
    predictor, verdicts = fit_decisions(network, Subset(store, range(24), names), wanted, seed=0)
    return predictor, verdicts


def specks(grey, share=0.01):
    """Make single pixels look like the other class, at random places that depend on the image."""
    rng = np.random.default_rng(int(grey.sum()))
    return np.where(rng.random(grey.shape) < share, 160 - grey, grey)


def test_decisions_keep_their_defaults_for_a_good_network(store):
    predictor, verdicts = decided(store, lambda grey: SLOPE * (grey - LEVEL), **EVERYTHING)
    assert predictor.project.decisions == Decisions(mirror="both") and predictor.changed_decisions == {"mirror": 1.0}
    assert set(verdicts) == set(EVERYTHING) and all(verdict.selection.low <= 0 for verdict in verdicts.values())


def test_an_overconfident_network_gets_its_temperature(store):
    def noisy(grey):
        rng = np.random.default_rng(int(grey.sum()))
        return 4 * (SLOPE / 40 * (grey - LEVEL) + rng.normal(0, 1.5, grey.shape))

    predictor, verdicts = decided(store, noisy, temperature=True)
    assert predictor.changed_decisions == {"temperature": verdicts["temperature"].value}
    assert 2 < predictor.changed_decisions["temperature"] < 6 and verdicts["temperature"].selection.gain > 0


def test_a_biased_network_gets_its_threshold(store):
    def biased(grey):
        return 0.1 * (specks(grey, 0.3) - LEVEL) - 3

    predictor, verdicts = decided(store, biased, threshold=True, temperature=True)
    assert predictor.project.decisions.threshold < 0.4 and verdicts["threshold"].selection.gain > 0
    image = store.image(0)
    grey = image.astype(np.float32).mean(axis=2)
    chances = expit(biased(grey) / predictor.project.decisions.temperature)
    found = predictor(image)
    assert np.mean(found == (chances > predictor.project.decisions.threshold)) > 0.999


def test_usable_thresholds_are_probabilities_from_1_to_99_percent_at_every_temperature():
    """At temperature 1/8 the highest threshold would round to 1, which no logit exceeds."""
    for temperature in TEMPERATURES:
        kept, levels = usable_thresholds(temperature)
        assert levels[0] > 0.01 - 1e-6 and levels[-1] < 0.99 + 1e-6 and levels[len(levels) // 2] == 0.5
        thresholds = temperature * np.log(np.array(levels) / (1 - np.array(levels)))
        np.testing.assert_allclose(thresholds, LOGIT_THRESHOLDS[kept], atol=1e-6)


def test_small_components_and_holes_are_removed_if_validation_gains(store):
    predictor, verdicts = decided(store, lambda grey: SLOPE * (specks(grey) - LEVEL), min_object=True, fill_holes=True)
    kept = predictor.project.decisions
    assert kept.min_object >= 4 and kept.fill_holes >= 4
    assert verdicts["min_object"].selection.gain > 0 and verdicts["fill_holes"].selection.gain > 0
    image = store.image(3)
    plain = predictor.with_default_decisions()(image)
    cleared = remove_small_components(
        remove_small_components(plain, [1], kept.min_object), [0], kept.fill_holes, inside=True
    )
    np.testing.assert_array_equal(predictor(image), cleared)
    assert (plain != cleared).any()


def test_too_few_groups_decide_nothing(store, capsys):
    groups = [str(number % 4) for number in range(24)]
    for mirror in (True, False):
        tried = EVERYTHING | {"mirror": mirror}
        predictor, verdicts = decided(store, lambda grey: SLOPE * (specks(grey) - LEVEL), groups=groups, **tried)
        assert predictor.changed_decisions == ({"mirror": 1.0} if mirror else {}) and verdicts == {}
        assert ("mirrored copies are averaged (both); other decisions skipped" in capsys.readouterr().out) == mirror


def test_mirroring_is_switched_off_for_a_network_that_depends_on_orientation(store):
    """Its logits are right only for upright images, which grow brighter downwards."""

    def upright(grey):
        rows = np.arange(len(grey)) > len(grey) / 2
        return np.where(rows[:, None], 1, -1) * 3.0 + 0.05 * (grey - LEVEL)

    class Rows:
        """The store with other masks: the lower half is foreground."""

        def __getattr__(self, name):
            return getattr(store, name)

        def mask(self, index):
            mask = np.zeros_like(store.mask(index))
            mask[len(mask) // 2 + 1 :] = 1
            return mask

    predictor, verdicts = decided(Rows(), upright, mirror=True)
    assert predictor.changed_decisions == {} and verdicts["mirror"].value == 0 and verdicts["mirror"].selection.high < 0


def test_decisions_that_are_switched_off_are_not_tried(store):
    predictor, verdicts = decided(store, lambda grey: SLOPE * (specks(grey) - LEVEL))
    assert predictor.changed_decisions == {} and verdicts == {}


def test_mirroring_is_not_used_if_training_did_not_flip(store):
    network = made(lambda grey: grey)
    tried = Decide.model_validate(dict.fromkeys(EVERYTHING, False) | {"mirror": True})
    for groups in ("abcdefghijklmnopqrstuvwx", "abcd" * 6):
        predictor, verdicts = fit_decisions(network, Subset(store, range(24), groups), tried, seed=0, flip="none")
        assert predictor.changed_decisions == {} and verdicts == {}


def test_verdicts_are_printed_and_returned_as_numbers(store, capsys):
    _, verdicts = decided(store, lambda grey: SLOPE * (specks(grey) - LEVEL), min_object=True)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("min_object"))
    assert line.startswith(f"min_object: changed to {verdicts['min_object'].value}; Dice +0.")
    assert list(verdicts["min_object"].numbers()) == ["value", "gain", "low", "high"]


@pytest.mark.parametrize("outputs", [1, 3])
def test_counts_at_every_threshold_equal_one_by_one_counting(outputs):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20, 30, outputs)).astype(np.float32)
    classes = max(outputs, 2)
    truth = rng.integers(0, classes, (20, 30)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.2] = IGNORE
    thresholds = LOGIT_THRESHOLDS if outputs == 1 else LOGIT_THRESHOLDS[:1]
    meaning = Outputs(LabelFormat(classes))
    matrices = [confusion_matrix(truth, meaning.decide(logits, [level]), classes) for level in thresholds]
    expected = pixel_counts(np.stack(matrices), meaning.labels)
    np.testing.assert_array_equal(counts_at(thresholds, logits, truth, meaning), expected)


def test_the_model_file_keeps_the_decisions(tmp_path):
    model = build_unet(PlannedModel(filters=2, depth=2), 1, 1)
    decisions = Decisions(mirror="horizontal", temperature=1.5, threshold=0.4, min_object=8, fill_holes=16)
    write_model(tmp_path / "unet.keras", model, project(decisions=decisions))
    assert read_model(tmp_path / "unet.keras")[1].decisions == decisions


@pytest.mark.parametrize("mirror", ["horizontal", "vertical", "both"])
def test_mirrored_logits_are_the_mean_over_the_image_and_its_mirror_images(mirror):
    model = build_unet(PlannedModel(filters=4, depth=2), 1, 1)
    plain, mirrored = Predictor(model, project()), Predictor(model, project(decisions=Decisions(mirror=mirror)))
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 1), dtype=np.uint8)  # no padding: flips commute with it
    mean = np.mean([np.flip(plain.logits(np.flip(image, axes).copy()), axes) for axes in WAYS[mirror]], axis=0)
    np.testing.assert_allclose(mirrored.logits(image), mean, atol=1e-5)
    assert np.abs(mirrored.logits(image) - plain.logits(image)).max() > 1e-4


def test_mirroring_follows_the_directions_of_training(store):
    network = made(lambda grey: SLOPE * (grey - LEVEL))
    tried = Decide.model_validate(dict.fromkeys(EVERYTHING, False) | {"mirror": True})
    for flip in ("horizontal", "vertical", "both"):
        groups = [str(number) for number in range(24)]
        predictor, verdicts = fit_decisions(network, Subset(store, range(24), groups), tried, seed=0, flip=flip)
        assert predictor.project.decisions.mirror == flip and predictor.changed_decisions == {"mirror": 1.0}
        assert verdicts["mirror"].value == 1
        few = [str(number % 4) for number in range(24)]
        predictor, _ = fit_decisions(network, Subset(store, range(24), few), tried, seed=0, flip=flip)
        assert predictor.project.decisions.mirror == flip


@pytest.mark.parametrize(("stored", "mirror"), [(True, "both"), (False, "none"), ("vertical", "vertical")])
def test_earlier_model_files_averaged_all_mirror_images_or_none(stored, mirror):
    assert Decisions.model_validate({"mirror": stored}).mirror == mirror
    assert Decisions.model_validate_json(json.dumps({"mirror": stored})).mirror == mirror


@pytest.mark.parametrize("stored", [1, 0, None, "yes", "auto", ["both"]])
def test_other_values_of_mirror_are_refused(stored):
    with pytest.raises(ValidationError, match="mirror"):
        Decisions.model_validate({"mirror": stored})
