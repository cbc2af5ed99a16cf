"""The model as a DVC artifact: the entry of this project's dvc.yaml, got by name and version from another place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.closure import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
MODEL = DVC["artifacts"]["unet"]["path"]
STAGE = {"cmd": f"{sys.executable} make.py", "deps": ["make.py"], "outs": [MODEL]}


def call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    names = {"GIT_AUTHOR_NAME": "t", "GIT_COMMITTER_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_EMAIL": "t@t"}
    names["DVC_NO_ANALYTICS"] = "1"
    return subprocess.run(command, cwd=folder, env=os.environ | names, capture_output=True, text=True)


def done(folder: Path, *command: str) -> None:
    found = call(folder, *command)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the artifact of this one, two versions of a model in its cache, and no remote storage."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": STAGE}, "artifacts": DVC["artifacts"]}))
    (folder / MODEL).parent.mkdir()
    done(folder, "git", "init", "-q")
    done(folder, "dvc", "init", "-q")
    for version in ("v1.0.0", "v1.10.0"):
        (folder / "make.py").write_text(f"open({MODEL!r}, 'w').write({version!r})")
        done(folder, "dvc", "repro", "-q")
        done(folder, "git", "add", "-A")
        done(folder, "git", "commit", "-q", "-m", version)
        done(folder, "git", "tag", "-a", f"unet@{version}", "-m", version)
    done(folder, "git", "tag", "unet@v2.0.0")  # a lightweight one is no version
    return folder


def test_the_artifact_is_what_the_pipeline_makes():
    assert MODEL in DVC["stages"]["train"]["outs"]
    assert DVC["artifacts"]["unet"]["type"] == "model"


def test_a_version_is_got_by_name_and_tag(project, tmp_path):
    get = ["dvc", "artifacts", "get", str(project), "unet"]
    done(tmp_path, *get, "--rev", "v1.0.0", "-o", "first.keras")
    done(tmp_path, *get, "-o", "newest.keras")
    assert (tmp_path / "first.keras").read_text() == "v1.0.0" and (tmp_path / "newest.keras").read_text() == "v1.10.0"
    found = call(tmp_path, *get, "--rev", "v2.0.0", "-o", "none.keras")
    assert found.returncode and "Unable to find artifact 'unet @ v2.0.0'" in found.stderr


def test_a_clone_without_the_files_gets_them_from_the_storage(project, tmp_path):
    """The storage may be named by whoever pulls: the version need not know of it."""
    done(project, "dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "store"))
    done(project, "dvc", "push", "-q", "--all-tags")
    done(tmp_path, "git", "clone", "-q", "--bare", str(project), "hub.git")
    get = ["dvc", "artifacts", "get", str(tmp_path / "hub.git"), "unet", "--rev", "v1.0.0"]
    done(tmp_path, *get, "--remote", "store", "--remote-config", f"url={tmp_path / 'store'}", "-o", "got.keras")
    assert (tmp_path / "got.keras").read_text() == "v1.0.0"
