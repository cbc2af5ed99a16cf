"""Links in a data set: those that DVC follows are followed, those that hide changes from it are refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.predictions.inputs import find_inputs
from src.data.source.folder_files import check_folder
from src.errors import UserError
from src.files import read_yaml, write_yaml
from tests.conftest import ROOT, prepared, write_data_set
from tests.dvc_project import dvc_project

DVC = """
stages:
  prepare:
    cmd: python -m stages.prepare
    params: [data]
    deps: ["${data.source}"]
    outs: [data/prepared, data/checks.csv, data/contact-sheet.png]
"""


@pytest.fixture
def project(tmp_path):
    """A DVC project of the prepare stage, with a data set of three pairs in data/set."""
    folder = tmp_path / "project"
    folder.mkdir()
    call = dvc_project(folder, "", "")
    (folder / "dvc.yaml").write_text(DVC)
    (folder / ".gitignore").write_text("/data/prepared\n/data/checks.csv\n/data/contact-sheet.png\n/logs\n")
    content = read_yaml(ROOT / "params.yaml")
    content["data"]["source"] = "data/set"
    write_yaml(folder / "params.yaml", content)
    write_data_set(folder / "data/set", count=3)
    call("git", "commit", "-q", "-a", "-m", "prepare")
    return folder


def shell(folder, *command):
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(Path.home())}
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=path)
    assert "Traceback" not in found.stdout + found.stderr
    return found


def moved(place):
    """Move a file or folder out of the project and leave a link to it."""
    disk = place.parents[len(place.parents) - 1 - place.parts.index("project")].parent / "disk"
    target = disk / place.name
    target.parent.mkdir(exist_ok=True)
    shutil.move(place, target)
    place.symlink_to(target)
    return target


def stored_masks(folder):
    """Pixels of all prepared masks, one mask after the other."""
    return np.fromfile(folder / "data/prepared/masks.bin", np.uint8)


SLOW = [pytest.param(parts, marks=pytest.mark.slow) for parts in (["images"], ["masks"])]


@pytest.mark.parametrize("parts", [*SLOW, ["images", "masks"]])
def test_linked_folders_are_refused_and_the_suggested_solution_works(project, parts):
    source = project / "data/set"
    for part in parts:
        moved(source / part)
    for command in (["-m", "tools.check", "data/set"], ["-m", "stages.prepare"]):
        found = shell(project, sys.executable, *command)
        assert found.returncode == 1 and "set data.source to " in found.stderr
        assert all(f"data/set/{part} → " in found.stderr for part in parts)
    for part in {"images", "masks"} - set(parts):
        moved(source / part)
    shutil.rmtree(source)
    source.symlink_to(project.parent / "disk")
    assert shell(project, "dvc", "repro").returncode == 0
    mask = project.parent / "disk/masks/case 0-0.png"
    pixels = np.array(Image.open(mask))
    pixels[:10] = 1
    Image.fromarray(pixels).save(mask)
    assert "changed" in shell(project, "dvc", "status").stdout
    assert shell(project, "dvc", "repro").returncode == 0
    assert (stored_masks(project)[: pixels.size] == pixels.ravel()).all()


def test_the_suggested_solution_names_every_file_to_move(project):
    source = project / "data/set"
    (source / "dataset.yaml").write_text("classes: {0: a, 1: b}")
    target = moved(source / "masks")
    words = r"\nmove dataset\.yaml, images there, too; then set data\.source to .*/disk, or"
    with pytest.raises(UserError, match=words):
        check_folder(source)
    (source / "masks").unlink()
    (source / "masks").symlink_to(target.rename(target.with_name("truth")))
    with pytest.raises(UserError, match=r"\nmove everything into one real folder"):
        check_folder(source)


def inner(source):
    (source / "masks").rename(source / "second reader")
    (source / "masks").symlink_to("second reader")


def chain(source):
    moved(source / "masks")
    (source / "masks").rename(source.parent / "between")
    (source / "masks").symlink_to(source.parent / "between")


def dangling_description(source):
    (source / "dataset.yaml").symlink_to("/nowhere/dataset.yaml")


def dangling_table(source):
    (source / "patients.csv").symlink_to(source / "patients.csv")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (inner, "masks → "),
        (chain, "masks → "),
        (dangling_description, "dataset.yaml → /nowhere/dataset.yaml"),
        (dangling_table, "patients.csv → "),
    ],
)
def test_links_that_hide_something_are_refused(project, change, words):
    change(project / "data/set")
    with pytest.raises(UserError, match=words):
        check_folder(project / "data/set")


def test_every_folder_above_the_masks_is_checked_for_links(project):
    source = project / "data/set"
    shutil.copytree(source / "masks", source / "readers/second")
    check_folder(source, "readers/second")
    moved(source / "readers")
    with pytest.raises(UserError, match="readers → "):
        check_folder(source, "readers/second")


def test_a_linked_sub_folder_is_reported_as_an_error(project):
    source = project / "data/set"
    for kind in ("images", "masks"):
        (source / kind / "sub").mkdir()
        (source / kind / "case 0-0.png").rename(source / kind / "sub/a.png")
    moved(source / "masks/sub")
    found = shell(project, sys.executable, "-m", "tools.check", "data/set")
    assert found.returncode == 1 and "'masks/sub': is a link to a folder, which is not followed" in found.stderr


@pytest.mark.parametrize("link", ["", "..", "dataset.yaml", "test.txt", "ids.csv"])
def test_links_that_dvc_follows_are_followed(project, link):
    source = project / "sets/set"
    shutil.move(project / "data", project / "sets")
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("data/set", "sets/set"))
    write_yaml(source / "dataset.yaml", {"group": "ids.csv:patient", "test": "test.txt"})
    (source / "test.txt").write_text("case 0-0\n")
    (source / "ids.csv").write_text("id,patient\n" + "".join(f"case {n // 2}-{n},{n}\n" for n in range(3)))
    moved(source.parent if link == ".." else source / link)
    assert shell(project, "dvc", "repro").returncode == 0
    changed = source / (link if "." in link.strip(".") else "dataset.yaml")
    changed.write_text(changed.read_text() + "\n")
    assert "changed" in shell(project, "dvc", "status").stdout


@pytest.mark.parametrize(
    "where", ["default", *(pytest.param(place, marks=pytest.mark.slow) for place in ("elsewhere", "linked"))]
)
def test_links_into_the_cache_of_dvc_are_followed(project, tmp_path, where):
    plain = prepared(project / "data/set", tmp_path / "plain")
    if where == "elsewhere":
        assert shell(project, "dvc", "cache", "dir", "--local", str(tmp_path / "cache")).returncode == 0
    elif where == "linked":
        (tmp_path / "real cache").mkdir()
        (project / ".dvc/cache").symlink_to(tmp_path / "real cache")
    for command in (["config", "--local", "cache.type", "symlink"], ["add", "data/set"]):
        found = shell(project, "dvc", *command)
        assert found.returncode == 0, found.stderr
    assert all(path.is_symlink() for path in (project / "data/set").rglob("*.png"))
    found = shell(project, sys.executable, "-m", "tools.check", "data/set")
    assert found.returncode == 0 and "3 pairs" in found.stdout and not found.stderr
    assert shell(project, "dvc", "repro").returncode == 0
    assert (project / "data/prepared/masks.bin").read_bytes() == (plain.folder / "masks.bin").read_bytes()
    assert (project / "data/prepared/images.bin").read_bytes() == (plain.folder / "images.bin").read_bytes()
    inputs, findings = find_inputs([project / "data/set/images"], tmp_path / "out")
    assert len(inputs) == 3 and not findings


def test_links_into_the_cache_of_another_project_are_refused(project, tmp_path):
    """The link leads out of the data set, and not into the cache of its own project."""
    image = project / "data/set/images/case 0-0.png"
    place = tmp_path / "other/.dvc/cache/files/md5/ab/cdef"
    place.parent.mkdir(parents=True)
    image.rename(place)
    image.symlink_to(place)
    found = shell(project, sys.executable, "-m", "tools.check", "data/set")
    assert found.returncode == 1 and "'images/case 0-0.png': is a link out of the folder" in found.stderr
