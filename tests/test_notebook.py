"""notebooks/explore.ipynb is committed without outputs, is short, and runs in a copy of the project."""

import ast
import hashlib
import importlib.metadata
import json
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from src.data.splits.divide import split
from src.data.store.subsets import write_splits
from tests.conftest import ROOT, changed_params, prepared, write_data_set

NOTEBOOK = nbformat.read(ROOT / "notebooks/explore.ipynb", as_version=nbformat.NO_CONVERT)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
SMALL = {"model.filters": 4, "model.depth": 2, "data.crop": 32, "train.batch": 4, "train.lr": 0.01}
SMALL |= {"train.precision": "float32"}
CHECK = """
import json, sys, src
facts = {"src": src.__file__, "python": sys.executable, "scratch": str(scratch), "steps": training.step}
print(json.dumps(facts | {"checkpoints": [str(path) for path in scratch.rglob("state")], "pooled": list(pooled)}))
"""


def test_it_is_committed_without_outputs():
    nbformat.validate(NOTEBOOK)
    assert [cell.id for cell in CODE if cell.outputs or cell.execution_count is not None] == []
    assert [cell.id for cell in NOTEBOOK.cells if cell.metadata] == []
    assert set(NOTEBOOK.metadata) <= {"kernelspec", "language_info"} and NOTEBOOK.metadata.kernelspec.name == "python3"


def test_it_is_short_and_each_code_cell_has_an_explanation_before_it():
    kinds = [cell.cell_type for cell in NOTEBOOK.cells]
    assert len(kinds) <= 12 and kinds == ["markdown", "code"] * len(CODE)
    assert max(len(cell.source.splitlines()) for cell in CODE) <= 18


def bound_in(module: str) -> set[str]:
    """What a module of the project binds at its top level, told from its source."""
    place = ROOT.joinpath(*module.split("."))
    tree = ast.parse((place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text())
    names: set[str] = set()
    type_checked = [part for node in tree.body if isinstance(node, ast.If) for part in node.body]
    for node in [*tree.body, *type_checked]:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            parts = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
            names |= {part.id for part in parts if isinstance(part.ctx, ast.Store)}
    return names


def test_it_imports_public_names_that_exist():
    installed = set(importlib.metadata.packages_distributions()) | set(sys.stdlib_module_names)
    for node in (node for cell in CODE for node in ast.walk(ast.parse(cell.source))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= installed, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (ROOT / node.module.split(".")[0]).is_dir():
            names = {alias.name for alias in node.names}
            assert names <= bound_in(node.module) and not any(name[0] == "_" for name in names), ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            assert node.module.split(".")[0] in installed, ast.unparse(node)


def test_no_stage_depends_on_it():
    assert "notebook" not in (ROOT / "dvc.yaml").read_text()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What the notebook needs of the project, without data, in a copy. Jupyter writes to no home folder."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)  # src is to be the copy's
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    folder = tmp_path / "project"
    for name in ("src", "stages", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(ROOT / "dvc.yaml", folder / "dvc.yaml")
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    return folder


def with_data(project: Path) -> None:
    """The data, the splits and the settings that prepare and split leave, of a small set of three classes."""
    params = changed_params(**SMALL)
    (project / "params.yaml").write_text(yaml.safe_dump(params.model_dump()))
    store = prepared(write_data_set(project / "data/my-set", classes=3), project / "data")
    write_splits(project / "data/splits.csv", split(store, params.split, params.split.seed))


def execute(project: Path, *more: str) -> list[nbformat.NotebookNode]:
    """The notebook's code cells, and `more` of them, with their outputs; run in its own folder, as Jupyter does."""
    notebook = nbformat.read(project / "notebooks/explore.ipynb", as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in more]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(project / "notebooks")}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def files_of(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_its_cells_run_in_order_and_change_no_file(project):
    with_data(project)
    before = files_of(project)
    *cells, check = execute(project, CHECK)
    assert files_of(project) == before
    pictures = [cell.id for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert pictures == ["load", "augment", "predict"]
    facts = json.loads(check.outputs[0].text)
    assert facts["src"] == str(project / "src/__init__.py") and facts["python"] == sys.executable
    assert facts["steps"] < 100 and facts["checkpoints"] == [] and not Path(facts["scratch"]).exists()
    table = cells[-1].outputs[0].data["text/plain"]
    assert all(f"{score:.3f}".rstrip("0") in table for score in facts["pooled"])
    assert sum(facts["pooled"]) / 3 > 0.6  # discs in a grey of their own: it learned, in steps that take seconds


def test_without_prepared_data_it_names_the_command_to_run(project):
    with pytest.raises(CellExecutionError, match=r"no data/prepared and no data/splits\.csv: run `dvc repro split`"):
        execute(project)
