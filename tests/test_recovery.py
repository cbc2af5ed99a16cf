"""docs/troubleshooting.md: its repairs are run line by line, in a project that is broken on purpose."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.closure import ROOT
from tests.dvc_project import dvc_project

STAGE = """
import json, sys, time, yaml
from pathlib import Path
params = yaml.safe_load(Path("params.yaml").read_text())
if sys.argv[1] == "split":
    Path("data/splits.csv").write_text(str(params["fold"]))
    sys.exit()
print("training", flush=True)
time.sleep(params["wait"])
for name in ("models/unet.keras", "metrics/test.json", "plots/history.csv"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(json.dumps(params))
"""
DVC = """
stages:
  split:
    cmd: python stage.py split
    params: [fold]
    deps: [data/my-set]
    outs: [data/splits.csv]
  train:
    cmd: python stage.py train
    params: [lr, depth, wait]
    deps: [data/my-set, data/splits.csv]
    outs: [models/unet.keras]
    plots: [{plots/history.csv: {cache: false}}]
    metrics: [{metrics/test.json: {cache: false}}]
"""
MODEL, PARAMS = "models/unet.keras", {"lr": 1, "depth": 2, "wait": 0, "fold": 0}


class Project:
    """A project of one stage on a data set in DVC, whose run is committed on main."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.call = dvc_project(folder, STAGE, "")
        (folder / "dvc.yaml").write_text(DVC)
        (folder / ".gitignore").write_text(f"/{MODEL}\n/data/splits.csv\n/.config\n")
        (folder / "data/my-set").mkdir(parents=True)
        (folder / "data/my-set/image.png").write_text("an image")
        self.call("git", "checkout", "-q", "-b", "main")
        self.call("dvc", "config", "core.analytics", "false")
        self.call("dvc", "add", "-q", "data/my-set")
        self.run_with()

    def run_with(self, **changes: float) -> None:
        """Run the stage with these parameters, and commit."""
        (self.folder / "params.yaml").write_text(yaml.safe_dump(PARAMS | changes))
        self.call("dvc", "repro", "-q")
        self.call("git", "add", "-A")
        self.call("git", "commit", "-q", "-m", f"run with {changes}")

    def trained_with(self) -> dict[str, float]:
        return yaml.safe_load((self.folder / MODEL).read_text())

    def sh(self, commands: str, folder: Path | None = None) -> str:
        """What these commands print; not to a pipe, which workers of a queue would keep open."""
        log = self.folder.with_name("printed")
        self.call("bash", "-e", "-c", f"cd '{folder or self.folder}'\nexec > '{log}' 2>&1\n{commands}")
        return log.read_text()

    def recipe(self, title: str, folder: Path | None = None, **names: str) -> str:
        """Run the lines below this heading of the page; capitals stand for `names`. Returns what they print."""
        text = (ROOT / "docs/troubleshooting.md").read_text()
        block = re.search(rf"^## {title}$.*?^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
        for name, value in names.items():
            block = re.sub(rf"\b{name}\b", value, block)
        return self.sh(block, folder)

    def cached(self, path: str) -> Path:
        """The cache file of what is at `path`."""
        digest = hashlib.md5((self.folder / path).read_bytes()).hexdigest()
        return self.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def start(folder: Path, *command: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a command as a user does, and wait until its stage trains."""
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | path, stdout=file, stderr=file)
    wait_until(lambda: "training" in log.read_text())
    return process


def wait_until(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def processes_in(folder: Path) -> list[int]:
    """Those that work in this folder, or below it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve().is_relative_to(folder.resolve()):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def kill_all_in(folder: Path) -> None:
    for process in processes_in(folder):
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(process, signal.SIGKILL)


def test_a_conflict_in_the_lock_file(project):
    project.call("git", "checkout", "-q", "-b", "other")
    project.run_with(lr=2)
    project.call("git", "checkout", "-q", "main")
    project.run_with(lr=3, depth=5)
    merge = subprocess.run(["git", "merge", "-q", "other"], cwd=project.folder, capture_output=True, text=True)
    assert merge.returncode == 1 and "dvc.lock" in merge.stdout
    with pytest.raises(AssertionError, match=r"dvc.lock' is invalid \(possible merge conflicts\)"):
        project.call("dvc", "status")
    (project.folder / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"lr": 2, "depth": 5}))
    project.recipe("A conflict in `dvc.lock`")
    assert project.trained_with() == PARAMS | {"lr": 2, "depth": 5}
    assert "up to date" in project.call("dvc", "status") and not project.call("git", "status", "--short")
    assert project.call("git", "log", "--format=%s", "-1") == "Merge\n"


def test_a_killed_experiment(project, tmp_path):
    with (project.folder / "stage.py").open("a") as file:
        file.write("# my own change\n")
    process = start(project.folder, "dvc", "exp", "run", "-S", "wait=600", "-S", "fold=1", log=tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    try:
        assert project.call("git", "branch", "--show-current") == ""
        left = processes_in(project.folder)
        assert len(left) >= 1  # the stage, and the shell it was started in
    finally:
        kill_all_in(project.folder)
    assert not (project.folder / MODEL).exists()
    assert (project.folder / "data/splits.csv").read_text() == "1"
    project.recipe("A killed experiment")
    assert (project.folder / "data/splits.csv").read_text() == "0"
    assert project.call("git", "branch", "--show-current") == "main\n"
    assert project.call("git", "status", "--short") == " M stage.py\n"
    assert project.trained_with() == PARAMS
    project.call("dvc", "exp", "run", "-S", "lr=7")
    assert project.trained_with()["lr"] == 7
    assert project.call("git", "branch", "--show-current") == "main\n"


@pytest.mark.slow
def test_a_queue_after_a_crash(project):
    project.call("dvc", "exp", "run", "--queue", "-n", "dead", "-S", "wait=600")
    project.call("dvc", "exp", "run", "--queue", "-n", "waiting", "-S", "lr=4")
    try:
        project.sh("dvc queue start")
        wait_until(lambda: "training" in project.sh("dvc queue logs dead || true"))
        kill_all_in(project.folder)
        assert re.search("dead .*Running", project.call("dvc", "queue", "status"))
        copies = list((project.folder / ".dvc/tmp/exps").glob("tmp*"))
        assert len(copies) == 1
        project.recipe("A queue after a crash", NAME="dead")
        wait_until(lambda: "Success" in project.call("dvc", "queue", "status"))
        assert "dead" not in project.call("dvc", "queue", "status") and not copies[0].exists()
        assert "waiting" in project.call("dvc", "exp", "list")
    finally:
        kill_all_in(project.folder)


def damage(place: Path) -> None:
    """Other bytes, of the same number and with the same rights."""
    mode, content = place.stat().st_mode, place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(content[::-1])
    place.chmod(mode)


@pytest.mark.parametrize("storage", [True, False], ids=["storage", "none"])
def test_a_damaged_file_in_the_cache(project, tmp_path, storage):
    image = "data/my-set/image.png"
    if storage:
        project.call("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
        project.call("dvc", "push")
    good = {path: (project.folder / path).read_bytes() for path in (MODEL, image)}
    cached = {path: project.cached(path) for path in good}
    for path, place in cached.items():
        damage(place)
        (project.folder / path).unlink()
    project.call("dvc", "checkout")  # hands them out …
    assert {path: (project.folder / path).read_bytes()[::-1] for path in good} == good
    assert "up to date" in project.call("dvc", "status")  # … and knows of nothing
    if storage:
        printed = project.recipe("A damaged file in the cache")
    else:
        with pytest.raises(AssertionError):  # at dvc pull, after the line that deletes
            project.recipe("A damaged file in the cache")
        printed = project.folder.with_name("printed").read_text()
        (project.folder / image).write_bytes(good[image])
        project.sh("dvc add data/my-set && dvc repro")
    assert printed.count("removed") == 2
    for path, content in good.items():
        assert (project.folder / path).read_bytes() == cached[path].read_bytes() == content
    assert "up to date" in project.call("dvc", "status") and not project.call(
        "git", "diff", "--stat", "dvc.lock", "data"
    )


def test_storage_that_damages_is_found_by_verify(project, tmp_path):
    project.sh(f"dvc remote add -d store '{tmp_path}/store' && dvc push")
    damage(next((tmp_path / "store").rglob(project.cached(MODEL).name)))
    again = f"rm -r .dvc/cache {MODEL} && dvc pull"
    project.sh(again)
    assert (project.folder / MODEL).read_text()[0] == "}"
    project.sh(f"dvc remote modify store verify true && ! ({again})")
    assert not (project.folder / MODEL).exists()


def test_another_storage(project, tmp_path):
    old, new, mover, last = (tmp_path / name for name in ("old", "new", "mover", "last"))
    project.sh(f"""
dvc remote add -d store '{old}'
git init -q --bare -b main '{tmp_path}/origin.git'
git remote add origin '{tmp_path}/origin.git'""")
    project.run_with(lr=5)
    project.run_with(lr=2)
    project.sh("""
dvc exp run -n here -S lr=3 && git checkout -q . && dvc checkout --force
dvc exp run --temp -n copied -S lr=4
git push -q origin main && dvc push --all-commits --run-cache && dvc exp push --run-cache --all-commits origin""")
    identity = "git config user.name t && git config user.email t@t"
    project.sh(f"git clone -q '{tmp_path}/origin.git' '{mover}' && cd '{mover}' && {identity}")
    project.recipe("Another storage", mover, URL=str(new))
    files = [{path.relative_to(place) for path in place.rglob("*") if path.is_file()} for place in (old, new)]
    assert files[0] == files[1] and len(files[0]) > 7
    project.sh(f"git push -q origin main && rm -r '{old}' && git clone -q '{tmp_path}/origin.git' '{last}'", mover)
    project.sh("dvc pull && dvc status", last)
    assert yaml.safe_load((last / MODEL).read_text())["lr"] == 2
    again = f"dvc remote add --local new '{new}' && dvc exp pull -r new origin copied && dvc exp apply copied"
    project.sh(again, last)
    assert yaml.safe_load((last / MODEL).read_text())["lr"] == 4
    project.sh("git checkout -q -f main~2 && dvc pull --force -r new", last)
    assert yaml.safe_load((last / MODEL).read_text())["lr"] == 5
