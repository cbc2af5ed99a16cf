"""Networks of model files from elsewhere: another config.json is refused or has no effect, and none is built of it."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from src.archive.members import CONFIG, PROJECT
from src.model.network.model_file import read_model
from tests.closure import ROOT
from tests.hostile_archives import LAMBDA, changed, refused

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
