"""Files have the same bytes in every clone for every line-end setting of Git, since DVC hashes them."""

import shutil
import subprocess

import pytest

from src.data.reading.images import SUFFIXES
from tests.conftest import ROOT

TABLE = b"id,patient\r\na,1\r\n"  # line ends as Excel writes them


def git(folder, *words, **options):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, **options).stdout


def committed(folder):
    """A repository of the project's files as they are now, with a table of a data set."""
    names = git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").decode().split("\0")
    for name in names:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "data/my-set").mkdir()
    (folder / "data/my-set/patients.csv").write_bytes(TABLE)
    (folder / "data/my-set/a.png").write_bytes(b"a picture without any zero byte\r\n")
    git(folder, "init", "-q")
    git(folder, "config", "core.autocrlf", "true")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "start")
    return [name for name in git(folder, "ls-files", "-z").decode().split("\0") if name]


@pytest.mark.parametrize("setting", [["core.autocrlf=true"], ["core.autocrlf=input"], ["core.eol=crlf"]])
def test_a_clone_has_the_bytes_that_were_committed(tmp_path, setting):
    names = committed(tmp_path / "project")
    options = [word for value in setting for word in ("-c", value)]
    git(tmp_path, "clone", "-q", *options, "project", "clone")
    assert git(tmp_path / "clone", "status", "--porcelain") == b""
    different = [
        name for name in names if (tmp_path / "project" / name).read_bytes() != (tmp_path / "clone" / name).read_bytes()
    ]
    assert not different
    assert (tmp_path / "clone/data/my-set/patients.csv").read_bytes() == TABLE


def test_no_text_of_the_project_has_other_line_ends():
    lines = git(ROOT, "ls-files", "--eol").decode().splitlines()
    assert not [line for line in lines if line.split()[0] in ("i/crlf", "i/mixed")]


@pytest.mark.parametrize("suffix", sorted(SUFFIXES | {".keras", ".npz", ".onnx", ".tflite"}))
def test_git_treats_images_and_models_as_binary_in_every_folder(suffix):
    answer = git(ROOT, "check-attr", "text", f"models/initial/x{suffix}").decode()
    assert answer.strip().endswith("text: unset")
