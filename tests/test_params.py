"""params.yaml: what is refused, in which words, and that it reads numbers as DVC does."""

import re
from pathlib import Path

import pytest

from src.errors import UserError
from src.params import load
from tests.conftest import ROOT

TEXT = (ROOT / "params.yaml").read_text()


def load_changed(tmp_path: Path, pattern: str, replacement: str):
    changed, count = re.subn(pattern, replacement, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1, f"{pattern} is not in params.yaml"
    path = tmp_path / "params.yaml"
    path.write_text(changed)
    return load(path)


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (r"^  lr:", "  learning_rate:", ["train.learning_rate: no such key", "train.lr: missing"]),
        (r"^  rotate: \S+", "  rotat: 5", ["augment.rotat: no such key; did you mean rotate?"]),
        (r"^  batch: \S+", "  batch: 2.5", ["train.batch", "integer, or auto", "2.5"]),
        (r"^  batch: \S+", "  batch: '8'", ["train.batch", "integer", "'8'"]),
        (r"^  lr: \S+", "  lr: fast", ["train.lr", "number, or auto", "fast"]),
        (r"^  lr: \S+", "  lr: 0", ["train.lr", "greater than 0"]),
        (r"^  lr: \S+", "  lr: .nan", ["train.lr"]),
        (r"^  flip: \S+", "  flip: diagonal", ["augment.flip", "'horizontal'", "diagonal"]),
        (r"^  rotate: \S+", "  rotate: yes", ["augment.rotate", "number", "'yes'"]),
        (r"^  normalise: \S+", "  normalise: no", ["data.normalise", "'auto', 'dataset' or 'image'"]),
        (r"^  initial: \S+", "  initial: ../other.keras", ["train.initial", "in models/initial/"]),
        (r"^  initial: \S+", "  initial: models/initial/notes.txt", ["train.initial", "a .keras file"]),
        (r"^  test: \S+", "  test: 0.9", ["validation + test must be less than 1"]),
        (r"^  fold: \S+", "  fold: 1", ["fold must be one of 0 … 0"]),
        (r"^  folds: \S+", "  folds: 2", ["folds must be 0"]),
        (r"^  source: \S+", "  source: data/", ["data.source", "folder of its own"]),
        (r"^  source: \S+", "  source: data/prepared/x", ["data.source", "folder of its own"]),
        (r"^  source: \S+", "  source: ../" + ROOT.name + "/plots", ["data.source", "folder of its own"]),
        (r"^seed: \S+", "seed: -1", ["seed", "greater than or equal to 0"]),
        (r"^    dice: \S+", "    dice: -1", ["train.loss.dice"]),
        (r"^report:", "repot:", ["repot: no such key; did you mean report?", "report: missing"]),
    ],
)
def test_refuses(tmp_path, pattern, replacement, words):
    with pytest.raises(UserError) as error:
        load_changed(tmp_path, pattern, replacement)
    for word in words:
        assert word in str(error.value)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project in the current folder, a home folder, and a data set in each."""
    for folder in ("project/data/set", "home/data/set"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


SOURCES = [  # what was written, and what was probably meant; HOME stands for the home folder
    ("'~/data/set'", "HOME/data/set"),
    ("~/data/set/", "HOME/data/set/"),
    ("'~'", "HOME"),
    ("$HOME/data/set", "HOME/data/set"),
    ("'${HOME}/data/set'", "HOME/data/set"),
    ("data\\set", "data/set"),
    (r"'data\set\'", "data/set/"),
    (r"'~\data\set'", "HOME/data/set"),
    ("'data/set '", "data/set"),
    ("' data/set'", "data/set"),
    (r'"data/set\n"', "data/set"),
    (r'"data/set\xa0"', "data/set"),
]


@pytest.mark.parametrize(("written", "meant"), SOURCES)
def test_a_path_that_dvc_would_not_expand_is_refused_with_the_one_meant(home, written, meant):
    with pytest.raises(UserError, match=r"data\.source: ") as error:
        load_changed(home, r"^  source: \S+", f"  source: {written}".replace("\\", "\\\\"))
    assert f"did you mean {meant.replace('HOME', str(home))!r}?" in str(error.value)


def test_odd_names_of_folders_that_exist_are_taken(home):
    for name in ("~", "data\\set", "data set ", "$HOME"):
        Path(name).mkdir()
        assert load_changed(home, r"^  source: \S+", f"  source: '{name}'".replace("\\", "\\\\")).data.source == name


@pytest.mark.parametrize(
    "source", ["data/set", "data/set/", "./data/set", "data//set", "data/x/../set", "../set", "/set"]
)
def test_plain_paths_are_taken_as_they_stand(home, source):
    assert load_changed(home, r"^  source: \S+", f"  source: {source}").data.source == source


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("https://host/set", "dvc import-url"),
        ("s3://bucket/set", "dvc import-url"),
        ("file:///data/set", "dvc import-url"),
        ("..", "folder of its own"),  # holds the outputs
        ("/", "folder of its own"),
        ("./data/.", "folder of its own"),
        ("data/set/../prepared", "folder of its own"),
        ("data/link", "folder of its own"),
        ("data/circle", "in a circle"),
    ],
)
def test_what_cannot_be_a_source_is_refused(home, source, words):
    Path("data/link").symlink_to(Path("data/prepared").absolute())
    Path("data/circle").symlink_to(Path("data/circle").absolute())
    with pytest.raises(UserError, match=rf"data\.source: .*{words}"):
        load_changed(home, r"^  source: \S+", f"  source: {source}")


def test_refuses_a_crop_that_the_network_cannot_halve(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("crop: auto", "crop: 100").replace("depth: auto", "depth: 4"))
    with pytest.raises(UserError, match=r"data.crop \(100\) must be a multiple of 16, since model.depth \(4\)"):
        load(tmp_path / "params.yaml")


def test_refuses_more_epochs_than_steps(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("steps: auto", "steps: 5").replace("epochs: auto", "epochs: 6"))
    with pytest.raises(UserError, match=r"steps \(5\) must be at least as many as epochs \(6\)"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(TEXT.replace("steps: auto", "steps: 7").replace("epochs: auto", "epochs: 6"))
    assert load(tmp_path / "params.yaml").train.steps == 7


def test_lists_every_offender(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("lr: auto", "lr: -1").replace("depth: auto", "depth: four"))
    with pytest.raises(UserError, match=r"2 setting\(s\) refused") as error:
        load(tmp_path / "params.yaml")
    assert "train.lr" in str(error.value) and "model.depth" in str(error.value)


@pytest.mark.parametrize(("written", "value"), [("1e-5", 0.00001), ("1e-05", 0.00001), ("5E-4", 0.0005), ("1", 1.0)])
def test_reads_exponents_as_numbers(tmp_path, written, value):
    assert load_changed(tmp_path, r"^  lr: \S+", f"  lr: {written}").train.lr == value


def test_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        load(ROOT / "params.yaml").train.lr = 1.0


@pytest.mark.parametrize("content", ["", "- a list", "seed: [", "\x00"])
def test_names_a_broken_file(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=re.escape(str(path))):
        load(path)
