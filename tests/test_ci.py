"""The scripts of the workflows, run as GitHub would, on a tiny project and with a stand-in for GitHub's command."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tests.test_compare import STAGE
from tools.verify import arguments

MORE = """
import json
assert not pathlib.Path(".dvc/config.local").exists()  # the runner may kill a job, and would leave it there
for name in ("plots/overlays", "metrics"):
    pathlib.Path(name).mkdir(parents=True, exist_ok=True)
pathlib.Path("plots/overlays/00.png").write_text(f"picture {params}")
pathlib.Path("plots/report.html").write_text("page")
pathlib.Path("metrics/test.json").write_text(json.dumps({"dice": {"mean": 0.5 + params["train"]["lr"]}}))
"""
OUTS = "data/evaluation, data/prepared, plots/overlays, plots/report.html"
METRICS = "    metrics: [metrics/test.json: {cache: false}]\n"
VERIFY = """
import os, pathlib, sys
assert sys.argv[1:4] == ["HEAD", "--other-hardware", "--markdown"] and len(sys.argv) == 5, sys.argv
if words := os.environ["VERIFY_SAYS"]:
    pathlib.Path(sys.argv[4]).write_text(words)
sys.exit(int(os.environ["VERIFY_STATUS"]))
"""
GH = """#!/usr/bin/env bash
echo "$*" >> "$SAID/arguments"
if [ "${!#}" = - ]; then cat > "$SAID/body"; fi
"""
TENSORFLOW = "class config: list_physical_devices = staticmethod(lambda kind: {found})\n"
GITHUB = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "me/project", "GITHUB_RUN_ID": "77"}
NAME = "ci-77-1"


def script(name: str, folder: Path, said: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the workflows in `folder`; what it tells GitHub lies in `said`."""
    (said / "bin").mkdir(parents=True, exist_ok=True)
    (said / "bin/gh").write_text(GH)
    (said / "bin/gh").chmod(0o755)
    (said / "temp").mkdir(exist_ok=True)
    environment = {
        "PATH": f"{said / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(said),  # whose Git knows nobody's name
        "SAID": str(said),
        "RUNNER_TEMP": str(said / "temp"),
        "GITHUB_OUTPUT": str(said / "outputs"),
        "GITHUB_PATH": str(said / "path"),
    }
    command = [ROOT / name]
    return subprocess.run(command, cwd=folder, env=environment | GITHUB | variables, capture_output=True, text=True)


def git(folder: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """origin.git and storage: main has results, `code` the same parameters; `rate` another, `finished` the results of
    that, too; that of `broken` fails.
    """
    hub = tmp_path_factory.mktemp("hub")
    project = hub / "project"
    project.mkdir()
    call = dvc_project(project, STAGE + MORE, "seed: 0\ntrain: {lr: 0.1}\n")
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("data/evaluation, data/prepared", OUTS) + METRICS)
    (project / ".gitignore").write_text("/data\n/plots\n/logs/\n/.venv\n__pycache__\n")
    shutil.copytree(ROOT / "tools", project / "tools")
    (project / "tools/verify.py").write_text(VERIFY)
    call("dvc", "repro", "-q")
    call("git", "add", "-A")
    call("git", "commit", "-q", "-m", "results")
    call("git", "branch", "-M", "main")
    for branch, rate in (("rate", "0.3"), ("broken", "none")):
        call("git", "checkout", "-q", "-b", branch, "main")
        (project / "params.yaml").write_text(f"seed: 0\ntrain: {{lr: {rate}}}\n")
        call("git", "commit", "-q", "-a", "-m", branch)
    call("git", "checkout", "-q", "-b", "finished", "rate")
    call("dvc", "repro", "-q")
    call("git", "commit", "-q", "-a", "-m", "its results")
    call("git", "checkout", "-q", "-b", "code", "main")
    (project / "note.md").write_text("nothing that a stage reads")
    call("git", "add", "note.md")
    call("git", "commit", "-q", "-m", "code")
    call("git", "checkout", "-q", "main")
    call("dvc", "remote", "add", "-q", "-d", "store", str(hub / "storage"))
    call("dvc", "push", "-q")
    call("git", "checkout", "-q", ".dvc/config")
    (project / "params.yaml").write_text("seed: 1\ntrain: {lr: 0.1}\n")  # main goes on
    call("git", "commit", "-q", "-a", "-m", "later")
    git(hub, "clone", "-q", "--bare", str(project), "origin.git")
    return hub


def checked_out(hub: Path, folder: Path, branch: str) -> tuple[Path, dict[str, str]]:
    """A clone at a branch, as on the GPU runner, and the variables of `.ci/reproduce`."""
    git(hub, "clone", "-q", "-b", branch, str(hub / "origin.git"), str(folder))
    git(folder, "checkout", "-q", "--detach")
    return folder, {"BASE": git(folder, "rev-parse", "origin/main"), "NAME": NAME}


def storage(hub: Path) -> str:
    return f"[core]\n    remote = store\n['remote \"store\"']\n    url = {hub / 'storage'}\n"


@pytest.mark.parametrize(
    ("branch", "labelled", "wanted"),
    [("code", "false", "false"), ("code", "true", "true"), ("rate", "false", "true"), ("rate", "true", "true")],
)
def test_a_reproduction_is_wanted_for_the_label_or_other_parameters(hub, tmp_path, branch, labelled, wanted):
    clone, variables = checked_out(hub, tmp_path / "clone", branch)
    found = script(".ci/wanted", clone, tmp_path / "said", LABELLED=labelled, **variables)
    assert found.returncode == 0 and (tmp_path / "said/outputs").read_text() == f"wanted={wanted}\n"


def test_what_cannot_be_told_is_an_error(hub, tmp_path):
    clone, _ = checked_out(hub, tmp_path / "clone", "code")
    found = script(".ci/wanted", clone, tmp_path / "said", LABELLED="true", BASE="0" * 40)
    assert found.returncode != 0 and not (tmp_path / "said/outputs").exists()


def test_other_parameters_from_the_run_to_the_comment_and_to_the_author(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "rate")
    said, out = tmp_path / "said", clone / "logs/reproduction"
    found = script(".ci/reproduce", clone, said, DVC_CONFIG_LOCAL=storage(hub), **variables)
    assert found.returncode == 0, found.stdout + found.stderr
    assert str(hub / "storage") not in (out / "comment.md").read_text()
    assert (said / "temp/dvc").stat().st_mode & 0o777 == 0o700 and (said / "temp/dvc/config").is_file()
    assert {path.name for path in out.iterdir()} == {"comment.md", "experiment.bundle", "pictures", "report.html"}

    later = tmp_path / "later"  # the job that may write: another machine, with the base checked out
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "main", f"file://{hub / 'origin.git'}", str(later))
    shutil.copytree(out, later / "logs/reproduction")
    variables = {"COMMIT": git(clone, "rev-parse", "HEAD"), "NAME": NAME, "PULL_REQUEST": "7"}
    assert script(".ci/publish", later, said, **variables | {"NAME": "ci-77-2"}).returncode != 0  # it is not there
    (said / "arguments").unlink()
    found = script(".ci/publish", later, said, **variables)
    assert found.returncode == 0, found.stdout + found.stderr
    refs = dict(line.split("\t")[::-1] for line in git(later, "ls-remote", "origin").splitlines())
    pictures = refs["refs/ci-pictures/7"]
    assert (said / "outputs").read_text() == f"pictures={pictures}\n"
    assert git(hub / "origin.git", "show", f"{pictures}:00.png").startswith("picture {'seed': 0, 'train': {'lr': 0.3}}")
    assert [ref for ref in refs if ref.startswith("refs/exps/")] == [
        f"refs/exps/{variables['COMMIT'][:2]}/{variables['COMMIT'][2:]}/{NAME}"
    ]

    links = {"PICTURES": pictures, "PAGE": "https://page", "FILES": "https://files", "RESULT": "success"}
    found = script(".ci/comment", later, said, PULL_REQUEST="7", **links)
    assert found.returncode == 0, found.stderr
    expected = "pr comment 7 --repo me/project --edit-last --create-if-none --body-file -"
    assert (said / "arguments").read_text().splitlines() == ["auth setup-git", expected]
    body = (said / "body").read_text()
    assert body.startswith(
        f"### `dvc.lock` is not up to date, so this ran as experiment `{NAME}`\n\nPushed to the storage."
    )
    assert f"`dvc exp pull origin {NAME} && dvc exp apply {NAME}`" in body
    assert "### Is B better than A?" in body and "| better" in body and "<code>train.lr</code>" in body
    assert "| metrics/test.json | dice.mean | 0.6 " in body and "| params.yaml | train.lr | 0.1 " in body
    assert "| params.yaml | seed" not in body  # what main did later is no part of the pull request
    assert f"![00.png](https://github.com/me/project/raw/{pictures}/00.png)" in body
    assert "(https://page)" in body and "(https://files)" in body and "me/project/actions/runs/77)" in body

    author, _ = checked_out(hub, tmp_path / "author", "rate")
    (author / ".dvc/config.local").write_text(storage(hub))
    dvc = [Path(sys.executable).parent / "dvc"]
    for command in (["exp", "pull", "origin", NAME], ["exp", "apply", NAME]):
        subprocess.run([*dvc, *command], cwd=author, check=True, capture_output=True)
    assert (author / "plots/overlays/00.png").read_text().endswith("'lr': 0.3}}")


def test_without_storage_nothing_is_pushed_and_the_comment_says_so(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "rate")
    found = script(".ci/reproduce", clone, tmp_path / "said", DVC_CONFIG_LOCAL="", **variables)
    assert found.returncode == 0, found.stdout + found.stderr
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert "No storage is configured" in text and "Pushed" not in text
    assert "### No paired comparison" in text and "no scores of these runs are available here" in text
    assert "| metrics/test.json | dice.mean | 0.6 " in text
    assert {path.name for path in (clone / "logs/reproduction").iterdir()} == {"comment.md", "pictures", "report.html"}


def test_a_storage_that_takes_nothing_fails_the_job_and_the_comment_says_so(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "rate")
    (tmp_path / "file").write_text("no folder")
    lost = storage(hub).replace(str(hub / "storage"), str(tmp_path / "file/storage"))
    found = script(".ci/reproduce", clone, tmp_path / "said", DVC_CONFIG_LOCAL=lost, **variables)
    assert found.returncode == 1
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert "Pushing to the storage failed" in text and "| metrics/test.json | dice.mean | 0.6 " in text
    assert not (clone / "logs/reproduction/experiment.bundle").exists()


def test_a_run_that_fails_fails_the_job_and_is_commented_on(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "broken")
    found = script(".ci/reproduce", clone, tmp_path / "said", **variables)
    assert found.returncode == 1 and "TypeError" in found.stderr
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert text == "### The run failed; see the log\n"


def test_results_that_are_not_in_the_storage_fail_the_job_and_the_comment_says_so(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "code")
    empty = storage(hub).replace(str(hub / "storage"), str(tmp_path / "empty"))
    verify = {"VERIFY_SAYS": "### Reproduced\n", "VERIFY_STATUS": "0", "DVC_CONFIG_LOCAL": empty}
    found = script(".ci/reproduce", clone, tmp_path / "said", **verify, **variables)
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert found.returncode == 1 and text.startswith("### Reproduced\n") and "The storage lacks the pictures" in text


def test_results_of_other_parameters_are_verified_and_not_run_as_an_experiment(hub, tmp_path):
    clone, variables = checked_out(hub, tmp_path / "clone", "finished")
    verify = {"VERIFY_SAYS": "### Reproduced\n", "VERIFY_STATUS": "0"}
    found = script(".ci/reproduce", clone, tmp_path / "said", **verify, **variables)
    assert found.returncode == 0, found.stdout + found.stderr
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert text.startswith("### Reproduced\n") and "| metrics/test.json | dice.mean | 0.6 " in text
    assert not git(clone, "for-each-ref", "refs/exps")


@pytest.mark.parametrize(("words", "status"), [("### Reproduced\n", "0"), ("### Not reproduced\n", "1"), ("", "1")])
def test_equal_parameters_are_verified(hub, tmp_path, words, status):
    clone, variables = checked_out(hub, tmp_path / "clone", "code")
    verify = {"VERIFY_SAYS": words, "VERIFY_STATUS": status, "DVC_CONFIG_LOCAL": storage(hub) if words else ""}
    found = script(".ci/reproduce", clone, tmp_path / "said", **verify, **variables)
    assert found.returncode == int(status), found.stdout + found.stderr
    text = (clone / "logs/reproduction/comment.md").read_text()
    assert text.startswith(words or "### tools.verify failed; see the log")
    assert ("### Is B better than A?" if words else "### No paired comparison") in text
    assert text.count("None differ.") == 2
    assert (clone / "logs/reproduction/pictures/00.png").exists() == bool(words)
    assert not (clone / "logs/reproduction/experiment.bundle").exists()


def test_the_real_verify_takes_these_arguments():
    command = re.search(r"python -m tools\.verify (.*) \|\|", (ROOT / ".ci/reproduce").read_text())
    arguments().parse_args(shlex.split(command[1]))


def test_pictures_take_the_place_of_earlier_ones_and_nothing_else_is_published(hub, tmp_path):
    folder = tmp_path / "later"
    git(tmp_path, "clone", "-q", str(hub / "origin.git"), str(folder))
    variables = {"COMMIT": git(folder, "rev-parse", "HEAD"), "NAME": NAME, "PULL_REQUEST": "8"}
    pictures = folder / "logs/reproduction/pictures"
    pictures.mkdir(parents=True)
    found = script(".ci/publish", folder, tmp_path / "said", **variables)
    assert found.returncode == 0 and not (tmp_path / "said/outputs").exists()
    (pictures / "00.png").write_text("first")
    assert script(".ci/publish", folder, tmp_path / "said", **variables).returncode == 0
    (pictures / "00.png").write_text("second")
    (pictures / "01.png").symlink_to(tmp_path / "said/bin/gh")
    (pictures / "run.sh").write_text("no picture")
    git(folder, "init", "-q", "--bare", str(pictures.parent))  # whose configuration could name commands to run
    assert script(".ci/publish", folder, tmp_path / "said", **variables).returncode == 0
    first, second = (line.removeprefix("pictures=") for line in (tmp_path / "said/outputs").read_text().splitlines())
    origin = hub / "origin.git"
    assert git(origin, "rev-parse", "refs/ci-pictures/8") == second != first
    assert git(origin, "ls-tree", "--name-only", second) == "00.png"
    assert git(origin, "show", f"{second}:00.png") == "second"
    assert git(origin, "log", "--format=%s", second) == "Pictures of pull request 8"


def test_a_run_that_left_nothing_is_commented_on(tmp_path):
    variables = {"PULL_REQUEST": "7", "RESULT": "failure", "PICTURES": "", "PAGE": "", "FILES": ""}
    found = script(".ci/comment", tmp_path, tmp_path / "said", **variables)
    assert found.returncode == 0, found.stderr
    body = (tmp_path / "said/body").read_text()
    assert body.startswith("### The reproduction ended before it wrote a report (failure)\n") and "runs/77" in body
    assert "Test images" not in body and "()" not in body


def test_a_long_comment_is_cut_between_characters(tmp_path):
    (tmp_path / "logs/reproduction").mkdir(parents=True)
    (tmp_path / "logs/reproduction/comment.md").write_text("a" + "–" * 70_000)
    variables = {"PULL_REQUEST": "7", "RESULT": "success", "PICTURES": "", "PAGE": "", "FILES": "https://files"}
    assert script(".ci/comment", tmp_path, tmp_path / "said", **variables).returncode == 0
    body = (tmp_path / "said/body").read_text()
    assert body.count("–") == 49_999 and "cut off here" in body and body.endswith("(https://files)\n")


def test_an_environment_for_gpus_needs_one(tmp_path):
    (tmp_path / "requirements-gpu.txt").write_text("# a stand-in: none of the gigabytes\n")
    (tmp_path / "stand-in").mkdir()
    said, variables = tmp_path / "said", {"PYTHONPATH": str(tmp_path / "stand-in"), "PIP_NO_INDEX": "1"}
    (tmp_path / "stand-in/tensorflow.py").write_text(TENSORFLOW.format(found=[]))
    done = script(".ci/install-gpu", tmp_path, said, **variables)
    assert done.returncode == 1 and "TensorFlow finds no GPU" in done.stderr and not (said / "path").exists()
    (tmp_path / "stand-in/tensorflow.py").write_text(TENSORFLOW.format(found=["GPU:0"]))
    done = script(".ci/install-gpu", tmp_path, said, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (said / "path").read_text() == f"{tmp_path / '.venv/bin'}\n" and (tmp_path / ".venv/bin/python").exists()


def test_a_lock_that_is_up_to_date_passes_and_a_stale_one_does_not(hub, tmp_path):
    clone, _ = checked_out(hub, tmp_path / "clone", "code")
    found = script(".ci/lock", clone, tmp_path / "said")
    assert found.returncode == 0 and found.stdout == "dvc.lock is up to date\n", found.stderr
    (clone / "metrics/test.json").write_text("{}")
    found = script(".ci/lock", clone, tmp_path / "said")
    assert found.returncode == 1 and "not up to date with: evaluate\n" in found.stderr
    git(clone, "checkout", "-q", "--", "metrics")
    git(clone, "checkout", "-q", "origin/rate", "--", "params.yaml")
    assert script(".ci/lock", clone, tmp_path / "said").returncode == 1


@pytest.mark.parametrize("text", ["stages: [\n", "stages: {}\n"])
def test_a_lock_that_cannot_be_checked_does_not_pass(hub, tmp_path, text):
    clone, _ = checked_out(hub, tmp_path / "clone", "code")
    (clone / "dvc.yaml").write_text(text)
    assert script(".ci/lock", clone, tmp_path / "said").returncode != 0


def test_a_lock_does_not_pass_where_dvc_fails(tmp_path):
    dvc = tmp_path / "said/bin/dvc"
    dvc.parent.mkdir(parents=True)
    says = "Stage 'evaluate' didn't change, skipping"
    for status in (0, 1):
        dvc.write_text(f'#!/bin/sh\n[ $1 = stage ] && echo evaluate || {{ echo "{says}"; exit {status}; }}\n')
        dvc.chmod(0o755)
        assert script(".ci/lock", tmp_path, tmp_path / "said").returncode == status
