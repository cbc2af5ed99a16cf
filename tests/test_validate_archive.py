"""Model files from elsewhere: what this project would not save is refused with a message, before anything is built."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from src.archive.members import CONFIG, MEMBERS, METADATA, PROJECT, WEIGHTS
from src.archive.validate_archive import validate_archive
from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import Dataset
from src.errors import UserError
from src.model.network.model_file import read_model, write_model
from src.model.network.unet import build_unet
from src.model.training.initial_weights import load_initial_weights
from src.params import PlannedModel
from src.plan.initial import initial_network
from tests.closure import ROOT
from tests.hostile_archives import LAMBDA, changed, refused
from tests.test_predictor import project


def test_an_unchanged_archive_passes(hostile):
    assert validate_archive(hostile()).project.classes == ["a", "b", "c"] == read_model(hostile())[1].classes


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (5, 16)])
def test_every_kind_of_model_that_this_project_saves_passes(tmp_path, depth, precision, classes, channels):
    keras.mixed_precision.set_global_policy(precision)
    try:
        model = build_unet(PlannedModel(filters=2, depth=depth), channels, LabelFormat(classes).outputs)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    numbers = {"mean": [0.0] * channels, "std": [0.0] * channels, "depth": depth}
    told = project(classes=[f"class {index}" for index in range(classes)], **numbers)
    write_model(tmp_path / "unet.keras", model, told)
    assert validate_archive(tmp_path / "unet.keras").project == told
    assert read_model(tmp_path / "unet.keras")[0].count_params() == model.count_params()


# the zip file


def test_a_zip_bomb_is_refused(hostile):
    path = hostile({CONFIG: b" " * 2**27}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**18
    refused(path, r".*config\.json: compressed \(\d+ bytes that become 134217728\)")


def test_members_that_overlap_are_refused(hostile):
    path = hostile()
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        whole = archive.getinfo(WEIGHTS)
    inside = content.rindex(b"PK\1\2", 0, content.rindex(WEIGHTS.encode()))  # its entry in the directory
    size = len(content).to_bytes(4, "little")
    assert content[inside + 24 : inside + 28] == whole.file_size.to_bytes(4, "little")
    path.write_bytes(content[: inside + 20] + size * 2 + content[inside + 28 :])
    refused(path, ".*larger than the file")


@pytest.mark.parametrize("name", ["assets/run.sh", "../../.bashrc", "/etc/passwd", "model.weights.npz", "\x1b[2Jx"])
def test_any_other_member_is_refused(hostile, name):
    refused(hostile({name: b"x"}), f".*{re.escape(repr(name))}: none of")


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_must_be_there_once(hostile, name):
    refused(hostile({name: None}), f".*{re.escape(name)}: missing")
    path = hostile()
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, "{}")
    refused(path, f".*{re.escape(name)}: 2 times")


def test_an_encrypted_member_is_refused(hostile):
    path = hostile()
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    refused(path, r".*encrypted")


def test_a_json_member_that_is_too_long_is_refused(hostile):
    refused(hostile({METADATA: b'{"a": "' + b"x" * 2**24 + b'"}'}), r".*metadata\.json: 16777225 bytes")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(hostile, share):
    path = hostile()
    os.truncate(path, int(share * path.stat().st_size))
    refused(path, "")


def test_every_flipped_byte_is_refused_or_harmless(hostile):
    """Refused, or the project is read; never another exception."""
    path = hostile()
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, len(content), 300):
        path.write_bytes(content[:place] + bytes([content[place] ^ rng.integers(1, 256)]) + content[place + 1 :])
        try:
            validate_archive(path)
        except UserError as error:
            assert "not a model of this project" in str(error)


def test_a_folder_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "hostile.keras").mkdir()
    refused(tmp_path / "hostile.keras", "it is not a regular file")
    (tmp_path / "hostile.keras").rmdir()
    os.mkfifo(tmp_path / "hostile.keras")
    refused(tmp_path / "hostile.keras", "it is not a regular file")


PROJECTS = [
    ({"mean": [1.0]}, ".*mean is of 1"),
    ({"mean": [1.0], "std": [1.0]}, ".*channels: 1, the network has 3"),
    ({"mean": [float("nan"), 1.0, 1.0]}, ".*NaN is not a number"),
    ({"std": [float("inf"), 1.0, 1.0]}, ".*Infinity is not a number"),
    ({"std": [-1.0, 1.0, 1.0]}, r".*std\.0: .*greater"),
    ({"channels": 1}, ".*channels is 1"),
    ({"channels": 10**9}, ".*channels"),
    ({"classes": ["a", "b"], "colors": {}, "values": []}, ".*outputs: 1, the network has 3"),
    ({"classes": ["a", "b", "c", "d"], "values": []}, ".*outputs: 4, the network has 3"),
    ({"classes": ["a", "b", "b"]}, ".*twice"),
    ({"classes": ["a", "b", "\x1b[2J"]}, r".*classes\.2"),
    ({"classes": ["a", "b", "x" * 61]}, r".*classes\.2"),
    ({"values": [0, 1]}, ".*values: 2 for 3 classes"),
    ({"colors": {"a": "url(http://x)"}}, r".*colors\.a"),
    ({"colors": {"d": "#000000"}}, ".*no such class: 'd'"),
    ({"background": 3}, ".*background"),
    ({"background": -1}, ".*background"),
    ({"depth": 3}, ".*depth: 3, the network has 2"),
    ({"depth": 60}, ".*depth"),
    ({"dtype": "object"}, ".*dtype"),
    ({"shorter_side": 10**9}, ".*shorter_side"),
    ({"shorter_side": 0.5}, ".*shorter_side"),
    ({"resize": 0}, r".*resize: no such key"),
    ({"normalise": "none"}, ".*normalise"),
    ({"decisions": {"temperature": 0.0}}, ".*temperature"),
    ({"plan": {"model.filters": {"value": 10**9, "why": ""}}}, ".*model.filters: 1000000000, the network has 4"),
    ({"\x1b[2J": 1}, ".*no such key"),
]


@pytest.mark.parametrize(("changes", "words"), PROJECTS)
def test_a_project_json_that_does_not_fit_is_refused(hostile, members, changes, words):
    told = json.loads(members[PROJECT]) | changes
    refused(hostile({PROJECT: json.dumps(told)}), words)


def earlier(members, side) -> str:
    """project.json of a version in which `resize` was the side of a square."""
    told = json.loads(members[PROJECT])
    assert told.pop("shorter_side") == 0
    return json.dumps(told | {"resize": side})


def test_files_of_earlier_versions_whose_images_kept_their_size_are_read(hostile, members):
    found = validate_archive(hostile({PROJECT: earlier(members, 0)}))
    assert found == validate_archive(hostile()) and found.project.shorter_side == 0


def test_files_of_earlier_versions_that_saw_squares_are_refused_with_the_remedy(hostile, members):
    path = hostile({PROJECT: earlier(members, 160)})
    expected = f"{path}: this model saw images as squares of 160 × 160 pixels; .* train it anew"
    for read in (validate_archive, read_model):
        with pytest.raises(UserError, match=f"^{expected}$"):
            read(path)


@pytest.mark.parametrize("side", [False, 0.0, "0", None, [0]])
def test_other_values_of_the_earlier_key_are_no_earlier_version(hostile, members, side):
    refused(hostile({PROJECT: earlier(members, side)}), ".*resize: no such key")


def test_a_file_is_validated_before_keras_opens_it(hostile, members, monkeypatch):
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(UserError, match="Lambda"):
        read_model(hostile(changed(members, lambda layers: layers["logits"].update(LAMBDA))))


def test_validation_needs_no_tensorflow(hostile):
    code = "import sys; from pathlib import Path; from src.archive.validate_archive import validate_archive"
    code += "; validate_archive(Path(sys.argv[1]))"
    code += "; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, hostile()], cwd=ROOT, check=True)


def test_a_model_of_an_earlier_version_loads(hostile, members):
    """Its config names another module for the layer's class; its project.json lacks values, channels and plan."""
    config = json.loads(members[CONFIG])
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "FusedBatchNormalization":
            layer["module"] = "src.model.unet"
    stated = json.loads(members[PROJECT])
    for name in ("values", "channels", "plan"):
        del stated[name]
    expected, _ = read_model(hostile())
    found, project_found = read_model(hostile({CONFIG: json.dumps(config), PROJECT: json.dumps(stated)}))
    assert project_found.classes == ["a", "b", "c"] and project_found.plan == {}
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_model_of_the_last_run_loads():
    path = Path(ROOT / "models/unet.keras")
    if not path.exists():
        pytest.skip("no models/unet.keras here: dvc repro makes it")
    network, stated = read_model(path)
    assert stated.plan and network.inputs[0].shape[-1] == len(stated.mean)


def test_initial_weights_are_validated_the_same_way(hostile, members):
    path = hostile(changed(members, lambda layers: layers["logits"].update(LAMBDA)))
    with pytest.raises(UserError, match=r"^train\.initial: .*hostile\.keras: not a model of this project: .*Lambda"):
        initial_network(str(path))
    with pytest.raises(UserError, match=r"^train\.initial: .*hostile\.keras: not a model of this project: .*Lambda"):
        load_initial_weights(
            build_unet(PlannedModel(filters=4, depth=2), 3, 3), path, Dataset(classes={0: "a", 1: "b", 2: "c"})
        )
