"""`python -m tools.verify`: a tiny DVC project that is reproduced, and many that are not."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from src.report.text.verified import verified_markdown
from src.reproduction.verify.claims import shortened_otherwise
from src.reproduction.verify.compared import OutRow, compare_outs, compare_scores, first_differing_stages
from src.reproduction.verify.environment import other_libraries
from src.reproduction.verify.tolerances import TOLERANCE
from src.reproduction.verify.verify import Verified
from src.reproduction.verify.verify import verify as verify_here
from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tests.test_compare import NASTY

STAGE = """
import json, os, sys, time
from pathlib import Path

def write(name, text):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)

if os.environ.get("FAIL") in sys.argv:
    sys.exit("it fails")
stage, off = sys.argv[1], float(os.environ.get("OFF", 0))
if stage == "prepare":
    print("working in", Path().resolve(), flush=True)
    time.sleep(float(os.environ.get("SLOW", 0)))
    write("data/prepared/pixels", Path("data/set/a.txt").read_text() * 3 + os.environ.get("PIXELS", ""))
if stage == "train":
    seed = int(Path("params.yaml").read_text().split()[1])
    write("models/unet.keras", f"{len(Path('data/prepared/pixels').read_text())} {seed} {off}")
    write("metrics/train.json", json.dumps({"epochs": 2, "validation": {"loss": 0.5 + off}}))
if stage == "evaluate":
    score = 0.7 + float(Path("models/unet.keras").read_text().split()[2])
    write("metrics/test.json", json.dumps({"dice": {"mean": round(score, 6)}, "images": 7, "hd95": {"mean": 3.0}}))
"""
DVC = """
stages:
  prepare:
    cmd: python stage.py prepare
    deps: [data/set, stage.py]
    outs: [data/prepared]
  train:
    cmd: python stage.py train
    deps: [data/prepared, stage.py]
    params: [seed]
    outs: [models/unet.keras]
    metrics: [metrics/train.json: {cache: false}]
  evaluate:
    cmd: python stage.py evaluate
    deps: [models/unet.keras, stage.py]
    metrics: [metrics/test.json: {cache: false}]
"""
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """A project whose results are committed; its data set is tracked by DVC, and in the cache."""
    folder = tmp_path_factory.mktemp("committed")
    call = dvc_project(folder, STAGE, "seed: 0")
    (folder / "dvc.yaml").write_text(DVC)
    (folder / ".gitignore").write_text("/data/prepared\n/data/set\n/models/unet.keras\n")
    (folder / "data/set").mkdir(parents=True)
    (folder / "data/set/a.txt").write_text("pixels")
    call("dvc", "add", "-q", "data/set")
    call("dvc", "repro", "-q")
    call("git", "add", "-A")
    call("git", "commit", "-q", "-m", "results")
    return folder


@pytest.fixture
def project(committed, tmp_path):
    return shutil.copytree(committed, tmp_path / "project", symlinks=True)


def call(folder, *command, **environment):
    environment = ENVIRONMENT | {"HOME": str(folder), "TMPDIR": str(temporary(folder))} | environment
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in found.stdout + found.stderr
    return found


def commit(folder, message="changed"):
    for command in (["add", "-A"], ["commit", "-q", "-m", message]):
        found = call(folder, "git", *command)
        assert found.returncode == 0, found.stderr


def temporary(folder):
    (folder.parent / "tmp").mkdir(exist_ok=True)
    return folder.parent / "tmp"


def verify(folder, *arguments, **environment):
    """Verify, and make sure that the repository is as it was and that no copy is left."""
    before = contents(folder)
    found = call(folder, sys.executable, "-m", "tools.verify", *arguments, **environment)
    assert contents(folder) == before
    assert not list(temporary(folder).glob("verify-*"))
    return found


def contents(folder):
    """path → digest of all but what DVC keeps for itself, the cache and Git's index included."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(folder / ".dvc/tmp")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(printed):
    """out → the last word of its row."""
    lines = [line.split() for line in printed.splitlines()]
    return {words[0]: words[-1] for words in lines if len(words) > 2 and words[0] in OUTS}


def problems(folder, monkeypatch, name="HEAD"):
    """What is wrong with a revision as it stands, found in this process, which runs no stage; the project untouched."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("src.reproduction.verify.verify.reproduce", lambda _: pytest.fail("it was run"))
    before = contents(folder)
    verified = verify_here(name, False, TOLERANCE)
    assert contents(folder) == before and verified.outs is None
    return verified.failures


OUTS = ["data/prepared", "models/unet.keras", "metrics/train.json", "metrics/test.json"]


def test_a_good_revision_is_reproduced(project):
    (project / "params.yaml").write_text("seed: 5")  # not committed
    found = verify(project, "--markdown", "../verified.md")
    assert found.returncode == 0, found.stderr
    assert rows(found.stdout) == dict.fromkeys(OUTS, "same")
    assert found.stdout.count("Running stage") == 3 and "HEAD (" in found.stdout
    assert found.stdout.count("Uncommitted changes in the workspace are no part of what is verified.") == 2
    page = (project.parent / "verified.md").read_text()
    assert page.startswith("### Is it reproducible? yes") and page.count("| same |") == 4


def test_outputs_outside_of_git_are_not_needed(project):
    for name in ("models/unet.keras", "metrics/test.json"):
        (project / name).unlink()
    shutil.rmtree(project / "data/prepared")
    kept = yaml.safe_load((project / "data/set.dvc").read_text())["outs"][0]["md5"]
    for path in (project / ".dvc/cache/files/md5").rglob("*"):
        inside = path.is_file() and (path.parent.name + path.name == kept or path.read_text() == "pixels")
        if path.is_file() and not inside:
            path.chmod(0o644)
            path.unlink()
    found = verify(project, "HEAD")
    assert found.returncode == 0 and rows(found.stdout) == dict.fromkeys(OUTS, "same"), found.stderr


def test_an_edited_score_is_found_without_a_run(project):
    text = (project / "metrics/test.json").read_text()
    (project / "metrics/test.json").write_text(text.replace("0.7", "0.9"))
    commit(project)
    found = verify(project, "--markdown", "../verified.md")
    assert found.returncode == 1 and "Running stage" not in found.stdout
    lines = found.stderr.splitlines()
    assert lines[0] == "verify: HEAD cannot be verified" and len(lines) == 2
    assert lines[1].startswith("  metrics/test.json: not the file that stage evaluate wrote, by its hash in dvc.lock")
    page = (project.parent / "verified.md").read_text()
    assert page.startswith("### Is it reproducible? no") and "metrics/test.json: not the file" in page
    assert verify(project, "HEAD~1").returncode == 0


def test_scores_and_lock_edited_alike_are_found_by_the_run(project):
    content, lock = (project / "metrics/test.json").read_bytes(), (project / "dvc.lock").read_text()
    edited = content.replace(b"0.7", b"0.9")
    digests = [hashlib.md5(text).hexdigest() for text in (content, edited)]
    assert lock.count(digests[0]) == 1
    (project / "metrics/test.json").write_bytes(edited)
    (project / "dvc.lock").write_text(lock.replace(*digests))
    commit(project)
    found = verify(project)
    assert found.returncode == 1
    assert rows(found.stdout) == dict.fromkeys(OUTS, "same") | {"metrics/test.json": "DIFFERS"}
    assert "verify: HEAD is not reproduced\n  metrics/test.json: differs\n  it began in stage evaluate" in found.stderr
    assert "--other-hardware" in found.stderr


def test_the_first_stage_that_differs_is_named(project):
    found = verify(project, OFF="0.01")
    assert found.returncode == 1
    expected = dict.fromkeys(OUTS, "DIFFERS") | {"data/prepared": "same"}
    assert rows(found.stdout) == expected
    assert "it began in stage train" in found.stderr and found.stderr.count("it began") == 1


@pytest.mark.slow
def test_other_hardware_within_and_beyond_the_tolerance(project):
    found = verify(project, "--other-hardware", "--markdown", "../verified.md", OFF="0.015")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("differs, as it may there") == 3
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["dice.mean", "0.7000", "0.7150", "+0.0150", "0.02", "ok"] in lines
    assert "1 counts and settings are equal, as they must be; 1 are not judged: hd95.mean." in found.stdout
    assert "| 0.7150 | +0.0150 | 0.02 | ok |" in (project.parent / "verified.md").read_text()
    found = verify(project, "--other-hardware", OFF="0.025")
    assert found.returncode == 1
    assert "metrics/test.json: dice.mean: 0.7 then, 0.725 now, tolerance 0.02" in found.stderr
    assert "validation.loss" not in found.stderr  # five times as far
    assert verify(project, "--other-hardware", "--tolerance", "0.03", OFF="0.025").returncode == 0
    found = verify(project, "--other-hardware", PIXELS="!")  # before training
    assert found.returncode == 1 and rows(found.stdout)["data/prepared"] == "DIFFERS"
    assert "it began in stage prepare" in found.stderr and "--other-hardware" not in found.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("params.yaml", "seed: 0", "seed: 1", "stage train ran with other parameters than params.yaml holds (seed)"),
        ("stage.py", "import json", "import json, re", "stage prepare ran with another stage.py than this revision"),
        ("dvc.yaml", "stage.py train", "stage.py train x", "the command of stage train is another one in dvc.yaml"),
        ("dvc.yaml", "outs: [data/prepared]", "outs: [data/prepared, x]", "says nothing of x, which stage prepare"),
        ("data/set.dvc", "", "", "stage prepare ran with another data/set than this revision holds"),
        ("dvc.lock", "  evaluate:", "  evaluated:", "says nothing of stage evaluate"),
    ],
)
def test_a_stale_lock_is_found_without_a_run(project, monkeypatch, file, old, new, said):
    if file == "data/set.dvc":
        (project / "data/set/a.txt").unlink()
        (project / "data/set/a.txt").write_text("others")
        assert call(project, "dvc", "add", "-q", "data/set").returncode == 0
    path = project / file
    path.write_text(path.read_text().replace(old, new))
    commit(project)
    found = [line for line in problems(project, monkeypatch) if line.startswith(f"dvc.lock: {said}")]
    assert found and all("→ dvc repro, and commit" in line for line in found)


def test_an_input_that_no_stage_wrote_is_found(project, monkeypatch):
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    read = next(dep for dep in lock["stages"]["evaluate"]["deps"] if dep["path"] == "models/unet.keras")
    read["md5"] = "0" * 32
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    commit(project)
    said = "dvc.lock: stage evaluate read another models/unet.keras than stage train wrote"
    assert [line.partition(" →")[0] for line in problems(project, monkeypatch)] == [said]


def test_data_is_fetched_from_a_remote_or_reported_missing(project):
    remote = project.parent / "remote"
    assert call(project, "dvc", "remote", "add", "-q", "-d", "store", "../remote").returncode == 0  # a relative path
    commit(project)
    assert call(project, "dvc", "push", "-q", "data/set.dvc").returncode == 0
    shutil.rmtree(project / ".dvc/cache")
    found = verify(project)
    assert found.returncode == 0, found.stderr
    shutil.rmtree(remote)
    found = verify(project)
    assert found.returncode == 1 and "Running stage" not in found.stdout
    said = "data/set: the data of data/set.dvc is neither in the cache nor in a remote"
    assert f"verify: HEAD cannot be verified\n  {said}" in found.stderr and "dvc pull data/set" in found.stderr
    (project / "data/set.dvc").unlink()
    commit(project)
    found = verify(project)
    assert found.returncode == 1
    assert "data/set: stage prepare reads it, and it is neither in Git nor in DVC at this revision" in found.stderr


def test_an_experiment_is_verified_by_its_name(project):
    assert call(project, "dvc", "exp", "run", "-q", "--temp", "-n", "tried", "-S", "seed=3").returncode == 0
    found = verify(project, "tried")
    assert found.returncode == 0 and "tried (" in found.stdout, found.stderr


@pytest.mark.parametrize("name", ["nothing", "HEAD:params.yaml", "-x"])
def test_an_unknown_revision_is_refused(project, name):
    found = verify(project, "--", name)
    assert found.returncode == 1 and found.stderr.startswith(f"verify: {name}: "), found.stderr
    assert "dvc exp list" in found.stderr and len(found.stderr.splitlines()) == 1


def test_verify_refuses_what_it_cannot_verify(project, tmp_path):
    found = verify(project, "HEAD~1")
    assert found.returncode == 1 and "dvc.lock: not in Git at this revision" in found.stderr
    assert "--tolerance needs" in verify(project, "--tolerance", "0.1").stderr
    found = call(project, sys.executable, "-m", "tools.verify", TMPDIR=str(project / "data"))
    assert found.returncode == 1 and "lies in the repository" in found.stderr
    (project / ".gitignore").open("a").write("/metrics/test.json\n")
    assert call(project, "git", "rm", "-q", "--cached", "metrics/test.json").returncode == 0
    commit(project)
    assert "metrics/test.json: not in Git at this revision" in verify(project, "--other-hardware").stderr
    (tmp_path / "elsewhere").mkdir()
    found = call(tmp_path / "elsewhere", sys.executable, "-m", "tools.verify", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert found.returncode == 1 and "not a git repository" in found.stderr


def test_a_failing_stage_is_reported(project):
    found = verify(project, FAIL="train")
    assert found.returncode == 1 and "it fails" in found.stderr and "Running stage 'evaluate'" not in found.stdout
    assert found.stderr.endswith("  the run ended with status 255; what it printed says why\n"), found.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_verification_leaves_no_process_and_no_copy(project, number):
    environment = ENVIRONMENT | {"HOME": str(project), "TMPDIR": str(temporary(project)), "SLOW": "60"}
    command = [sys.executable, "-m", "tools.verify"]
    before = contents(project)
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in process.stdout:
        if "working in" in line:
            break
    os.kill(process.pid, number)
    started = time.monotonic()
    last = process.stdout.read().splitlines()[-1]
    assert process.wait() == 1 and time.monotonic() - started < 15
    assert last.startswith("verify: ") and "Traceback" not in last
    copy = line.split()[-1]
    running = [path for path in Path("/proc").glob("[0-9]*/cwd") if os.path.realpath(path).startswith(copy)]
    assert not running and not list(temporary(project).iterdir()) and contents(project) == before


def test_verify_runs_in_a_git_hook(project):
    index = project.parent / "index"
    shutil.copy(project / ".git/index", index)
    found = verify(project, GIT_DIR=str(project / ".git"), GIT_INDEX_FILE=str(index))
    assert found.returncode == 0, found.stderr


def lock(**hashes):
    """stage → deps and outs, from stage=("hash read", "hash written")."""
    return {
        stage: {"deps": [{"path": "in", "md5": read}], "outs": [{"path": f"{stage}.out", "md5": wrote}]}
        for stage, (read, wrote) in hashes.items()
    }


def test_outputs_after_training_may_differ_on_other_hardware():
    then, now = lock(prepare="aa", train="bb", evaluate="cc"), lock(prepare="aa", train="bx", evaluate="yy")
    rows = compare_outs(then, now, list(then), other_hardware=False)
    assert [row.ok for row in rows] == [True, False, False] and first_differing_stages(then, now, rows) == ["train"]
    assert all(row.ok for row in compare_outs(then, now, list(then), other_hardware=True))
    now = lock(prepare="ax", train="bb", mine="cc")
    rows = compare_outs(then, now, [*then, "mine"], other_hardware=True)
    assert [row.ok for row in rows] == [False, True, True, False]  # an out that is missing, one of a stage unknown


@pytest.mark.parametrize(
    ("key", "limit"),
    [
        ("dice.mean", 1),
        ("accuracy", 1),
        ("dice.low", 5),
        ("classes.lake.dice", 5),
        ("pooled.images.iou", 5),
        ("validation.loss", 5),
        ("classes.a.b.images", None),
        ("classes.lake.groups", None),
        ("pooled.images.groups", 5),
        ("images", 0),
        ("groups", 0),
        ("images.train", 0),
        ("empty.lake.images", 0),
        ("plan.train.steps", 0),
        ("epochs", 0),
        ("baseline.pooled.lake.dice", 0.001 / TOLERANCE),
        ("hd95.mean", None),
        ("classes.lake.precision", None),
        ("calibration.ece_undecided", None),
        ("decisions.mirror", None),
        ("best_epoch", None),
    ],
)
def test_every_score_has_its_tolerance(key, limit):
    def ok(then, now):
        return compare_scores(then, now, TOLERANCE)[0].ok

    if limit is None:
        assert ok({key: 0.1}, {key: 0.9}) and ok({key: 0.1}, {})
        return
    most = limit * TOLERANCE
    assert ok({key: 0.5}, {key: 0.5 + most}) and ok({key: 0.5}, {key: 0.5 - most})
    assert not ok({key: 0.5}, {key: 0.500002 + most}) and not ok({key: 0.5}, {key: 0.499998 - most})
    assert not ok({key: 0.5}, {}) and not ok({}, {key: 0.5}) and not ok({key: 0.5}, {key: "0.5"})


def test_most_committed_metrics_are_judged():
    """Those of the default run, against themselves: what is judged is equal, and most of it is judged."""
    for name, least in (("test", 40), ("train", 18)):
        content = json.loads((ROOT / f"metrics/{name}.json").read_text())
        rows = compare_scores(content, content, TOLERANCE)
        assert all(row.ok for row in rows) and sum(row.limit is not None for row in rows) >= least


def test_a_training_that_a_second_run_would_not_shorten_is_not_verified(tmp_path):
    (tmp_path / "metrics").mkdir()
    found = {}
    for by in ("tools.finish", "train.patience", "train.finish_after", None):
        content = {"shortened_after": 13, "shortened_by": by} if by else {}
        (tmp_path / "metrics/train.json").write_text(json.dumps(content))
        for other_hardware in (False, True):
            found[by, other_hardware] = shortened_otherwise(tmp_path, other_hardware)
    wrong = {case for case, problems in found.items() if problems}
    assert wrong == {("tools.finish", False), ("tools.finish", True), ("train.patience", True)}
    assert all("set train.finish_after: 13" in found[case][0] for case in wrong)


def test_names_are_escaped_in_markdown():
    outs = [OutRow(NASTY, NASTY, same=False, ok=False)]
    scores = {NASTY: compare_scores({NASTY: 0.5, f"hd95.{NASTY}": 1}, {NASTY: NASTY}, 0.02)}
    page = verified_markdown(
        Verified(NASTY, "0" * 40, "other", notes=[NASTY], failures=[NASTY], outs=outs, scores=scores)
    )
    assert "<script>" not in page and "@you" not in page and "](" not in page and "www.z" not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table[:3]} == {4} and {line.count("|") for line in table[3:]} == {7}


def test_other_libraries_lists_versions_that_differ(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "dvc>1\nnumpy==0.0.1\nno-such-library==1 ; python_version > '3'\nno-other==1 ; python_version < '3'\n-r x.txt\n"
    )
    numpy, absent = other_libraries(tmp_path / "requirements.txt")
    assert numpy.startswith("numpy ") and numpy.endswith("(wanted: ==0.0.1)")
    assert absent == "no-such-library missing (wanted: ==1)"
    assert other_libraries(tmp_path / "none.txt") == []
