"""What importing a module loads: arithmetic needs no TensorFlow, and TensorFlow starts without what is not used."""

import subprocess
import sys

import pytest

from tests.closure import ROOT


def loaded_by(code: str) -> set[str]:
    """Top-level modules that are loaded after running the code in a fresh interpreter; it must print nothing else."""
    code += "\nimport sys; print(*{name.split('.')[0] for name, module in sys.modules.items() if module})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stderr == ""
    return set(found.stdout.split())


@pytest.mark.parametrize("name", ["schedule", "diagnostics", "available_memory"])
def test_arithmetic_does_not_load_tensorflow(name):
    assert not loaded_by(f"import src.model.training.{name}") & {"tensorflow", "keras"}


def test_the_package_of_the_model_does_not_load_tensorflow():
    assert not loaded_by("import src.model, src.model.network") & {"tensorflow", "keras"}


def test_people_import_the_predictor_without_start_up_notes():
    loaded = loaded_by("from src.model import Predictor, load_predictor")
    assert {"tensorflow", "keras"} <= loaded


def test_tensorflow_starts_without_the_libraries_that_keras_does_not_need_here():
    code = """
from src.model.network.import_tensorflow import import_tensorflow_quietly
import_tensorflow_quietly()
import_tensorflow_quietly()
"""
    loaded = loaded_by(code)
    assert {"tensorflow", "keras"} <= loaded and not loaded & {"sklearn", "matplotlib", "pandas"}
    assert "sklearn" in loaded_by(f"{code}\nimport sklearn")  # it can still be imported afterwards


def test_a_failing_import_shows_its_notes():
    code = """
import os, sys
from src.model.network.import_tensorflow import import_tensorflow_quietly
class Broken:
    def find_spec(self, name, *_):
        if name == "keras":
            os.write(2, b"what the library wrote")
            raise ImportError("broken")
sys.meta_path.insert(0, Broken())
import_tensorflow_quietly()
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 1
    assert "what the library wrote" in found.stderr and "ImportError: broken" in found.stderr
