"""float32 is not rounded to TensorFloat-32 in training, evaluation, prediction or export."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from src.data.store.subsets import Subset
from src.model.export.export import write_exports
from src.model.inference import predictor as infer
from src.model.inference.predictor import load_predictor
from src.model.network.device import prepare_device
from src.model.network.model_file import write_model
from tests.conftest import ROOT, prepared, write_data_set
from tests.test_export import network, project

enabled = tf.config.experimental.tensor_float_32_execution_enabled
enable = tf.config.experimental.enable_tensor_float_32_execution


@pytest.fixture(autouse=True)
def restored():
    """TensorFlow keeps these for the whole process."""
    before, policy = enabled(), keras.mixed_precision.dtype_policy()
    yield
    enable(before)
    keras.mixed_precision.set_global_policy(policy)


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize(("precision", "expected"), [("float32", False), ("bfloat16", True), ("float16", True)])
def test_float32_is_not_rounded_to_tensorfloat32_in_training(precision, expected, earlier):
    enable(earlier)
    prepare_device(0, precision)
    assert enabled() == expected


@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize(
    ("trained", "fastest", "expected"),
    [
        ("float32", "float32", False),
        ("float32", "bfloat16", False),  # as on a new GPU
        ("float32", "float16", False),
        ("mixed_bfloat16", "bfloat16", True),
        ("mixed_bfloat16", "float32", False),  # as on an old processor
        ("mixed_float16", "bfloat16", True),
    ],
)
def test_a_model_trained_in_float32_predicts_in_float32(tmp_path, monkeypatch, trained, fastest, expected, earlier):
    monkeypatch.setattr(infer, "fastest_precision", lambda: fastest)
    write_model(tmp_path / "unet.keras", network(2, 3, trained), project(2, 3))
    enable(earlier)
    predictor = load_predictor(tmp_path / "unet.keras")
    assert enabled() == expected
    assert infer.compute_precision(predictor.model) == ("float32" if trained == "float32" else fastest)


def test_exports_are_compared_in_float32(tmp_path):
    store = prepared(write_data_set(tmp_path / "set", 4), tmp_path)
    content = project(2, 3, classes=store.dataset.names)
    write_model(tmp_path / "unet.keras", network(2, 3), content)
    enable(True)
    report = write_exports(tmp_path / "unet.keras", [], tmp_path / "out", Subset.ungrouped(store, [0, 1]))
    assert [row.name for row in report.agreements] == ["Keras, float32"] and not report.problems and not enabled()


def test_operations_that_cannot_be_repeated_are_errors_once_the_arithmetic_is_set():
    """In its own process, because TensorFlow cannot switch this off again."""
    code = """
import tensorflow as tf
from src.model.network.device import set_arithmetic
tf.random.normal([2])
set_arithmetic("float32")
try:
    tf.random.normal([2])
except RuntimeError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "require a seed" in found.stdout and "determinism is enabled" in found.stdout


def test_only_device_py_sets_the_arithmetic():
    files = [path for folder in ("src", "stages", "tools") for path in (ROOT / folder).rglob("*.py")]
    setting = [path for path in files if "enable_tensor_float_32_execution" in path.read_text()]
    assert [path.relative_to(ROOT) for path in setting] == [Path("src/model/network/device.py")]
