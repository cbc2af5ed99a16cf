"""Models of overlapping classes in files: hostile archives, ensembles, exports, and refusals of mixed kinds."""

import json
import zipfile

import keras
import numpy as np
import pytest
from scipy.special import expit, logit

from src.archive.ensemble import read_archive
from src.archive.members import ENSEMBLE, PROJECT
from src.archive.project import Decisions
from src.archive.validate_archive import validate_archive
from src.data.store.subsets import Subset
from src.errors import UserError
from src.model.ensemble.sources import Source, require_one_ensemble
from src.model.export.agreement import AgreementCheck
from src.model.export.exported_model import Export, describe_export
from src.model.inference.member import Member
from src.model.inference.predictor import Predictor, load_predictor
from src.model.network.model_file import write_model
from src.model.network.unet import build_unet
from src.params import PlannedModel
from src.report.text.ensemble import ensemble_text
from tests.conftest import prepared
from tests.made_ensemble import write_made
from tests.overlapping import NAMES, write_overlapping
from tests.test_predictor import project

KIND = {"overlap": True, "classes": list(NAMES), "background": None, "mean": [10.0] * 3, "std": [4.0] * 3}
IMAGE = np.random.default_rng(1).integers(0, 256, (37, 53, 3), np.uint8)


def network(seed, outputs=2):
    """A small network whose moving statistics and logits depend on the seed."""
    keras.utils.set_random_seed(seed)
    model = build_unet(PlannedModel(filters=2, depth=1), 3, outputs)
    model(np.random.default_rng(seed).normal(size=(2, 32, 32, 3)), training=True)
    return model


def member(seed, **changes):
    return Member(network(seed), project(**(KIND | {"depth": 1} | changes)))


@pytest.fixture(scope="module")
def single():
    return member(0, decisions=Decisions(temperature=1.7, thresholds=[0.2, 0.6]))


@pytest.fixture(scope="module")
def archive(single, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "unet.keras"
    write_model(path, single.model, single.project)
    return path


@pytest.fixture
def hostile(archive, tmp_path):
    """Writes the archive with changes of its project.json."""

    def write(**changes):
        path = tmp_path / "hostile.keras"
        with zipfile.ZipFile(archive) as honest, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for name in honest.namelist():
                content = honest.read(name)
                if name == PROJECT:
                    content = json.dumps(json.loads(content) | changes).encode()
                file.writestr(name, content)
        return path

    return write


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": [f"c{number}" for number in range(8)], "decisions": {}}, "at most 7 are possible, 8 given"),
        ({"classes": ["../../etc", "cell"]}, r"rename '\.\./\.\./etc'"),
        ({"classes": ["a/b", ".."]}, r"rename 'a/b', '\.\.'"),
        ({"classes": ["Cell", "cell"]}, "capital letters"),
        ({"classes": ["background", "cell"]}, "a pixel of no class is the background"),
        ({"background": 0}, "overlapping classes have none"),
        ({"values": [0, 255]}, "numbered from 0"),
        ({"decisions": {"thresholds": [0.5]}}, "decisions.thresholds: 1 for 2 classes"),
        ({"decisions": {"thresholds": [0.5, 1.0]}}, "decisions.thresholds"),
        ({"decisions": {"thresholds": [0.5, "NaN"]}}, "decisions.thresholds"),
        ({"overlap": False}, "decisions.thresholds: overlap is not true"),
        ({"overlap": False, "decisions": {}}, "outputs: 1, the network has 2"),
        ({"overlap": "perhaps"}, "overlap"),
    ],
)
def test_files_that_contradict_themselves_are_refused(hostile, changes, words):
    with pytest.raises(UserError, match=rf"(?s)hostile\.keras: not a model of this project: .*{words}"):
        validate_archive(hostile(**changes))


def test_a_file_predicts_as_before_it_was_written(single, archive):
    before, after = Predictor(single.model, single.project), load_predictor(archive)
    np.testing.assert_array_equal(after(IMAGE), before(IMAGE))
    probabilities = before.probabilities(IMAGE)
    np.testing.assert_allclose(probabilities, expit(before.logits(IMAGE) / 1.7), rtol=1e-5)
    assert ((before(IMAGE) & 1) == (probabilities[..., 0] > 0.2)).all()
    assert ((before(IMAGE) >> 1) == (probabilities[..., 1] > 0.6)).all()


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_an_ensemble_averages_the_probability_of_each_class(tmp_path, temperature):
    members = [member(seed) for seed in (1, 2)]
    decisions = Decisions(temperature=temperature, thresholds=[0.4, 0.6])
    write_made(tmp_path / "ensemble.keras", members, decisions=decisions)
    predictor = load_predictor(tmp_path / "ensemble.keras")
    mean = np.mean([Predictor(one.model, one.project).probabilities(IMAGE) for one in members], axis=0)
    wanted = expit(logit(mean.astype(float)) / temperature)
    np.testing.assert_allclose(predictor.probabilities(IMAGE), wanted, atol=1e-5)
    run = Export.of(predictor).function
    np.testing.assert_allclose(run(IMAGE[None])["probabilities"][0], wanted, atol=1e-5)
    found = read_archive(tmp_path / "ensemble.keras")
    text = ensemble_text("x.keras", found.ensemble, [one.project for one in found.archives])
    assert "threshold of disc 0.4, threshold of stripe 0.6" in text


def test_an_ensemble_whose_thresholds_do_not_fit_its_classes_is_refused(tmp_path):
    write_made(tmp_path / "ensemble.keras", [member(1), member(2)], decisions=Decisions(thresholds=[0.4, 0.6, 0.5]))
    with pytest.raises(UserError, match=rf"(?s){ENSEMBLE}: .*decisions\.thresholds: 3 for 2 classes"):
        read_archive(tmp_path / "ensemble.keras")


def test_models_of_both_kinds_do_not_join(archive, tmp_path):
    other = tmp_path / "other.keras"
    told = project(**(KIND | {"overlap": False, "depth": 1}))
    write_model(other, network(5, 1), told)
    sources = [Source(path.name, path, validate_archive(path).project, None) for path in (archive, other)]
    with pytest.raises(UserError, match=r"do not fit together\n.*other.keras: overlap False; unet.keras: True"):
        require_one_ensemble(sources)


@pytest.mark.parametrize("side", [0, 32])
def test_the_metadata_describe_each_class_as_a_decision_of_its_own(single, side):
    decisions = single.project.decisions.model_copy(update={"min_object": 9, "fill_holes": 4})
    told = single.project.model_copy(update={"shorter_side": side, "decisions": decisions})
    about = describe_export(Predictor(single.model, told))
    assert about["output"]["meaning"].endswith("; classes overlap, so the probabilities are independent of each other")
    *_, levels, objects, holes = about["left_to_do"]
    assert levels == "take every class where its probability is above its threshold (disc: 0.2, stripe: 0.6)"
    assert objects.startswith("in the mask of each class by itself, give connected pixels of a class, if fewer than 9")
    assert holes.startswith("in the mask of each class by itself, give holes of fewer than 4 pixels")
    assert about["thresholds"] == [0.2, 0.6] and about["overlap"]
    steps = " ".join(about["left_to_do"])
    assert ("divide log(p / (1 - p)) of each probability p by 1.7 and take the sigmoid" in steps) == bool(side)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return prepared(write_overlapping(folder / "set", 3), folder)


def test_changed_labels_are_counted_with_the_threshold_of_each_class(single, store, tmp_path):
    check = AgreementCheck(Predictor(single.model, single.project), Subset.ungrouped(store, [0]), tmp_path)
    found = check._classes(np.array([[[0.3, 0.5], [0.1, 0.7], [0.3, 0.7], [0.1, 0.5]]], np.float32))
    np.testing.assert_array_equal(found, [[1, 2, 3, 0]])


def test_images_of_the_other_kind_are_not_compared(single, store, tmp_path):
    told = single.project.model_copy(update={"overlap": False, "decisions": Decisions()})
    message = r"has the classes disc, stripe \(overlapping\), the model disc, stripe: run"
    with pytest.raises(UserError, match=message):
        AgreementCheck(Predictor(network(0, 1), told), Subset.ungrouped(store, [0]), tmp_path)
