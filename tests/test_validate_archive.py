"""Archives from elsewhere: whatever is not as this project saves it is refused, in words, before anything is made."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from src.archive.members import CONFIG, MEMBERS, METADATA, PROJECT, WEIGHTS
from src.archive.validate_archive import checked
from src.errors import UserError
from src.model.network.model_file import load, save
from src.model.network.unet import build_unet
from src.model.training.initial_weights import take_over
from src.params import PlannedModel
from src.plan.initial import initial_network
from tests.closure import ROOT
from tests.test_predictor import project

REFUSED = r"(?s)^.*hostile\.keras: not a model of this project: "


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Name → content, of an honest archive: 3 channels, 3 classes, 4 filters, depth 2."""
    path = tmp_path_factory.mktemp("honest") / "unet.keras"
    kind = {"classes": ["a", "b", "c"], "background": None, "values": [0, 7, 255], "mean": [1.0] * 3, "std": [1.0] * 3}
    save(path, build_unet(PlannedModel(filters=4, depth=2), 3, 3), project(**kind, colors={"a": "#FF0000"}))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def hostile(tmp_path, members):
    """Writes an archive with some members changed (None: left out) and others added."""

    def write(changes=None, compression=zipfile.ZIP_STORED):
        path = tmp_path / "hostile.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in (members | (changes or {})).items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write


def refused(path, words):
    with pytest.raises(UserError, match=REFUSED + words) as error:
        checked(path)
    assert all(char.isprintable() or char == "\n" for char in str(error.value))


def test_an_honest_archive_passes(hostile):
    assert checked(hostile()).classes == ["a", "b", "c"] == load(hostile())[1].classes


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (5, 16)])
def test_so_does_whatever_this_project_saves(tmp_path, depth, precision, classes, channels):
    keras.mixed_precision.set_global_policy(precision)
    try:
        model = build_unet(PlannedModel(filters=2, depth=depth), channels, classes)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    numbers = {"mean": [0.0] * channels, "std": [0.0] * channels, "depth": depth}
    told = project(classes=[f"class {index}" for index in range(classes)], **numbers)
    save(tmp_path / "unet.keras", model, told)
    assert checked(tmp_path / "unet.keras") == told
    assert load(tmp_path / "unet.keras")[0].count_params() == model.count_params()


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


def test_text_of_any_length_is_refused(hostile):
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
            checked(path)
        except UserError as error:
            assert "not a model of this project" in str(error)


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "hostile.keras").mkdir()
    refused(tmp_path / "hostile.keras", "no plain file")
    (tmp_path / "hostile.keras").rmdir()
    os.mkfifo(tmp_path / "hostile.keras")
    refused(tmp_path / "hostile.keras", "no plain file")


# config.json


def changed(members, change):
    """config.json after change(its layers by name)."""
    config = json.loads(members[CONFIG])
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    change(layers)
    return {CONFIG: json.dumps(config)}


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
FUNCTION = {"module": "builtins", "class_name": "function", "config": "system", "registered_name": "os"}
POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "int8"}, "registered_name": None}


def put(name, key, value):
    return lambda layers: layers[name]["config"].update({key: value})


def built(name, shape):
    return lambda layers: layers[name]["build_config"].update(input_shape=shape)


CONFIGS = [
    (lambda layers: layers["logits"].update(LAMBDA), ".*'keras.layers' 'Lambda'"),
    (lambda layers: layers["logits"].update(module="os", class_name="system"), ".*'os' 'system'"),
    (lambda layers: layers["down0_norm_a"].update(registered_name="other>Thing"), ".*'other>Thing'"),
    (put("logits", "activation", FUNCTION), ".*'builtins' 'function'"),
    (put("logits", "activation", "softmax"), ".*activation is 'softmax'"),
    (put("logits", "further", [{"deep": LAMBDA}]), ".*'Lambda'"),
    (put("down0_conv_a", "kernel_initializer", LAMBDA), ".*'Lambda'"),
    (put("down0_conv_a", "kernel_regularizer", "l2"), ".*kernel_regularizer"),
    (put("down0_conv_a", "dtype", POLICY), ".*computes in 'int8'"),
    (put("down0_conv_a", "filters", 10**9), ".*1000000000 channels"),
    (put("down0_conv_a", "filters", 131072), ".*built for"),
    (put("down0_conv_a", "filters", -4), ".*-4 channels"),
    (put("down0_conv_a", "filters", True), ".*True channels"),
    (put("down0_conv_a", "filters", 4.0), ".*4.0 channels"),
    (put("down0_conv_a", "kernel_size", [9, 9]), ".*kernel_size"),
    (put("down0_conv_a", "groups", 2), ".*groups"),
    (put("down0_pool", "pool_size", [10**9] * 2), ".*pool_size"),
    (put("image", "batch_shape", [10**9, 10**9, None, 3]), ".*any size"),
    (put("image", "batch_shape", [None, None, None, 10**9]), ".*1000000000 channels"),
    (
        lambda layers: layers["down0_conv_a"]["build_config"].update(input_shape=[None, None, None, 10**9]),
        ".*built for",
    ),
    (lambda layers: layers["down0_norm_a"]["build_config"].update(input_shape=[10**9]), ".*built for"),
    (lambda layers: layers["down0_conv_a"].update(inbound_nodes=[]), ""),
    (lambda layers: layers["down0_conv_a"]["inbound_nodes"].append({}), ".*used more than once"),
    (
        lambda layers: layers["down0_norm_a"]["inbound_nodes"][0].update(kwargs={"training": True}),
        ".*further arguments",
    ),
    (lambda layers: layers["logits"]["config"].update(name="image"), ".*does not fit"),
]


@pytest.mark.parametrize(("change", "words"), CONFIGS)
def test_other_networks_are_refused(hostile, members, change, words):
    refused(hostile(changed(members, change)), words)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"null", b"{}", b"[" * 10**6, b'{"a":' * 10**5, b'{"config": {"layers": NaN}}', b"\xff\xfe"],
)
@pytest.mark.parametrize("name", [CONFIG, PROJECT])
def test_what_is_no_json_object_of_ours_is_refused(hostile, content, name):
    refused(hostile({name: content}), "")


def test_a_network_without_layers_is_refused(hostile, members):
    config = json.loads(members[CONFIG])
    config["config"]["layers"] = []
    refused(hostile({CONFIG: json.dumps(config)}), "")


LOAD = """
import resource, sys
from pathlib import Path
from src.errors import UserError
from src.model.network.model_file import load
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**28, held + 2**28))
try:
    load(Path(sys.argv[1]))
except UserError as error:
    print("refused", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_enormous_layers_are_refused_before_anything_is_made(hostile, members):
    """Loading has 256 MiB to itself; one of these layers would take 576 GiB."""

    def enormous(layers):
        for name in ("bottom_conv_a", "bottom_conv_b"):
            layers[name]["config"]["filters"] = 2**17
            layers[name]["build_config"]["input_shape"][3] = 2**17

    path = hostile(changed(members, enormous))
    found = subprocess.run([sys.executable, "-c", LOAD, path], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout.startswith("refused"), found.stderr


# model.weights.h5


def rewritten(members, change):
    """The weights after change(file, path of the first kernel)."""
    content = io.BytesIO(members[WEIGHTS])
    with h5py.File(content, "r+") as file:
        change(file, "layers/conv2d/vars/0")
    return {WEIGHTS: content.getvalue()}


def replaced(**how):
    def change(file, path):
        shape = file[path].shape
        del file[path]
        file.create_dataset(path, **({"shape": shape, "dtype": "float32"} | how))

    return change


def linked(link):
    def change(file, path):
        del file[path]
        file[path] = link

    return change


def twice(file, path):
    file["layers/conv2d/vars/again"] = file[path]


def circle(file, path):
    file["layers/conv2d/vars/circle"] = file["layers"]


def virtual(file, path):
    shape = file[path].shape
    del file[path]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(path, layout)


WRONG = [
    (replaced(data=np.zeros((3, 3, 3, 5), np.float32), shape=None), r".*arrays missing: \[\(3, 3, 3, 4\)\]"),
    (replaced(shape=(2**40,), chunks=(2**20,), compression="gzip"), ".*compressed, not stored"),
    (replaced(shape=(2**40,)), ".*compressed, not stored"),
    (replaced(shape=(2**40, 2**40), chunks=(2**10, 2**10)), ""),
    (replaced(dtype="float64"), ".*no array of float32"),
    (replaced(dtype=h5py.string_dtype(), data="x", shape=()), ".*no array of float32"),
    (replaced(external=[("/etc/passwd", 0, 4 * 108)]), ".*stored elsewhere"),
    (linked(h5py.ExternalLink("/etc/passwd", "/x")), ".*a link to elsewhere"),
    (linked(h5py.SoftLink("/layers/conv2d_1/vars/0")), ".*a link to elsewhere"),
    (virtual, ".*stored elsewhere"),
    (twice, ".*stands twice"),
    (circle, ".*stands twice"),
    (
        lambda file, path: file.create_dataset("extra", data=np.zeros(9, np.float32)),
        r".*not of the network: \[\(9,\)\]",
    ),
    (lambda file, path: file.create_group("a/b/c/d/e"), ".*too deep"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_other_weights_are_refused(hostile, members, change, words):
    refused(hostile(rewritten(members, change)), words)


@pytest.mark.parametrize("content", [b"", b"x" * 10**5, b"\x89HDF\r\n\x1a\n" + b"\0" * 10**5])
def test_what_is_no_hdf5_file_is_refused(hostile, content):
    refused(hostile({WEIGHTS: content}), r"model\.weights\.h5: ")


# project.json

PROJECTS = [
    ({"mean": [1.0]}, ".*mean is of 1"),
    ({"mean": [1.0], "std": [1.0]}, ".*channels: 1, the network has 3"),
    ({"mean": [float("nan"), 1.0, 1.0]}, ".*NaN is no number"),
    ({"std": [float("inf"), 1.0, 1.0]}, ".*Infinity is no number"),
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
    ({"resize": 10**9}, ".*resize"),
    ({"normalise": "none"}, ".*normalise"),
    ({"decisions": {"temperature": 0.0}}, ".*temperature"),
    ({"plan": {"model.filters": {"value": 10**9, "why": ""}}}, ".*model.filters: 1000000000, the network has 4"),
    ({"\x1b[2J": 1}, ".*no such key"),
]


@pytest.mark.parametrize(("changes", "words"), PROJECTS)
def test_a_project_that_does_not_fit_is_refused(hostile, members, changes, words):
    told = json.loads(members[PROJECT]) | changes
    refused(hostile({PROJECT: json.dumps(told)}), words)


def test_keras_is_not_asked_before_the_door(hostile, members, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(UserError, match="Lambda"):
        load(hostile(changed(members, lambda layers: layers["logits"].update(LAMBDA))))


def test_the_door_needs_no_tensorflow(hostile):
    code = "import sys; from pathlib import Path; from src.archive.validate_archive import checked"
    code += "; checked(Path(sys.argv[1]))"
    code += "; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, hostile()], cwd=ROOT, check=True)


def test_a_model_saved_before_the_door_passes():
    """The file of the last run, if there is one here; those of earlier versions lack values and channels."""
    path = Path(ROOT / "models/unet.keras")
    if not path.exists():
        pytest.skip("no models/unet.keras here: dvc repro makes it")
    assert checked(path).plan


def test_weights_to_begin_from_come_through_the_same_door(hostile, members):
    path = hostile(changed(members, lambda layers: layers["logits"].update(LAMBDA)))
    with pytest.raises(UserError, match=r"^train\.initial: .*hostile\.keras: not a model of this project: .*Lambda"):
        initial_network(str(path))
    with pytest.raises(UserError, match=r"^train\.initial: .*hostile\.keras: not a model of this project: .*Lambda"):
        take_over(build_unet(PlannedModel(filters=4, depth=2), 3, 3), path, ["a", "b", "c"])
