"""Reads of parameters are found by the types of variables, whatever their names, and unread keys are missed."""

import pytest

from src.params import Augment
from tests.parameter_reads import chains, section_reads

USES = {
    "a parameter": "def f(x: Augment): return x.flip",
    "a parameter that may be None": "def f(x: Augment | None = None): return x.flip if x else 0",
    "an annotation as text": "def f(x: 'Augment'): return x.flip",
    "a part of all parameters": "def f(everything: Params):\n    y = everything.augment\n    return y.flip",
    "a result": "def make() -> Augment: ...\ndef f(): return make().flip",
    "a changed copy": "def f(x: Augment):\n    y = x.model_copy(update={})\n    return y.flip",
    "a field": "class A:\n    z: Augment\nclass B(A):\n    def f(self): return self.z.flip",
    "an attribute": "class A:\n def __init__(self, x: Augment): self.z, n = x, 0\n def f(self): return self.z.flip",
    "a lambda": "def f(x: Augment): return lambda: x.flip",
}


@pytest.mark.parametrize("use", USES)
def test_a_read_counts_whatever_the_variable_is_called(tmp_path, use):
    path = tmp_path / "code.py"
    path.write_text(USES[use])
    assert ("Augment", "flip") in section_reads([path])
    path.write_text(USES[use].replace("x", "renamed").replace("z", "other"))
    assert ("Augment", "flip") in section_reads([path])


def test_types_are_followed_from_one_file_to_another(tmp_path):
    (tmp_path / "a.py").write_text("class Plan:\n    numbers: PlannedData")
    (tmp_path / "b.py").write_text("def f(plan: Plan): return plan.numbers.crop")
    assert section_reads([tmp_path / "a.py", tmp_path / "b.py"]) == {("PlannedData", "crop")}
    assert section_reads([tmp_path / "b.py"]) == set()


def test_an_unread_key_is_found(tmp_path):
    path = tmp_path / "code.py"
    keys = [key for key in Augment.model_fields if key != "noise"]
    lines = [f"    section.{key}" for key in keys]
    other = [
        "def g(params: Split, augment: dict):",
        "    params.noise, augment.noise, params.seed, params.model_dump()",
    ]
    path.write_text("\n".join(["def f(section: Augment):", *lines, *other]))
    reads = section_reads([path])
    assert {key for kind, key in reads if kind == "Augment"} == set(keys)
    assert {key for kind, key in reads if kind == "Split"} == {"seed"}


def test_chains_start_at_the_parameters_whatever_they_are_called(tmp_path):
    path = tmp_path / "stage.py"
    path.write_text(
        "def main(chosen: Params):\n    f(chosen.seed, chosen.data.source, chosen.augment)\n    other.data.crop"
    )
    assert chains(path, "Params") == {("seed",), ("data", "source"), ("augment",)}
