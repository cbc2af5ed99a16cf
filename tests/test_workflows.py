"""The workflows: what may do what, that their steps are scripts which tests run, and that their checks can fail."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.files import read_yaml
from tests.closure import ROOT

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.stem: read_yaml(path) for path in FOLDER.glob("*.yml")}
JOBS = {f"{name}/{key}": job for name, workflow in WORKFLOWS.items() for key, job in workflow["jobs"].items()}
GUARD = "github.event.pull_request.head.repo.full_name == github.repository"
UNTRIED = {".ci/run"}  # what runs these tests


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    command = [ROOT / ".ci/workflows", folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=path)


def test_every_step_is_an_action_or_a_script_that_is_tried():
    tried = set(re.findall(r'"(\.ci/[a-z-]+)"', (ROOT / "tests/test_ci.py").read_text())) | UNTRIED
    called = set()
    for job in JOBS.values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            if "run" in step:
                assert re.fullmatch(r"\.ci/[a-z-]+", step["run"]), step  # nothing from outside stands in a command
                called.add(step["run"])
    assert called and called <= tried and all((ROOT / script).stat().st_mode & 0o111 for script in called)


def test_every_script_stops_at_errors_and_says_what_it_does():
    for path in (ROOT / ".ci").iterdir():
        lines = path.read_text().splitlines()
        assert lines[0] == "#!/usr/bin/env bash" and lines[1].startswith("# "), path
        assert "set -euo pipefail" in lines, path
        subprocess.run(["bash", "-n", path], check=True)


def test_actions_are_pinned_and_leave_no_credentials_behind():
    for path in FOLDER.glob("*.yml"):
        for line in path.read_text().splitlines():
            if "uses:" in line:
                assert re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    checkouts = [
        step for job in JOBS.values() for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(checkouts) == len(JOBS) and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_least_is_permitted():
    assert all(workflow["permissions"] == {} and "concurrency" in workflow for workflow in WORKFLOWS.values())
    assert all(0 < job["timeout-minutes"] <= 360 for job in JOBS.values())
    writes = {name: job["permissions"] for name, job in JOBS.items() if "write" in job["permissions"].values()}
    assert writes == {
        "reproduce/publish": {"contents": "write"},
        "reproduce/comment": {"contents": "read", "pull-requests": "write"},
    }
    for name in writes:  # nothing of the pull request runs where a token can write, but what lies in its base does
        (checkout,) = [step for step in JOBS[name]["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert {name for name, job in JOBS.items() if "secrets." in str(job)} == {"reproduce/reproduce"}


def test_forks_get_neither_the_machine_nor_secrets():
    assert set(WORKFLOWS["reproduce"]["on"]) == {"pull_request"}  # to which GitHub gives no secrets of a fork
    assert set(WORKFLOWS["test"]["on"]) == {"push", "pull_request"}
    for name, job in JOBS.items():
        assert "pull_request_target" not in str(job)
        if "self-hosted" in job["runs-on"]:
            assert name == "reproduce/reproduce" and job["needs"] == "wanted"
            assert job["if"] == "needs.wanted.outputs.wanted == 'true'"
    first = JOBS["reproduce/wanted"]["if"].split("&&")[0]  # all others need it, and are skipped with it
    assert first.strip() == GUARD and "||" not in first
    assert JOBS["reproduce/publish"]["needs"] == "reproduce"
    assert JOBS["reproduce/comment"]["needs"] == ["reproduce", "publish"]


def test_what_is_published_is_of_the_attempt_that_ran_and_a_timeout_is_commented_on():
    reproduce, publish = JOBS["reproduce/reproduce"], JOBS["reproduce/publish"]
    (ran,) = [step["env"]["NAME"] for step in reproduce["steps"] if step.get("run") == ".ci/reproduce"]
    (published,) = [step["env"]["NAME"] for step in publish["steps"] if step.get("run") == ".ci/publish"]
    assert reproduce["outputs"]["name"] == ran and published == "${{ needs.reproduce.outputs.name }}"
    assert JOBS["reproduce/comment"]["if"] == "${{ !cancelled() && needs.reproduce.result != 'skipped' }}"


def test_the_workflows_pass_the_checks():
    found = check(FOLDER)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("runs-on: ubuntu-latest", "runs_on: ubuntu-latest", "Schema validation errors"),
        ("run: .ci/run", "run: echo ${{ github.event.pull_request.title }}", "template-injection"),
        ("  pull_request:", "  pull_request_target:", "dangerous-triggers"),
        ("        with:\n          persist-credentials: false\n", "", "artipacked"),
        ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6", "unpinned-uses"),
        ("permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
    ],
)
def test_the_checks_can_fail(tmp_path, good, bad, words):
    shutil.copy(FOLDER / "test.yml", tmp_path)
    text = (tmp_path / "test.yml").read_text()
    assert good in text
    (tmp_path / "test.yml").write_text(text.replace(good, bad))
    found = check(tmp_path)
    assert found.returncode != 0 and words in found.stdout + found.stderr
