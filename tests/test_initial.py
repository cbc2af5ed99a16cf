"""Fine-tuning: the weights that a training takes from an earlier model, refused files, and the gain."""

import json
import re
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from src.archive.members import PROJECT
from src.data.store.subsets import Subset
from src.errors import UserError
from src.files import write_yaml
from src.model.network.model_file import read_model, write_model
from src.model.training.setup import prepare_training
from src.plan.initial import Initial, initial_network
from src.plan.plan import OF_INITIAL
from tests.conftest import planned, prepared, write_data_set
from tests.small_training import small_params
from tests.test_train import float32, train_small  # noqa: F401

NAME = "models/initial/earlier.keras"
INITIAL = {"train.initial": NAME}


def subsets(store):
    """The training and the validation images."""
    return Subset.ungrouped(store, range(8)), Subset.ungrouped(store, range(8, 12))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A store of three classes, a small training on it, and its model file."""
    folder = tmp_path_factory.mktemp("earlier")
    store = prepared(write_data_set(folder / "set", classes=3), folder)
    training = train_small(store, **{"train.epochs": 8})
    training.checkpoint.discard()
    write_model(folder / "unet.keras", training.model, training.project)
    return SimpleNamespace(store=store, training=training, path=folder / "unet.keras")


@pytest.fixture
def initial(earlier, tmp_path, monkeypatch):
    """The model file at `NAME` in a new project folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / NAME
    path.parent.mkdir(parents=True)
    shutil.copy(earlier.path, path)
    return path


def plan_of(store, **changes):
    return planned(small_params(**changes), *subsets(store))


def begun(store, folder, **changes):
    """Prepare a training, without any step."""
    chosen = small_params(**changes)
    plan = planned(chosen, *subsets(store))
    return prepare_training(*subsets(store), plan, seed=chosen.seed, checkpoints=folder)[0]


def weights_of(training):
    return {weight.path: weight.numpy() for weight in training.model.weights}


def test_fine_tuning_starts_from_the_weights_of_the_earlier_model(earlier, initial, tmp_path, capsys):
    weights, expected = weights_of(begun(earlier.store, tmp_path, **INITIAL)), weights_of(earlier.training)
    assert weights.keys() == expected.keys()
    for path, weight in weights.items():  # moving statistics too
        np.testing.assert_array_equal(weight, expected[path], err_msg=path)
    assert f"{len(weights)} of {len(weights)} weights from {NAME}\n" in capsys.readouterr().out
    drawn = weights_of(begun(earlier.store, tmp_path))
    assert sum(np.array_equal(drawn[path], expected[path]) for path in drawn) == 0


@pytest.mark.parametrize(
    ("classes", "channels", "new"),
    [
        (4, 0, ["logits_conv/kernel", "logits_conv/bias"]),
        (2, 0, ["logits_conv/kernel", "logits_conv/bias"]),
        (3, 1, ["down0_conv_a/kernel"]),
        (2, 1, ["down0_conv_a/kernel", "logits_conv/kernel", "logits_conv/bias"]),
    ],
)
def test_only_the_end_layers_are_new_for_other_channels_or_classes(
    earlier, initial, tmp_path, capsys, classes, channels, new
):
    store = prepared(write_data_set(tmp_path / "set", classes=classes), tmp_path, channels=channels)
    drawn, expected = weights_of(begun(store, tmp_path)), weights_of(earlier.training)
    capsys.readouterr()
    for path, weight in weights_of(begun(store, tmp_path, **INITIAL)).items():
        np.testing.assert_array_equal(weight, drawn[path] if path in new else expected[path], err_msg=path)
    taken = f"{len(expected) - len(new)} of {len(expected)} weights from {NAME}"
    assert f"{taken}; random, because channels or classes differ: {', '.join(new)}\n" in capsys.readouterr().out


def test_a_different_order_of_classes_gives_new_weights_to_the_last_layer(earlier, initial, tmp_path, capsys):
    names = {0: "class_1", 1: "class_0", 2: "class_2"}
    source = write_data_set(tmp_path / "set", classes=3)
    write_yaml(source / "dataset.yaml", {"classes": names})
    assert sorted(names.values()) == sorted(earlier.training.project.classes)
    begun(prepared(source, tmp_path), tmp_path, **INITIAL)
    assert "differ: logits_conv/kernel, logits_conv/bias\n" in capsys.readouterr().out


def test_fine_tuning_takes_filters_and_depth_from_the_earlier_model(earlier, initial):
    plan = plan_of(earlier.store, **INITIAL, **{"model.filters": "auto", "model.depth": "auto"})
    assert (plan.model.filters, plan.model.depth) == (4, 2)
    assert plan.choices["model.filters"].why == plan.choices["model.depth"].why == OF_INITIAL
    assert initial_network(NAME) == Initial(plan.model, 0) and initial_network("none") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.filters": 8}, ["model.filters (8; it has 4)"]),
        ({"model.depth": 3}, ["model.depth (3; it has 2)"]),
        ({"model.filters": 8, "model.depth": 3}, ["model.filters (8; it has 4)", "model.depth (3; it has 2)"]),
    ],
)
def test_an_initial_model_of_another_size_is_refused(earlier, initial, changes, words):
    with pytest.raises(UserError, match=r"^train\.initial: .* set to auto ") as error:
        plan_of(earlier.store, **INITIAL, **changes)
    assert [word for word in words if word in str(error.value)] == words
    assert str(error.value).count("it has") == len(words)


def rewritten(path, change):
    """Rewrite a model file; change(name, content) returns a member's new content, or None to leave it out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def without_plan(name, content):
    return json.dumps({**json.loads(content), "plan": {}}) if name == PROJECT else content


def with_other_filters(name, content):
    return content.replace(b'"value": 4', b'"value": "four"') if name == PROJECT else content


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "no such file; copy a models/unet.keras there"),
        (lambda path: path.write_text("no archive"), "not a model of this project: File is not a zip file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "not a model of this project: "),
        (lambda path: (path.unlink(), path.mkdir()), "not a model of this project: it is not a regular file"),
        (lambda path: rewritten(path, lambda *_: None), "not a model of this project: .*project.json: missing"),
        (
            lambda path: rewritten(path, without_plan),
            "not a model of this project: it was saved before",
        ),
        (lambda path: rewritten(path, with_other_filters), "not a model of this project: .*filters"),
    ],
)
def test_other_files_are_refused(earlier, initial, spoil, words):
    spoil(initial)
    with pytest.raises(UserError, match=rf"(?s)^train\.initial: {re.escape(NAME)}: {words}"):
        plan_of(earlier.store, **INITIAL)


@pytest.mark.parametrize(
    "change",
    [
        lambda name, content: None if name == "model.weights.h5" else content,
        lambda name, content: content[:1000] if name == "model.weights.h5" else content,
        lambda name, content: b"{}" if name == "config.json" else content,
    ],
)
def test_an_initial_model_without_weights_is_refused(earlier, initial, tmp_path, change):
    rewritten(initial, change)
    with pytest.raises(UserError, match=rf"^train\.initial: {re.escape(NAME)}: not a model of this project"):
        begun(earlier.store, tmp_path, **INITIAL)


def test_the_checkpoint_key_depends_on_the_earlier_model(earlier, initial, tmp_path):
    def key(**changes):
        return begun(earlier.store, tmp_path, **changes).checkpoint.folder.name

    first = key(**INITIAL)
    assert key(**INITIAL) == first != key()
    network, project = read_model(initial)
    network.weights[0].assign(network.weights[0] + 1)
    write_model(initial, network, project)
    assert key(**INITIAL) != first


def test_fine_tuning_starts_with_a_lower_loss_than_random_weights(earlier, initial):
    found = {}
    for name in (NAME, "none"):
        training = train_small(earlier.store, **{"train.initial": name, "train.epochs": 2})
        training.checkpoint.discard()
        found[name] = training.history[0]
        assert (training.project.plan["model.filters"].why == OF_INITIAL) == (name == NAME)
    for measure in ("loss", "val_loss"):
        assert found[NAME][measure] < 0.8 * found["none"][measure]


@pytest.mark.parametrize("batch", [4, 8, 32])
def test_fine_tuning_uses_a_quarter_of_the_learning_rate(earlier, initial, batch):
    rates = [
        plan_of(earlier.store, **changes, **{"train.lr": "auto", "train.batch": batch}).train.lr
        for changes in ({}, INITIAL)
    ]
    assert rates[1] == pytest.approx(rates[0] / 4, rel=0.05)  # both are of two digits
    assert plan_of(earlier.store, **INITIAL, **{"train.lr": 0.01}).train.lr == 0.01
