"""Several devices and machines give the history of one device; failures have a message."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from src.errors import UserError
from src.model.training.workers import Workers, choose_workers
from tests.conftest import ROOT

TOLERANCE = 1e-4  # relative: the order of the sums in float32, through 12 steps
ALL_TERMS = ["train.loss.focal=1.0"]


def start(store, name: str, *settings: str, cluster: tuple[list[int], int] | None = None) -> subprocess.Popen[str]:
    """Start tests/small_training.py; cluster: the ports of all machines, and the number of this one."""
    folder = store.folder.parent
    files = [str(path) for path in (store.folder, folder / f"checkpoints-{name}", folder / f"{name}.json")]
    environment = dict(os.environ)
    if cluster:
        workers = {"worker": [f"127.0.0.1:{port}" for port in cluster[0]]}
        environment["TF_CONFIG"] = json.dumps({"cluster": workers, "task": {"type": "worker", "index": cluster[1]}})
    return subprocess.Popen(
        [sys.executable, "-m", "tests.small_training", *files, *settings],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finished(store, name: str, process: subprocess.Popen[str]) -> dict:
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 0, printed
    return json.loads((store.folder.parent / f"{name}.json").read_text())


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_two_devices_and_two_machines_give_the_history_of_one_device(store):
    alone = finished(store, "alone", start(store, "alone", "train.strategy=single", *ALL_TERMS))
    mirrored = start(store, "mirrored", "devices=2", "train.strategy=mirrored", *ALL_TERMS)
    ports = free_ports(2)
    machines = [start(store, f"machine {number}", *ALL_TERMS, cluster=(ports, number)) for number in range(2)]
    found = [finished(store, "mirrored", mirrored)]
    found += [finished(store, f"machine {number}", process) for number, process in enumerate(machines)]
    for result in found:
        assert result["metrics"]["replicas"] == 2
        for row, expected in zip(result["history"], alone["history"], strict=True):
            assert row["loss"] == pytest.approx(expected["loss"], rel=TOLERANCE)
            assert row["val_loss"] == pytest.approx(expected["val_loss"], rel=TOLERANCE)
            assert row["dice"] == pytest.approx(expected["dice"], abs=0.01)
    assert not (store.folder.parent / "checkpoints-machine 1").exists()  # the first machine alone writes


@pytest.mark.slow
def test_a_machine_with_other_settings_is_refused(store):
    ports = free_ports(2)
    chief = start(store, "machine 0", cluster=(ports, 0))
    other = start(store, "machine 1", "train.lr=0.1", cluster=(ports, 1))
    printed = [process.communicate(timeout=180)[0].splitlines()[-1] for process in (other, chief)]
    assert printed[0].startswith("settings, data, code or libraries are not those of the first machine")
    assert printed[1].startswith("the training on 2 machines stopped: one machine failed or cannot be reached")
    assert chief.returncode == other.returncode == 1


@pytest.mark.slow
def test_a_run_that_loses_a_machine_stops_with_a_message_and_can_be_continued(store):
    settings = ["train.epochs=40"]
    alone = finished(store, "alone", start(store, "alone", *settings))

    def both() -> list[subprocess.Popen[str]]:
        ports = free_ports(2)
        return [start(store, f"machine {number}", *settings, cluster=(ports, number)) for number in range(2)]

    chief, other = both()
    for line in chief.stdout:
        if line.startswith("epoch 5/"):
            break
    other.send_signal(signal.SIGKILL)
    printed, _ = chief.communicate(timeout=120)
    other.communicate()
    assert chief.returncode == 1, printed
    assert printed.splitlines()[-1].startswith("the training on 2 machines stopped: one machine failed")
    again = both()
    results = [finished(store, f"machine {number}", process) for number, process in enumerate(again)]
    losses = [row["loss"] for row in results[0]["history"]]
    assert losses == pytest.approx([row["loss"] for row in alone["history"]], rel=0.05)
    assert results[0]["history"] == results[1]["history"]


def test_a_batch_that_the_replicas_cannot_share_evenly_is_refused():
    with pytest.raises(UserError, match=r"train\.batch \(10\) must be a multiple of the 4 replicas, such as 8"):
        Workers(None, processes=2, devices=2).part(10)
    parts = [Workers(None, process, processes=2, devices=2).part(8) for process in range(2)]
    assert [list(range(8)[part]) for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    "config", ["nonsense", '{"cluster": {"worker": ["a:1", "b:2"]}}', '{"cluster": {"ps": ["a:1"]}}', "[]"]
)
def test_a_wrong_cluster_variable_is_refused_with_an_example(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match=r'TF_CONFIG must name all machines.*"cluster"'):
        choose_workers("multi_worker")


def test_mirrored_needs_several_devices():
    with pytest.raises(UserError, match=r"train\.strategy: mirrored needs several devices, TensorFlow sees one"):
        choose_workers("mirrored")
