"""Model files from elsewhere: what this project would not save is refused with a message, before anything is built."""

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
from tests.test_predictor import project

REFUSED = r"(?s)^.*hostile\.keras: not a model of this project: "


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Name → content, of an honest archive: 3 channels, 3 classes, 4 filters, depth 2."""
    path = tmp_path_factory.mktemp("honest") / "unet.keras"
    kind = {"classes": ["a", "b", "c"], "background": None, "values": [0, 7, 255], "mean": [1.0] * 3, "std": [1.0] * 3}
    write_model(path, build_unet(PlannedModel(filters=4, depth=2), 3, 3), project(**kind, colors={"a": "#FF0000"}))
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
        validate_archive(path)
    assert all(char.isprintable() or char == "\n" for char in str(error.value))


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


CONFIGS = [
    (lambda layers: layers["logits"].update(LAMBDA), ".*'keras.layers' 'Lambda'"),
    (lambda layers: layers["logits"].update(module="os", class_name="system"), ".*'os' 'system'"),
    (lambda layers: layers["down0_norm_a"].update(registered_name="other>Thing"), ".*'other>Thing'"),
    (put("logits", "activation", FUNCTION), ".*'builtins' 'function'"),
    (put("logits", "further", [{"deep": LAMBDA}]), ".*'Lambda'"),
    (put("up0_conv_a", "kernel_initializer", LAMBDA), ".*'Lambda'"),
    (put("up0_conv_a", "dtype", POLICY), ".*computes in 'int8'"),
    (put("up0_conv_a", "filters", 10**9), ".*1000000000 filters"),
    (put("up0_conv_a", "filters", 131072), ".*131072 filters"),
    (put("up0_conv_a", "filters", 1024), r".*\d+ bytes; the network has \d+ weights of 4 bytes"),
    (put("up0_conv_a", "filters", 5), ".*arrays missing"),
    (put("up0_conv_a", "filters", -4), ".*-4 filters"),
    (put("up0_conv_a", "filters", True), ".*True filters"),
    (put("up0_conv_a", "filters", 4.0), ".*4.0 filters"),
    (put("image", "batch_shape", [None, None, None, 10**9]), ".*1000000000 channels"),
    (put("logits_conv", "filters", 10**9), ".*1000000000 outputs"),
    (put("logits_conv", "filters", 4), ".*outputs: 3, the network has 4"),
    (lambda layers: layers["up0_grow"].update(name="up2_grown"), ".*depth: 2, the network has 1"),
    (lambda layers: layers["up0_conv_a"].update(name="x"), ".*'up0_conv_a'"),
]

UNUSED = [  # parts of the config that have no effect, whatever they hold
    put("logits", "activation", "softmax"),
    put("up0_conv_a", "kernel_regularizer", "l2"),
    put("up0_conv_a", "kernel_size", [9, 9]),
    put("up0_conv_a", "groups", 2),
    put("down0_conv_b", "filters", 10**9),
    put("down0_pool", "pool_size", [10**9] * 2),
    put("image", "batch_shape", [10**9, 10**9, None, 3]),
    lambda layers: layers["up0_conv_a"]["build_config"].update(input_shape=[None, None, None, 10**9]),
    lambda layers: layers["down0_norm_a"]["build_config"].update(input_shape=[10**9]),
    lambda layers: layers["up0_conv_a"].update(inbound_nodes=[]),
    lambda layers: layers["up0_conv_a"]["inbound_nodes"].append({}),
    lambda layers: layers["down0_norm_a"]["inbound_nodes"][0].update(kwargs={"training": True}),
    lambda layers: layers["logits"]["config"].update(name="image"),
]


@pytest.mark.parametrize(("change", "words"), CONFIGS)
def test_other_networks_are_refused(hostile, members, change, words):
    refused(hostile(changed(members, change)), words)


@pytest.mark.parametrize("change", UNUSED)
def test_no_other_part_of_the_config_changes_the_network(hostile, members, change, monkeypatch):
    """The network is the one of an honest file, and Keras is never asked to build anything from the config."""
    expected, _ = read_model(hostile())
    for module, name in ((keras.saving, "load_model"), (keras.saving, "deserialize_keras_object")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("Keras builds from the config"))
    found, _ = read_model(hostile(changed(members, change)))
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(found(image), expected(image))
    assert [weight.path for weight in found.weights] == [weight.path for weight in expected.weights]
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"null", b"{}", b"[" * 10**6, b'{"a":' * 10**5, b'{"config": {"layers": NaN}}', b"\xff\xfe"],
)
@pytest.mark.parametrize("name", [CONFIG, PROJECT])
def test_other_json_is_refused(hostile, content, name):
    refused(hostile({name: content}), "")


def test_a_network_without_layers_is_refused(hostile, members):
    config = json.loads(members[CONFIG])
    config["config"]["layers"] = []
    refused(hostile({CONFIG: json.dumps(config)}), "")


LOAD = """
import resource, sys
from pathlib import Path
from src.errors import UserError
from src.model.network.model_file import read_model
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**28, held + 2**28))
try:
    model, _ = read_model(Path(sys.argv[1]))
    print("built with", model.count_params(), "weights")
except UserError as error:
    print("refused", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize(
    ("name", "filters", "printed"), [("up0_conv_a", 1024, "refused"), ("bottom_conv_a", 2**17, "built with 7707 ")]
)
def test_enormous_layers_are_never_built(hostile, members, name, filters, printed):
    """Loading has 256 MiB to itself. The first network would take 1.8 GiB, the second layer 576 GiB."""

    def enormous(layers):
        layers[name]["config"]["filters"] = filters
        layers[name]["build_config"]["input_shape"][3] = filters

    path = hostile(changed(members, enormous))
    found = subprocess.run([sys.executable, "-c", LOAD, path], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and found.stdout.startswith(printed), (found.stdout, found.stderr)


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
    (twice, ".*occurs twice"),
    (circle, ".*occurs twice"),
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
def test_a_damaged_hdf5_file_is_refused(hostile, content):
    refused(hostile({WEIGHTS: content}), r"model\.weights\.h5: ")


# project.json

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
