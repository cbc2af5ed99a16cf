"""A training on overlapping classes: it learns both, decides for each class, and its file predicts sets of classes."""

import json
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from src.archive.project import Decisions, Project
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import confusion_matrix, dice, mean_over_classes, pixel_counts
from src.model.decisions.fit_decisions import fit_decisions
from src.model.inference.member import Member
from src.model.inference.predictor import Predictor, load_predictor
from src.model.inference.score_subset import score_subset
from src.model.network.model_file import read_model, write_model
from src.model.network.unet import build_unet
from src.model.training.initial_weights import load_initial_weights
from src.model.training.validation import epoch_measures, measure_images
from src.params import Decide, PlannedModel
from src.plan.class_weights import LossWeights
from tests.conftest import prepared
from tests.overlapping import DISC, NAMES, STRIPE, write_overlapping
from tests.small_training import small_params, train_on
from tests.test_overlap_losses import reference

GROUPS = [str(number) for number in range(12)]
LEARNS = {"train.epochs": 3, "train.steps": 150, "data.crop": 32}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlapping")
    return prepared(write_overlapping(folder / "set"), folder)


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """A training that has learned both classes."""
    return train_on(store, tmp_path_factory.mktemp("checkpoints"), small_params(**LEARNS))


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "unet.keras"
    write_model(path, trained.model, trained.project)
    return path


def test_a_training_learns_classes_that_overlap(trained, store):
    assert trained.project.overlap and trained.model.outputs[0].shape[-1] == 2
    predictor = Predictor(trained.model, trained.project)
    results, calibration = score_subset(predictor, Subset.ungrouped(store, range(8, 12)), "test", tolerance=2.0)
    assert (dice(results.pooled) > 0.8).all() and calibration.brier_score() < 0.15
    several = sum(int((predictor(store.image(index)) == 3).sum()) for index in range(8, 12))
    assert several > 100  # pixels that are both a disc and a stripe


def test_the_measures_of_an_epoch_are_those_of_whole_images(trained, store):
    predictor = Predictor(trained.model, trained.project, tile=32)
    loss, tally = measure_images(predictor, store, range(5), LossWeights())
    found, labels = epoch_measures(loss, tally, store.dataset), predictor.outputs.labels
    logits = [predictor.logits(store.image(index)) for index in range(5)]
    flat = np.concatenate([part.reshape(1, -1, 1, 2) for part in logits], axis=1)
    truth = np.concatenate([np.array(store.mask(index)).reshape(1, -1, 1) for index in range(5)], axis=1)
    assert found["loss"] == pytest.approx(reference(flat, truth, LossWeights()), rel=1e-4)
    pairs = zip([store.mask(index) for index in range(5)], map(predictor.outputs.decide, logits), strict=True)
    counts = pixel_counts(np.stack([confusion_matrix(*pair, labels.limit) for pair in pairs]), labels)
    assert found["dice"] == pytest.approx(mean_over_classes(dice(counts), [0, 1]))
    planes = [labels.planes(mask)[truth != 255] for mask in (truth, predictor.outputs.decide(flat))]
    assert found["accuracy"] == pytest.approx((planes[0] == planes[1]).mean())


def test_equal_seeds_give_equal_files(store, tmp_path):
    files = [tmp_path / "0.keras", tmp_path / "1.keras"]
    for path in files:
        training = train_on(store, tmp_path / path.stem, small_params(**{"train.epochs": 1}))
        write_model(path, training.model, training.project)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_file_says_that_classes_overlap_and_predicts_the_same(trained, file, store):
    assert json.loads(ZipFile(file).read("project.json"))["overlap"] is True
    predictor, image = load_predictor(file), store.image(3)
    assert predictor.project == trained.project and predictor.outputs.labels.limit == 4
    expected = Predictor(trained.model, trained.project).probabilities(image)
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=2e-2)  # it may compute in bfloat16


def test_files_of_classes_that_do_not_overlap_keep_their_content():
    """project.json has no keys that earlier versions would refuse."""
    content = {"classes": ["a", "b"], "background": 0, "colors": {}, "mean": [0.0], "std": [1.0], "depth": 2}
    project = Project.model_validate(content | {"normalise": "dataset", "dtype": "uint8", "shorter_side": 0})
    dumped = project.model_dump()
    assert "overlap" not in dumped and "thresholds" not in dumped["decisions"]


def test_the_output_layer_starts_anew_if_the_earlier_classes_did_not_overlap(file, store):
    keras.utils.set_random_seed(1)
    size, exclusive = PlannedModel(filters=4, depth=2), store.dataset.model_copy(update={"overlap": False})
    for dataset, new in ((store.dataset, 0), (exclusive, 2)):
        _, names = load_initial_weights(build_unet(size, 3, 2), file, dataset)
        assert len(names) == new


class Made(Member):
    """A network whose logits follow the two channels that hold the classes."""

    def __init__(self, model, project, offsets):
        super().__init__(model, project)
        self.offsets = np.array(offsets, np.float32)

    def padded(self, pixels, normalisation, mirrored):
        return (pixels[..., :2].astype(np.float32) - 85) / 6 + self.offsets


def made(trained, offsets):
    return Predictor.of_members([Made(trained.model, trained.project, offsets)])


def decided(trained, store, offsets, **tried):
    wanted = Decide.model_validate(dict.fromkeys(Decide.model_fields, False) | tried)
    return fit_decisions(made(trained, offsets), Subset(store, range(12), GROUPS), wanted, seed=0)


def test_a_class_whose_threshold_is_off_gets_its_own_and_the_other_keeps_its_default(trained, store):
    predictor, verdicts = decided(trained, store, [0.0, -3.0], threshold=True)
    disc, stripe = predictor.project.decisions.thresholds
    assert disc == 0.5 and 0.01 < stripe < 0.2
    assert len(verdicts) == 2 and verdicts[f"threshold of {NAMES[STRIPE]}"].selection.low > 0
    image = store.image(0)
    chances, labels = predictor.probabilities(image), predictor.outputs.labels
    for label, level in ((DISC, disc), (STRIPE, stripe)):
        np.testing.assert_array_equal(labels.of_class(predictor(image), label), chances[..., label] > level)


def test_good_thresholds_stay_and_the_temperature_is_one_for_all_classes(trained, store):
    predictor, _ = decided(trained, store, [0.0, 0.0], threshold=True, temperature=True)
    decisions = predictor.project.decisions
    assert decisions.thresholds == [] and decisions.threshold == 0.5
    assert decisions == Decisions(temperature=decisions.temperature)


def test_specks_are_removed_from_each_class(trained, store):
    """Both sizes are tried, also that of holes, which needs no background class here."""
    _, verdicts = decided(trained, store, [0.0, 0.0], min_object=True, fill_holes=True)
    assert set(verdicts) == {"min_object", "fill_holes"}
    plain, image = made(trained, [-6.0, -6.0]), store.image(0)  # noise makes specks and holes
    before, after = plain(image), plain.with_decisions(min_object=16, fill_holes=16)(image)
    labels = plain.outputs.labels
    for label in (DISC, STRIPE):
        truth = labels.of_class(store.mask(0), label)
        wrong = [(labels.of_class(mask, label) != truth).sum() for mask in (before, after)]
        assert wrong[1] < 0.7 * wrong[0]


def test_a_read_model_has_one_logit_for_each_class(file):
    model, project = read_model(file)
    assert project.outputs == model.outputs[0].shape[-1] == 2
