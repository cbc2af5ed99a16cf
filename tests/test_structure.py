"""The design, checked: who imports whom, what dvc.yaml declares, and what --help loads."""

import subprocess
import sys

import pytest
import yaml

from src.params import Params
from tests.closure import ROOT, closure, imported_names, parameters_read

STAGES = ("prepare", "split", "augment", "train", "evaluate", "visualize")
TOOLS = (
    "card",
    "check",
    "compare",
    "convert",
    "export",
    "figures",
    "plan",
    "plots_page",
    "predict",
    "score",
    "summarize",
    "verify",
)
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
COMMON = {"src.params", "src.section", "src.errors", "src.files"}  # of src itself, shared by the rooms
BELOW = COMMON | {"src.data", "numpy"}
FLOORS = {  # what each room of src may import of the others, and of the libraries that cost time
    "src": COMMON | {"pydantic", "ruamel", "yaml", "tqdm"},
    "src/data": BELOW | {"src.progress", "cv2", "PIL", "tifffile", "simplejpeg", "pydantic", "dvc"},
    "src/convert": BELOW | {"src.convert", "src.progress", "PIL", "pydantic"},
    "src/archive": BELOW | {"src.archive", "h5py", "pydantic"},
    "src/plan": BELOW | {"src.plan", "src.archive"},
    "src/evaluation": BELOW | {"src.evaluation", "src.progress", "cv2", "scipy", "sklearn", "dvc", "dvc_data"},
    "src/reproduction": {"src.reproduction", "src.errors", "src.files", "dvc", "packaging"},
    "src/model": BELOW
    | {"src.model", "src.archive", "src.plan", "src.evaluation", "src.progress", "cv2", "filelock"}
    | {"tensorflow", "keras", "tf2onnx", "onnxruntime", "ai_edge_litert"},
    "src/report": {"src.report", "src.archive", "src.data", "src.errors", "src.files", "numpy", "pandas", "matplotlib"}
    | {"PIL", "altair", "vl_convert", "jinja2", "markupsafe"},
}
HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "pandas", "matplotlib", "cv2", "PIL", "numpy", "h5py"}
HEAVY |= {
    "altair",
    "vl_convert",
    "jinja2",
    "tifffile",
    "simplejpeg",
    "imagecodecs",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
}


def declared(stage: str, kind: str) -> list[str]:
    entries = DVC["stages"][stage].get(kind, [])
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_import_closure(stage):
    code = {dep for dep in declared(stage, "deps") if dep.endswith(".py")}
    assert code == {str(path.relative_to(ROOT)) for path in closure(f"stages.{stage}")}


def test_the_template_of_the_page_is_a_dep_of_it():
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "src/report/html").iterdir()}
    assert files == {dep for dep in declared("visualize", "deps") if dep.startswith("src/report/html/")}


@pytest.mark.parametrize("stage", STAGES)
def test_declared_parameters_are_those_read(stage):
    assert set(declared(stage, "params")) == parameters_read(f"stages.{stage}")


def test_every_parameter_changes_what_a_stage_does():
    """Visualize shows all of them, which is no use of one."""
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
    """DVC switches it off for a stage with a plain output that is not cached; a metric or a plot may be that."""
    assert all(isinstance(entry, str) for entry in DVC["stages"][stage].get("outs", []))


def test_only_the_model_imports_tensorflow():
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py"), *ROOT.glob("tools/*.py")]:
        tops = {name.split(".")[0] for name in imported_names(path)}
        if path.parent != ROOT / "src/model":
            assert not tops & {"tensorflow", "keras"}, path


@pytest.mark.parametrize("room", FLOORS)
def test_rooms_import_what_their_floor_may(room):
    standard = set(sys.stdlib_module_names)
    for path in (ROOT / room).glob("*.py"):
        for name in imported_names(path):
            top = name.split(".")[0]
            if top not in standard:
                assert any(
                    name == allowed or name.startswith(f"{allowed}.") or name == "src" for allowed in FLOORS[room]
                ), (
                    path,
                    name,
                )


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
    assert not any(path.parent.name == "model" for path in closure(f"stages.{stage}"))


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
