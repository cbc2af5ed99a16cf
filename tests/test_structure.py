"""Layers, imports, declarations in dvc.yaml and the form of the code follow the design."""

import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
import yaml

from src.params import Params
from tests.closure import ROOT, closure, code_dependencies, imported_names, parameters_read
from tests.form import places

STAGES = ("prepare", "split", "augment", "train", "evaluate", "visualize")
TOOLS = sorted(path.stem for path in ROOT.glob("tools/*.py") if path.name != "__init__.py")
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
COMMON = {
    "src.params",
    "src.encoders",
    "src.section",
    "src.errors",
    "src.files",
}  # of src itself, shared by the packages
BELOW = COMMON | {"src.data", "numpy"}
LAYERS = {  # what each package of src may import of the others, and of the libraries that cost time
    "src": COMMON | {"src.trainings", "pydantic", "ruamel", "yaml", "tqdm", "filelock"},
    "src/data": BELOW | {"src.progress", "cv2", "PIL", "scipy.cluster", "tifffile", "simplejpeg", "pydantic", "dvc"},
    "src/convert": BELOW | {"src.convert", "src.objects.map_place", "src.progress", "PIL", "pydantic", "scipy", "h5py"},
    "src/objects": BELOW | {"src.objects", "src.evaluation", "cv2", "scipy", "skimage", "tifffile"},
    "src/archive": BELOW | {"src.archive", "h5py", "pydantic"},
    "src/pretrained": COMMON | {"src.pretrained", "src.archive", "numpy", "h5py"},
    "src/plan": BELOW | {"src.plan", "src.archive"},
    "src/learning_curve": BELOW | {"src.learning_curve", "src.evaluation", "scipy"},
    "src/review": BELOW | {"src.review", "src.objects", "src.evaluation", "scipy", "cv2"},
    "src/suspects": BELOW | {"src.suspects", "src.evaluation", "src.progress", "scipy", "cv2"},
    "src/watch": COMMON | {"src.watch", "src.training_progress", "src.trainings"},
    "src/search": BELOW | {"src.search", "src.plan", "src.evaluation"},
    "src/evaluation": BELOW | {"src.evaluation", "src.progress", "cv2", "scipy", "sklearn", "dvc", "dvc_data"},
    "src/sweep": COMMON | {"src.sweep", "optuna", "filelock"},
    "src/reproduction": COMMON
    | {"src.reproduction", "src.data", "src.evaluation", "src.progress", "dvc", "dvc_data", "packaging"},
    "src/model": BELOW
    | {"src.model", "src.archive", "src.plan", "src.search", "src.pretrained", "src.evaluation", "src.progress", "cv2"}
    | {"src.learning_curve", "src.objects", "src.trainings", "src.training_progress", "filelock"}
    | {"src.review", "src.suspects"}
    | {"tensorflow", "keras", "tf2onnx", "onnxruntime", "ai_edge_litert"},
    "src/report": {
        "src.report",
        "src.learning_curve",
        "src.suspects",
        "src.evaluation",
        "src.reproduction",
        "src.archive",
        "src.pretrained.sources",
        "src.data",
        "src.errors",
        "src.files",
        "numpy",
        "pandas",
        "matplotlib",
    }
    | {"PIL", "altair", "vl_convert", "jinja2", "markupsafe"},
}
HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "pandas", "matplotlib", "cv2", "PIL", "numpy", "h5py"}
HEAVY |= {
    "altair",
    "vl_convert",
    "jinja2",
    "tifffile",
    "simplejpeg",
    "skimage",
    "imagecodecs",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "optuna",
    "ai_edge_litert",
}


def declared(stage: str, kind: str) -> list[str]:
    entries = DVC["stages"][stage].get(kind, [])
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_packages_that_the_stage_imports(stage):
    code = {dep for dep in declared(stage, "deps") if dep.startswith(("src/", "stages/"))}
    assert code == code_dependencies(f"stages.{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_converters_cards_and_tools_make_no_stage_stale(stage):
    apart = ("src/convert", "src/pretrained", "src/model/pretrained", "src/report/card", "tools", "docs", "README")
    apart += (
        "src/review",
        "src/suspects",
        "src/model/suspects",
        "src/model/review",
        "src/report/suspects",
        "src/learning_curve",
        "src/model/learning_curve",
        "src/report/learning_curve",
    )
    assert not [dep for dep in declared(stage, "deps") if dep.startswith(apart)]


def test_dvc_yaml_and_the_packages_are_small():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 180
    for folder in {path.parent for path in ROOT.glob("src/**/*.py")}:
        modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 14, folder


@pytest.mark.parametrize("stage", STAGES)
def test_declared_parameters_are_those_read(stage):
    assert set(declared(stage, "params")) == parameters_read(f"stages.{stage}")


def test_every_parameter_changes_what_a_stage_does():
    """visualize is left out: it only shows the parameters."""
    declared_keys = {key for stage in STAGES if stage != "visualize" for key in declared(stage, "params")}
    declared_keys.add("report.panels")
    for section, field in Params.model_fields.items():
        keys = getattr(field.annotation, "model_fields", None)
        assert section in declared_keys or all(f"{section}.{key}" in declared_keys for key in keys), section


def test_every_file_that_a_stage_reads_is_written_by_an_earlier_one():
    written = {"models/initial"}  # a committed folder
    for stage in STAGES:
        data = {dep for dep in declared(stage, "deps") if not dep.startswith(("$", "src/", "stages/"))}
        assert data <= written, stage
        written |= {name for kind in ("outs", "plots", "metrics") for name in declared(stage, kind)}


@pytest.mark.parametrize("stage", STAGES)
def test_the_run_cache_serves_every_stage(stage):
    """DVC switches the run cache off for a stage with a plain output that is not cached; metrics and plots are fine."""
    assert all(isinstance(entry, str) for entry in DVC["stages"][stage].get("outs", []))


def test_only_the_model_imports_tensorflow():
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py"), *ROOT.glob("tools/*.py")]:
        tops = {name.split(".")[0] for name in imported_names(path)}
        if not path.is_relative_to(ROOT / "src/model"):
            assert not tops & {"tensorflow", "keras"}, path


@pytest.mark.parametrize("folder", LAYERS)
def test_packages_import_only_what_their_layer_allows(folder):
    standard = set(sys.stdlib_module_names)
    for path in (ROOT / folder).glob("*.py" if folder == "src" else "**/*.py"):
        for name in imported_names(path) - {"src"}:
            if name.split(".")[0] not in standard:
                assert any(name == part or name.startswith(f"{part}.") for part in LAYERS[folder]), (path, name)


def test_modules_of_src_import_each_other_without_cycles():
    """Imports inside functions count, too."""
    imports = {}
    for path in ROOT.glob("src/**/*.py"):
        names = {name for name in imported_names(path) if name.startswith("src.")}
        modules = {(ROOT / name.replace(".", "/")).with_suffix(".py") for name in names}
        imports[path] = {module for module in modules if module.is_file()} - {path}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the modules


def test_src_never_imports_stages_or_tools():
    for path in ROOT.glob("src/**/*.py"):
        assert not any(name.startswith(("stages", "tools")) for name in imported_names(path)), path


@pytest.mark.parametrize("script", [*(f"stages.{name}" for name in STAGES), *(f"tools.{name}" for name in TOOLS)])
def test_help_answers_without_loading_anything_heavy(script):
    code = f"""
import runpy, sys
sys.argv = ["script", "--help"]
try:
    runpy.run_module("{script}", run_name="__main__")
except SystemExit as stop:
    assert not stop.code
print("loaded:", *(name for name in {sorted(HEAVY)!r} if name in sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage:" in found.stdout and found.stdout.endswith("loaded:\n")


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in ("train", "evaluate")])
def test_tensorflow_is_not_loaded_where_no_model_is_used(stage):
    assert not any(path.is_relative_to(ROOT / "src/model") for path in closure(f"stages.{stage}"))


def test_a_refused_parameter_stops_a_stage_before_any_work(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("lr: auto", "lr: high"))
    found = subprocess.run(
        [sys.executable, "-m", "stages.prepare"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1
    assert "train.lr" in found.stderr and "Traceback" not in found.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml"}


MOST_ANY = 100  # in the whole of src
FORM = ("tuples of more than 2 parts", "more than 5 positional parameters", "public functions without Args:")


def test_any_stands_where_no_real_type_is_possible():
    assert len(places(ROOT / "src")["Any"]) < MOST_ANY


@pytest.mark.parametrize("what", FORM)
def test_signatures_results_and_docstrings_keep_their_form(what):
    assert places(ROOT / "src")[what] == []
