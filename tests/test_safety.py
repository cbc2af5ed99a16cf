"""The project never runs data as code: no pickle, no unsafe YAML, no eval, no shell."""

import ast

import pytest

from tests.closure import ROOT, imported_names

FILES = sorted(path for folder in ("src", "stages", "tools") for path in (ROOT / folder).rglob("*.py"))
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNS = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"unsafe_load", "full_load", "UnsafeLoader", "FullLoader", "Loader", "enable_unsafe_deserialization", "system"}
KEYWORDS = {"allow_pickle": False, "shell": False, "safe_mode": True}  # the only value that each may have


def dangers(code: str) -> list[str]:
    """Calls and names in the code that can run data as code."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            found += [name] if name in RUNS else []
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg in KEYWORDS and value is not KEYWORDS[keyword.arg]:
                    found.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
            if ast.unparse(node.func) == "yaml.load" and not any(keyword.arg == "Loader" for keyword in node.keywords):
                found.append("yaml.load without a loader")
        if isinstance(node, ast.Attribute) and node.attr in UNSAFE:
            found.append(node.attr)
    return found


def test_there_are_files_to_check():
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_run_data_as_code(path):
    assert not {name.split(".")[0] for name in imported_names(path)} & PICKLES
    assert not dangers(path.read_text())


@pytest.mark.parametrize(
    "code",
    [
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=flag)",
        "subprocess.run(text, shell=True)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.UnsafeLoader)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "keras.saving.load_model(path, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
    ],
)
def test_each_danger_would_be_found(code):
    assert dangers(code)


def test_keras_never_builds_a_network_from_a_file():
    """src/model/network/model_file.py builds the U-Net itself and loads weights alone."""
    names = ("load_model", "from_config", "model_from_json", "deserialize_keras_object")
    calls = [
        path
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names
    ]
    assert not calls
