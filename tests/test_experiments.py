"""Experiments as a user runs and shares them: in the workspace, in a copy, by two workers, and from clone to clone.

One story on a tiny set: a clone makes a baseline, experiments with it, and pushes; a second clone trains nothing.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.test_pipeline import make_project, run
from tests.webdav import PASSWORD, USER, webdav

pytestmark = pytest.mark.slow
MODEL = "models/unet.keras"
LIMIT = 600  # seconds that the queue may take


@dataclass
class Story:
    """A clone with its experiments. hashes: experiment → SHA-256 of its model; names: kind → experiments as queued."""

    folder: Path
    hashes: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    at_once: int = 0  # the most experiments that were running

    def call(self, *command: str) -> str:
        return run(self.folder, *command).stdout

    def json(self, *command: str):
        return json.loads(self.call(*command))

    def model(self) -> str:
        return hashlib.sha256((self.folder / MODEL).read_bytes()).hexdigest()

    def commit(self, message: str) -> None:
        self.call("git", "add", "-A")
        self.call("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", message)

    def back(self) -> None:
        """To what is committed, as docs/experiments.md says."""
        self.call("git", "checkout", "-q", "-f", "main")
        self.call("dvc", "checkout", "-q", "--force")
        assert self.model() == self.hashes["main"]


def cloned(origin: Path, folder: Path) -> Story:
    run(origin.parent, "git", "clone", "-q", str(origin), str(folder))
    for key, value in (("user", USER), ("password", PASSWORD)):  # the one thing that is not committed
        run(folder, "dvc", "remote", "modify", "--local", "store", key, value)
    return Story(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def origin(place):
    """A bare repository whose remote storage, a WebDAV server, holds the data and nothing else."""
    with webdav(place / "store", place / "requests.log") as url:
        start = Story(make_project(place / "start", 2, [0, 255]))
        params = yaml.safe_load((start.folder / "params.yaml").read_text())
        params["train"] |= {"epochs": 2, "steps": 24}
        (start.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        start.call("git", "branch", "-M", "main")
        start.call("dvc", "remote", "add", "-d", "store", url)
        for key, value in (("user", USER), ("password", PASSWORD)):
            start.call("dvc", "remote", "modify", "--local", "store", key, value)
        start.commit("where results are stored")
        start.call("dvc", "push")
        start.call("git", "clone", "-q", "--bare", ".", str(place / "origin.git"))
        yield place / "origin.git"


@pytest.fixture(scope="module")
def first(origin, place):
    """A fresh clone in which the pipeline has run once, committed."""
    story = cloned(origin, place / "first")
    story.call("dvc", "pull", "data/my-set")
    assert story.call("dvc", "repro").count("Running stage") == 6
    story.commit("results")
    story.hashes["main"] = story.model()
    return story


@pytest.fixture(scope="module")
def experimented(first):
    """The same with experiments: `slower` in the workspace, `strict` in a copy, folds and a seed by two workers."""
    first.call("dvc", "exp", "run", "-n", "slower", "-S", "train.lr=0.001")
    first.hashes["slower"] = first.model()
    first.back()
    first.call("dvc", "exp", "run", "--temp", "-n", "strict", "-S", "evaluate.tolerance=0.5")
    assert first.model() == first.hashes["main"] and not first.call("git", "status", "--short")
    sweeps = {"folds": ["-S", "split.folds=3", "-S", "split.fold=range(0,3)"], "seeds": ["-S", "seed=1"]}
    for kind, settings in sweeps.items():
        printed = first.call("dvc", "exp", "run", "--queue", *settings)
        first.names[kind] = re.findall("Queued experiment '(.+)' for", printed)
    first.call("bash", "-c", "dvc queue start --jobs 2 >/dev/null 2>&1")  # the workers would keep a pipe open
    queued = first.names["folds"] + first.names["seeds"]
    end = time.monotonic() + LIMIT
    while (status := first.call("dvc", "queue", "status")).count("Success") < len(queued):
        first.at_once = max(first.at_once, status.count("Running"))
        assert "Failed" not in status and time.monotonic() < end, status + "".join(
            first.call("dvc", "queue", "logs", name) for name in queued
        )
        time.sleep(1)
    yield first
    first.call("dvc", "queue", "stop", "--kill")


def test_two_workers_leave_the_workspace_alone(experimented):
    assert [len(experimented.names[kind]) for kind in ("folds", "seeds")] == [3, 1]
    assert experimented.at_once == 2
    assert experimented.model() == experimented.hashes["main"]
    assert not experimented.call("git", "status", "--short")


def test_exp_show_lists_every_experiment(experimented):
    shown = experimented.json("dvc", "exp", "show", "--json")
    found = {}
    for baseline in shown:
        for experiment in baseline["experiments"] or []:
            found[experiment["name"]] = experiment["revs"][0]["data"]
    folds, seeds = experimented.names["folds"], experimented.names["seeds"]
    assert set(found) == {"slower", "strict", *folds, *seeds}
    params = {name: data["params"]["params.yaml"]["data"] for name, data in found.items()}
    assert params["slower"]["train"]["lr"] == 0.001 and params["strict"]["evaluate"]["tolerance"] == 0.5
    assert sorted(params[name]["split"]["fold"] for name in folds) == [0, 1, 2]
    assert [params[name]["seed"] for name in seeds] == [1]
    for data in found.values():
        assert 0 <= data["metrics"]["metrics/test.json"]["data"]["dice"]["mean"] <= 1


def test_params_diff_and_metrics_diff_show_what_changed(experimented):
    params = experimented.json("dvc", "params", "diff", "main", "slower", "--json")
    assert params == {"params.yaml": {"train.lr": {"old": 0.01, "new": 0.001, "diff": pytest.approx(-0.009)}}}
    metrics = experimented.json("dvc", "metrics", "diff", "main", "slower", "--json")
    assert metrics["metrics/test.json"]["dice.mean"]["diff"] != 0
    metrics = experimented.json("dvc", "metrics", "diff", "main", "strict", "--json")["metrics/test.json"]
    assert metrics["surface_dice.mean"]["diff"] < 0 and "dice.mean" not in metrics


def test_plots_diff_shows_the_curves_of_both_experiments(experimented, tmp_path):
    experimented.call("dvc", "plots", "diff", "main", "slower", "-o", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    pictures = {path.name for path in (tmp_path / "static").iterdir()}
    for revision in ("main", "slower"):
        history = experimented.call("git", "show", f"{found(experimented, revision)}:plots/history.csv").splitlines()
        columns = history[0].split(",")
        last = dict(zip(columns, history[-1].split(","), strict=True))
        row = re.search(rf'{{[^{{}}]*"loss": "?{re.escape(last["loss"])}[^{{}}]*}}', page)
        assert row and f'"rev": "{revision}"' in row[0], revision
        assert f"{revision}_plots_curves.png" in pictures


def found(story: Story, name: str) -> str:
    """The Git reference of a branch or an experiment."""
    refs = story.call("git", "for-each-ref", "--format=%(refname)", "refs/heads", "refs/exps").split()
    return next(ref for ref in refs if ref.endswith(f"/{name}"))


def test_an_experiment_can_be_applied(experimented):
    experimented.call("dvc", "exp", "apply", "slower")
    assert experimented.model() == experimented.hashes["slower"] != experimented.hashes["main"]
    assert yaml.safe_load((experimented.folder / "params.yaml").read_text())["train"]["lr"] == 0.001
    score = (experimented.folder / "metrics/test.json").read_text()
    assert score == experimented.call("git", "show", f"{found(experimented, 'slower')}:metrics/test.json")
    experimented.back()
    experimented.call("dvc", "exp", "branch", "slower", "taken")
    assert experimented.call("git", "show", "taken:metrics/test.json") == score
    assert score != (experimented.folder / "metrics/test.json").read_text()


def test_what_was_run_before_is_not_run_again(experimented):
    params = yaml.safe_load((experimented.folder / "params.yaml").read_text())
    params["train"]["lr"] = 0.001
    (experimented.folder / "params.yaml").write_text(yaml.safe_dump(params))
    printed = experimented.call("dvc", "repro")
    assert "Running stage" not in printed and printed.count("is cached - skipping run") == 3, printed
    assert experimented.model() == experimented.hashes["slower"]
    experimented.back()


def test_folds_and_seeds_are_joined(experimented, tmp_path):
    printed = experimented.call("python", "-m", "tools.summarize", "--json", str(tmp_path / "folds.json"))
    joined = json.loads((tmp_path / "folds.json").read_text())
    assert joined["kind"] == "folds" and joined["images"] == 30 and list(joined["runs"]) == ["0", "1", "2"]
    assert {run["name"] for run in joined["runs"].values()} == set(experimented.names["folds"])
    assert all(name in printed for name in experimented.names["folds"])
    seeds = ["main", *experimented.names["seeds"]]
    experimented.call("python", "-m", "tools.summarize", *seeds, "--json", str(tmp_path / "seeds.json"))
    joined = json.loads((tmp_path / "seeds.json").read_text())
    assert joined["kind"] == "repeats" and [run["name"] for run in joined["runs"].values()] == seeds
    assert joined["unet"]["dice"]["spread"] > 0


@pytest.fixture(scope="module")
def second(experimented, origin, place):
    """A second clone of what the first has pushed, in which nothing is pulled yet; and what storage held before."""
    before = {path.name for path in (place / "store").rglob("*") if path.is_file()}
    experimented.call("git", "push", "-q", "origin", "main")
    experimented.call("dvc", "push", "--run-cache")
    experimented.call("dvc", "exp", "push", "--run-cache", "origin", "slower", experimented.names["folds"][0])
    story = cloned(origin, place / "second")
    story.hashes["main"] = experimented.hashes["main"]
    assert not (story.folder / ".dvc/cache").exists() and not (story.folder / MODEL).exists()
    return story, before


def stored_as(story: Story, name: str, stage: str, out: str) -> str:
    """The path in cache and storage of what a stage wrote in a branch or an experiment."""
    lock = yaml.safe_load(story.call("git", "show", f"{found(story, name)}:dvc.lock"))
    digest = next(entry["md5"] for entry in lock["stages"][stage]["outs"] if entry["path"] == out)
    return f"files/md5/{digest[:2]}/{digest[2:]}"


def stored(story: Story, *what: str) -> bytes:
    return (story.folder / ".dvc/cache" / stored_as(story, *what)).read_bytes()


def test_what_is_pushed_goes_over_the_network(second, experimented, place):
    _, before = second
    requests = (place / "requests.log").read_text()
    for name in ("main", "slower"):
        path = stored_as(experimented, name, "train", MODEL)
        assert Path(path).name not in before and re.search(rf'{USER} - .*"PUT /{path}"', requests)
        assert hashlib.sha256((place / "store" / path).read_bytes()).hexdigest() == experimented.hashes[name]
    assert list((place / "store/runs").rglob("*"))


def test_a_second_clone_trains_nothing(second, experimented):
    story, _ = second
    printed = story.call("dvc", "repro", "--pull")
    assert "Running stage" not in printed
    assert story.model() == experimented.hashes["main"]
    assert (story.folder / "plots/report.html").read_bytes() == (experimented.folder / "plots/report.html").read_bytes()
    assert not story.call("git", "status", "--short") and "up to date" in story.call("dvc", "status")


def test_the_run_cache_answers_for_stages_that_another_clone_ran(second, experimented):
    """Those whose files are all in storage. DVC does not push what train and evaluate leave to Git."""
    story, _ = second
    fold = experimented.names["folds"][0]
    story.call("dvc", "pull", "--run-cache")
    assert not story.call("dvc", "exp", "list")  # nothing but the run-cache knows that this was run
    params = yaml.safe_load(experimented.call("git", "show", f"{found(experimented, fold)}:params.yaml"))
    (story.folder / "params.yaml").write_text(yaml.safe_dump(params))
    printed = story.call("dvc", "repro", "--pull", "augment")
    assert "Running stage" not in printed and printed.count("is cached - skipping run") == 2, printed
    assert (story.folder / "data/splits.csv").read_bytes() == stored(experimented, fold, "split", "data/splits.csv")
    story.back()


def test_an_experiment_is_pulled_by_its_name(second, experimented):
    story, _ = second
    assert "slower" in story.call("dvc", "exp", "list", "origin")
    story.call("dvc", "exp", "pull", "origin", "slower")
    story.back()
    story.call("dvc", "exp", "apply", "slower")
    assert story.model() == experimented.hashes["slower"]
    assert yaml.safe_load((story.folder / "params.yaml").read_text())["train"]["lr"] == 0.001
    assert "Running stage" not in story.call("dvc", "repro", "--pull")
