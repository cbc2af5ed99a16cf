"""Files are written whole or not at all; YAML means the same here as to DVC, which reads it with ruamel.yaml."""

import pytest
from ruamel.yaml import YAML

from src.files import atomic, flat, read_csv, read_yaml, write_csv, write_json, write_yaml

SCALARS = """1 -7 +3 1.5 .5 1. 1e-5 1E+3 -2.5e-3 1e5 .inf -.inf true True false FALSE yes no on off null ~ 12:30 1_000
abc '1' "1e-5" a:b 2020-x"""


@pytest.mark.parametrize("scalar", SCALARS.split())
def test_yaml_scalars_are_read_as_dvc_reads_them(tmp_path, scalar):
    path = tmp_path / "file.yaml"
    path.write_text(f"key: {scalar}\n")
    if scalar == "1_000":  # ruamel.yaml still takes underscores, which YAML 1.2 does not; as a word it is refused later
        assert read_yaml(path) == {"key": "1_000"}
        return
    theirs = YAML(typ="safe", pure=True).load(path)["key"]
    ours = read_yaml(path)["key"]
    assert ours == theirs and type(ours) is type(theirs)


@pytest.mark.parametrize(
    "value", ["1e-5", "yes", "no", "1", "true", "null", "", "a: b", "ünï", 1e-5, 1, True, None, [1, "2"]]
)
def test_yaml_is_read_back_as_written(tmp_path, value):
    write_yaml(tmp_path / "file.yaml", {"key": value, 3: "number"})
    assert read_yaml(tmp_path / "file.yaml") == {"key": value, 3: "number"}


@pytest.mark.parametrize("folder", [False, True])
def test_a_failed_write_leaves_what_was_there(tmp_path, folder):
    path = tmp_path / "out"
    with atomic(path) as temporary:
        temporary.mkdir() if folder else temporary.write_text("old")
        if folder:
            (temporary / "part").write_text("old")
    kept = path / "part" if folder else path
    with pytest.raises(OSError, match="disk full"), atomic(path) as temporary:
        temporary.mkdir() if folder else temporary.write_text("new")
        raise OSError("disk full")
    assert kept.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"dice": float("nan")})
    assert not list(tmp_path.iterdir())


def test_no_file_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "data/set").mkdir(parents=True)
    for name in ("data", "."):
        with pytest.raises(IsADirectoryError):
            write_json(tmp_path / name, {"a": 1})
    assert (tmp_path / "data/set").is_dir() and {path.name for path in tmp_path.iterdir()} == {"data"}


def test_nested_objects_become_one():
    assert flat({"a": {"b": {"c": 1}, "d": [2]}, "e": {}, "f": None}) == {"a.b.c": 1, "a.d": [2], "f": None}


def test_csv_keeps_awkward_text(tmp_path):
    rows = [{"id": 'a "quoted", b', "what": "line\nbreak"}]
    write_csv(tmp_path / "file.csv", rows, ["id", "what"])
    assert read_csv(tmp_path / "file.csv") == rows
