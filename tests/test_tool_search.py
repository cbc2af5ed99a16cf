"""tools.plan --minutes with trials: what it writes into params.yaml, and what it leaves as it is."""

import json
import math
import os
import re
import time
from argparse import Namespace

import numpy as np
import pytest
import tensorflow as tf

import src.model.search.run_search as run_search
import src.model.search.trainer as trainer
import src.model.training.loop as loop
import src.plan.facts as facts
import src.search.improvement as improvement
import src.search.start_set as start_set
import tools.plan
from src.archive.encoder_file import encoder_file
from src.data.crops.sampling import AHEAD
from src.errors import UserError
from src.model.network.encoders.pretrained import EncoderWeightsError
from src.model.training.checkpoints import ABANDONED, Checkpoint
from src.model.training.workers import Workers
from src.params import PlannedModel, load
from src.plan.initial import Initial
from src.search.candidate import RULES
from tests.conftest import changed_params
from tests.searching import Device
from tests.test_commands import run
from tests.test_tool_plan import made, project, rows_of, with_values  # noqa: F401
from tests.test_train import float32  # noqa: F401
from tests.test_write_setting import differing

JOURNALS = ".dvc/tmp/search"


@pytest.fixture
def device(monkeypatch):
    """A trainer that takes no time and finds that twice the rate is better, instead of this machine."""
    used = []

    def make(space, trained, validated, tick):
        used.append(Device(space, lambda settings, steps: 0.5 + 0.2 * (settings.get("train.lr", 0) in (0.004, 0.0028))))
        used[-1].images = len(validated)
        return used[-1]

    monkeypatch.setattr(run_search, "DeviceTrainer", make)
    return used


def plan(minutes=5, keep=()):
    tools.plan.main(Namespace(minutes=minutes, trials=True, keep=list(keep)))


def journals(project):  # noqa: F811
    return [path for path in (project / JOURNALS).glob("*.json") if path.name != "written.json"]


def test_the_winner_and_the_steps_are_written_and_all_else_stays(project, device, capsys):  # noqa: F811
    before = (project / "params.yaml").read_bytes().decode()
    plan()
    changed = {}
    for old, new in differing(before, (project / "params.yaml").read_bytes().decode()):
        assert old.partition("#")[2] == new.partition("#")[2]
        key, value = new.split()[:2]
        changed[key.rstrip(":")] = value
    rate = load(project / "params.yaml").train.lr
    assert changed.keys() - {"depth"} == {"resize", "flip", "steps", "lr"}
    assert rate in (0.004, 0.0028) and int(changed["resize"]) >= 0 and int(changed["steps"]) > 1
    printed = capsys.readouterr().out
    assert re.search(rf"train\.lr {rate} +[\d.]+ +\d+ +0\.700 +chosen", printed)
    assert "no intervals: fewer than 5 groups" in printed
    assert rows_of(printed)["train.lr"][0] == str(rate)
    assert journals(project) == []


def test_a_second_search_tries_again_what_a_search_wrote_but_not_what_was_set_by_hand(project, device):  # noqa: F811
    plan()
    path = project / "params.yaml"
    rate = load(path).train.lr
    plan()
    assert load(path).train.lr == rate and device[1].trained  # searched again
    path.write_text(with_values(path.read_text(), lr="0.0001"))
    plan()
    assert load(path).train.lr == 0.0001
    assert not any("train.lr" in dict(candidate.settings) for candidate, _ in device[2].trained)


def test_what_a_search_wrote_and_the_next_one_does_not_need_is_automatic_again(project, device):  # noqa: F811
    plan()
    path, remembered = project / "params.yaml", project / JOURNALS / "written.json"
    path.write_text(re.sub(r"oversample_rare: \S+", "oversample_rare: 0.25", path.read_text()))
    remembered.write_text(json.dumps(json.loads(remembered.read_text()) | {"data.oversample_rare": 0.25}))
    plan()
    assert load(path).data.oversample_rare == "auto"  # so the trials used it, and so will the training


def test_the_encoder_that_a_search_wrote_stays_for_an_initial_network(project, device, monkeypatch):  # noqa: F811
    path, initial = project / "params.yaml", project / "models/initial/mine.keras"
    initial.parent.mkdir(parents=True, exist_ok=True)
    initial.write_bytes(b"")
    network = Initial(PlannedModel(encoder="vgg16", filters=16, depth=4), 0)
    monkeypatch.setattr(facts, "initial_network", lambda _: network)
    path.write_text(with_values(path.read_text(), encoder="vgg16", initial="models/initial/mine.keras", filters="auto"))
    (project / JOURNALS).mkdir(parents=True)
    (project / JOURNALS / "written.json").write_text('{"model.encoder": "vgg16"}')
    plan()
    assert load(path).model.encoder == "vgg16" and device[0].trained


def test_settings_that_contradict_each_other_are_refused_with_the_reason(project, device):  # noqa: F811
    path = project / "params.yaml"
    path.write_text(with_values(path.read_text(), resize="0", crop="16", depth="4", filters="4", batch="1"))
    with pytest.raises(UserError, match="comes down to one pixel"):
        plan()


def test_another_file_of_initial_weights_is_another_search(project, device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(Device, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    weights = project / "models/initial/resnet50.imagenet.weights.h5"
    weights.parent.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        weights.write_bytes(encoder_file({"conv": [np.float32([number])]}))
        with pytest.raises(UserError):
            plan()
    assert len(journals(project)) == 2


def test_a_damaged_file_of_weights_stops_the_search_before_any_work(project, device):  # noqa: F811
    weights = project / "models/initial/resnet50.imagenet.weights.h5"
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"damaged")
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"resnet50\.imagenet\.weights\.h5: not the weights of this encoder: .*tools"):
        plan()
    assert not device and journals(project) == [] and (project / "params.yaml").read_bytes() == before


def test_weights_of_another_network_are_not_taken_for_a_weak_device(project, monkeypatch):  # noqa: F811
    def other_network(*_):
        raise EncoderWeightsError("not the weights of this encoder")

    monkeypatch.setattr(trainer.Networks, "ready", other_network)
    with pytest.raises(EncoderWeightsError):
        plan()


def test_settings_to_keep_stay_as_they_are(project, device):  # noqa: F811
    plan(keep=["train.lr"])
    assert load(project / "params.yaml").train.lr == "auto"
    with pytest.raises(UserError, match=r"--keep: not searched: data\.source"):
        plan(keep=["data.source"])


def test_an_interrupted_search_leaves_params_as_they_are_and_goes_on(project, device, monkeypatch, capsys):  # noqa: F811
    before, train = (project / "params.yaml").read_bytes(), Device.train

    def interrupted(self, candidate, *arguments):
        if candidate != RULES:
            raise KeyboardInterrupt
        return train(self, candidate, *arguments)

    monkeypatch.setattr(Device, "train", interrupted)
    with pytest.raises(UserError, match=r"stopped; params\.yaml is as it was, and the same command continues"):
        plan()
    assert (project / "params.yaml").read_bytes() == before
    (kept,) = journals(project)
    asked = [record["question"].keys() for record in json.loads(kept.read_text())["measurements"]]
    assert {"prepare"} in asked and {"train", "given", "steps", "images"} in asked
    monkeypatch.setattr(Device, "train", train)
    plan()
    assert device[1].trained[0][0] != RULES
    assert "continuing an interrupted search" in capsys.readouterr().err
    assert load(project / "params.yaml").train.lr in (0.004, 0.0028) and journals(project) == []


def test_abandoned_journals_are_deleted_when_a_search_begins(project, device):  # noqa: F811
    folder = project / JOURNALS
    folder.mkdir(parents=True)
    for name, age in (("written.json", 60), ("abandoned.json", 60), (".tmp-1.json", 60), ("recent.json", -60)):
        (folder / name).write_text("{}")
        os.utime(folder / name, (0, time.time() - ABANDONED - age))
    plan()
    assert {path.name for path in folder.iterdir()} == {"written.json", "recent.json"}


def test_an_old_journal_of_the_same_search_is_continued(project, device, monkeypatch, capsys):  # noqa: F811
    train = Device.train
    monkeypatch.setattr(Device, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(UserError):
        plan()
    (journal,) = journals(project)
    os.utime(journal, (0, time.time() - ABANDONED - 60))
    monkeypatch.setattr(Device, "train", train)
    plan()
    assert "continuing an interrupted search" in capsys.readouterr().err


def test_another_seed_is_another_search(project, device, monkeypatch):  # noqa: F811
    monkeypatch.setattr(Device, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for seed in (0, 0, 1):
        text = re.sub(r"^seed: \d+", f"seed: {seed}", (project / "params.yaml").read_text(), flags=re.MULTILINE)
        (project / "params.yaml").write_text(text)
        with pytest.raises(UserError):
            plan()
    assert len(journals(project)) == 2


def test_few_minutes_are_said_to_be_too_few(project, device, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(tools.plan, "write_steps", lambda *_: None)
    plan(minutes=3.9)
    assert "no trials: they need --minutes 4 or more" in capsys.readouterr().out and not device


def test_without_settings_to_search_only_the_steps_are_measured(project, device, monkeypatch, capsys):  # noqa: F811
    written = []
    monkeypatch.setattr(tools.plan, "write_steps", lambda *arguments: written.append(arguments[0]))
    plan(keep=["train.lr", "data.resize", "augment.flip"])
    assert "no trials: all settings" in capsys.readouterr().out and written == [5] and not device


NO_MEMORY = [
    tf.errors.ResourceExhaustedError(None, None, ""),
    tf.errors.InternalError(None, None, "failed call to cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    tf.errors.InternalError(None, None, "Failed to allocate 1073741824 bytes for new constant"),
    tf.errors.UnknownError(None, None, "Could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED"),
    tf.errors.InternalError(None, None, "failed to create cublas handle: CUBLAS_STATUS_ALLOC_FAILED"),
]
OTHERS = [
    tf.errors.InternalError(None, None, "CUDA_ERROR_ILLEGAL_ADDRESS"),
    tf.errors.UnknownError(None, None, "CUDNN_STATUS_EXECUTION_FAILED"),
]


@pytest.mark.parametrize("error", [*NO_MEMORY, *OTHERS], ids=lambda error: error.message[-20:])
def test_only_a_device_without_memory_refuses_a_candidate(project, monkeypatch, error):  # noqa: F811
    def fail(*_):
        raise error

    monkeypatch.setattr(trainer.Networks, "ready", fail)
    expected = UserError if error in NO_MEMORY else type(error)
    with pytest.raises(expected) as raised:
        plan()
    assert ("the device ran out of memory" in str(raised.value)) == (error in NO_MEMORY)


@pytest.mark.parametrize("error", [*NO_MEMORY, *OTHERS], ids=lambda error: error.message[-20:])
def test_training_names_the_settings_that_need_less_memory(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(loop, "resume", fail)
    training = Namespace(workers=Workers(None), checkpoint=Checkpoint(tmp_path / "checkpoint"))
    expected = UserError if error in NO_MEMORY else type(error)
    with pytest.raises(expected) as raised:
        loop.train_unet(training, None, None, changed_params().train)
    assert ("lower train.batch, data.crop or model.filters" in str(raised.value)) == (error in NO_MEMORY)


def test_trials_can_be_left_out(project):  # noqa: F811
    found = run(project, "tools.plan", "--help")
    assert "--no-trials" in found.stdout and "--keep KEY" in found.stdout


def test_a_search_trains_on_this_device(project, monkeypatch, capsys):  # noqa: F811
    """A real search of seconds: the same steps give the same scores, and steps are as many as the time allows."""
    monkeypatch.setattr(tools.plan, "FEWEST_MINUTES", 0.1)
    monkeypatch.setattr(start_set, "SHORTEST", 0.2)
    monkeypatch.setattr(start_set, "FEWEST_STEPS", 2)
    monkeypatch.setattr(improvement, "FEWEST_STEPS", 2)
    monkeypatch.setattr(trainer, "MEASURED", 0.05)
    monkeypatch.setattr(trainer, "LATE", math.inf)  # however busy the machine is, the steps stay the same
    seen, held = [], []
    train = trainer.DeviceTrainer.train

    def twice(self, candidate, given, steps, images):
        held.append(self)
        first, second = (train(self, candidate, given, steps, images) for _ in range(2))
        seen.append((candidate, first, second))
        return second

    monkeypatch.setattr(trainer.DeviceTrainer, "train", twice)
    plan(minutes=0.3)
    assert len(seen) >= 2 and len({candidate for candidate, _, _ in seen}) >= 2
    for _, first, second in seen:
        assert first.scores.tolist() == second.scores.tolist() and first.scores.shape[1] == 1
    assert isinstance(load(project / "params.yaml").train.steps, int)
    device, candidate = held[0], seen[0][0]
    monkeypatch.setattr(trainer, "LATE", 1.25)
    trial = train(device, candidate, 0.1, 10**6, 1)
    assert AHEAD < trial.steps < 10**5  # the device is slower than was thought: the time is kept
    device.keep([])  # as after an interruption, where the journal has the costs and no graph exists
    graphs = []
    monkeypatch.setattr(device, "_tick", lambda: graphs.append(len(device._ready[candidate].network.traced)))
    train(device, candidate, 60.0, 1, 1)
    assert graphs == [0, 0, 1, 1]  # a step and an image that count for nothing, then the training and its score
    assert "chosen" in capsys.readouterr().out
