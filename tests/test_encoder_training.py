"""Training with a pretrained encoder: initial weights, equal bytes, interruption, fine-tuning and several devices."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from src.errors import UserError
from src.model.network.model_file import write_model
from src.plan.initial import initial_network
from src.plan.plan import OF_INITIAL
from tests.conftest import prepared, write_data_set
from tests.drawn_weights import write_drawn_weights
from tests.small_training import small_params
from tests.test_initial import INITIAL as FROM_EARLIER
from tests.test_initial import NAME, begun, plan_of, weights_of
from tests.test_resume import interrupted, kill  # noqa: F401
from tests.test_train import float32, train_small  # noqa: F401
from tests.test_workers import finished, start

LITE0 = {"model.encoder": "efficientnet_lite0", "train.epochs": 2, "train.steps": 4}
DEEP = LITE0 | {"model.depth": 3, "data.crop": 32}  # with kernels of 5 × 5, whose gradient is this project's own
MOBILENET = LITE0 | {"model.encoder": "mobilenet_v2", "model.weights": "models/initial/mine.h5"}
UNTRAINED = {"model.weights": "none"}
BOTH = pytest.mark.parametrize("settings", [DEEP, MOBILENET], ids=["efficientnet_lite0", "mobilenet_v2"])


@pytest.fixture
def project_folder(tmp_path, monkeypatch):
    """An empty project folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@BOTH
def test_training_starts_from_the_weights_of_the_file(store, project_folder, settings, capsys):
    stored = write_drawn_weights(settings)
    found = weights_of(begun(store, project_folder, **settings))
    said = f"{len(stored)} weights of the encoder from {small_params(**settings).model.weights_file}\n"
    assert said in capsys.readouterr().out
    drawn = weights_of(begun(store, project_folder, **settings | UNTRAINED))
    for path, weight in found.items():
        np.testing.assert_array_equal(weight, stored.get(path, drawn[path]), err_msg=path)
        assert path not in stored or not np.array_equal(weight, drawn[path])
    assert stored.keys() < found.keys()


def test_an_encoder_whose_rate_is_zero_keeps_its_weights_and_the_decoder_learns(store, project_folder):
    stored = write_drawn_weights(LITE0)
    before = weights_of(begun(store, project_folder, **LITE0))
    after = weights_of(train_small(store, **LITE0, **{"train.encoder_rate": 0.0}))
    learned = {path for path in after if "moving" not in path and not np.array_equal(after[path], before[path])}
    decoder = {path for path in after if "moving" not in path and path not in stored}
    assert learned == decoder


def test_weights_that_are_drawn_anew_learn_at_the_full_rate(earlier, initial, tmp_path):
    """An encoder with random weights, and the first convolution of one for other channels."""
    store = prepared(write_data_set(tmp_path / "set", classes=2), tmp_path, channels=1)
    slow = begun(store, tmp_path, **FINE_TUNED).adam
    shares = dict(zip([weight.path for weight in slow.weights], slow.shares, strict=True))
    assert shares["stem_conv/kernel"] == shares["up0_conv_a/kernel"] == 1 and shares["stem_norm/gamma"] == 0.1
    assert set(begun(earlier.store, tmp_path, **LITE0, **UNTRAINED).adam.shares) == {1}


@BOTH
def test_a_killed_training_from_pretrained_weights_continues_with_the_same_bits(
    store,
    project_folder,
    interrupted,  # noqa: F811
    settings,
):
    write_drawn_weights(settings)
    reference = train_small(store, **settings)
    reference.checkpoint.discard()
    interrupted(2, kill)
    with pytest.raises(BaseException):  # noqa: B017  stands for SIGKILL
        train_small(store, **settings)
    interrupted(1000, kill)
    training = train_small(store, **settings)
    assert training.timed_steps < 4 and training.to_bytes() == reference.to_bytes()


def test_other_pretrained_weights_ignore_the_checkpoint(store, project_folder):
    keys = []
    for seed in (0, 0, 1):
        write_drawn_weights(LITE0, seed)
        keys.append(begun(store, project_folder, **LITE0).checkpoint.folder.name)
    keys.append(begun(store, project_folder, **LITE0, **UNTRAINED).checkpoint.folder.name)
    assert keys[0] == keys[1] and len(set(keys)) == 3


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A store of three classes, a training of an encoder on it, and its model file."""
    folder = tmp_path_factory.mktemp("earlier")
    store = prepared(write_data_set(folder / "set", classes=3), folder)
    training = train_small(store, **LITE0, **UNTRAINED, **{"data.normalise": "encoder"})
    write_model(folder / "unet.keras", training.model, training.project)
    return SimpleNamespace(store=store, training=training, path=folder / "unet.keras")


@pytest.fixture
def initial(earlier, project_folder):
    """The model file at `NAME` in a project folder without other weights."""
    (project_folder / NAME).parent.mkdir(parents=True)
    return shutil.copy(earlier.path, project_folder / NAME)


AUTO = {"model.filters": "auto", "model.depth": "auto", "data.normalise": "auto"}
FINE_TUNED = LITE0 | FROM_EARLIER | AUTO


def test_fine_tuning_takes_encoder_and_decoder_from_the_earlier_model(earlier, initial, tmp_path, capsys):
    """model.weights is imagenet here, and there is no such file: it is not used."""
    training = begun(earlier.store, tmp_path, **FINE_TUNED)
    found, expected = weights_of(training), weights_of(earlier.training)
    assert found.keys() == expected.keys()
    for path, weight in found.items():
        np.testing.assert_array_equal(weight, expected[path], err_msg=path)
    printed = capsys.readouterr().out
    assert f"{len(found)} of {len(found)} weights from {NAME}\n" in printed and "of the encoder from" not in printed
    drawn = weights_of(begun(earlier.store, tmp_path, **LITE0, **UNTRAINED))
    assert not [path for path in found if "moving" in path and np.array_equal(found[path], drawn[path])]


def test_fine_tuning_takes_size_and_scaling_from_the_earlier_model(earlier, initial):
    plan = plan_of(earlier.store, **FINE_TUNED)
    assert (plan.model.encoder, plan.model.filters, plan.model.depth) == ("efficientnet_lite0", 4, 2)
    assert plan.choices["model.filters"].why == plan.choices["model.depth"].why == OF_INITIAL
    assert plan.data.normalise == "encoder" and initial_network(NAME).encoder_scaling


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.encoder": "mobilenet_v2"}, "that network has another encoder: set model.encoder: efficientnet_lite0"),
        ({"model.encoder": "plain"}, "that network has another encoder: set model.encoder: efficientnet_lite0"),
        ({"model.depth": 3}, r"not the network that is asked for: set to auto model\.depth \(3; it has 2\)"),
    ],
)
def test_an_initial_model_with_another_encoder_or_depth_is_refused(earlier, initial, changes, words):
    with pytest.raises(UserError, match=rf"^train\.initial: {words}$"):
        plan_of(earlier.store, **FINE_TUNED | changes)


def test_only_layers_that_see_image_or_classes_are_new_for_other_channels_and_classes(
    earlier, initial, tmp_path, capsys
):
    """The decoder's last block sees the image itself beside the features."""
    store = prepared(write_data_set(tmp_path / "set", classes=2), tmp_path, channels=1)
    new = ["stem_conv/kernel", "up0_conv_a/kernel", "logits_conv/kernel", "logits_conv/bias"]
    drawn, expected = weights_of(begun(store, tmp_path, **LITE0, **UNTRAINED)), weights_of(earlier.training)
    capsys.readouterr()
    for path, weight in weights_of(begun(store, tmp_path, **FINE_TUNED)).items():
        np.testing.assert_array_equal(weight, drawn[path] if path in new else expected[path], err_msg=path)
    assert f"random, because channels or classes differ: {', '.join(new)}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_two_devices_give_an_encoder_the_weights_of_one_device(store):
    settings = LITE0 | UNTRAINED | {"train.epochs": 1, "train.steps": 2, "train.loss.class_weights": "root"}
    given = [f"{key}={value}" for key, value in settings.items()]
    mirrored = start(store, "mirrored", "devices=2", "train.strategy=mirrored", *given)
    alone = train_small(store, **settings)
    found = finished(store, "mirrored", mirrored)
    assert found["metrics"]["replicas"] == 2
    assert found["history"][0]["loss"] == pytest.approx(alone.history[0]["loss"], rel=1e-5)
    with np.load(store.folder.parent / "mirrored.npz") as weights:  # Adam moves each weight by about 0.01
        for path, expected in weights_of(alone).items():
            np.testing.assert_allclose(weights[path], expected, rtol=1e-5, atol=1e-4, err_msg=path)
