"""params.yaml: refused values and their messages, the folder in data.source, and numbers as DVC reads them."""

import os
import re
from pathlib import Path

import pytest
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides

from src.errors import UserError
from src.files import parse_yaml
from src.params import Params, check_source, load
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
        (r"^  normalise: \S+", "  normalise: no", ["data.normalise", "'auto', 'dataset', 'image' or 'encoder'"]),
        (r"^  initial: \S+", "  initial: ../other.keras", ["train.initial", "in models/initial/"]),
        (r"^  initial: \S+", "  initial: models/initial/notes.txt", ["train.initial", "a .keras file"]),
        (r"^  test: \S+", "  test: 0.9", ["validation + test must be less than 1"]),
        (r"^  fold: \S+", "  fold: 1", ["fold must be one of 0 … 0"]),
        (r"^  folds: \S+", "  folds: 2", ["folds must be 0"]),
        (r"^seed: \S+", "seed: -1", ["seed", "greater than or equal to 0"]),
        (r"^    dice: \S+", "    dice: -1", ["train.loss.dice"]),
        (r"^    focal: \S+", "    focal: .inf", ["train.loss.focal: "]),
        (r"^    focal_gamma: \S+", "    focal_gamma: -1", ["train.loss.focal_gamma: ", "or equal to 0"]),
        (r"^    class_weights: \S+", "    class_weights: heavy", ["train.loss.class_weights: ", "'root'", "a mapping"]),
        (
            r"^    class_weights: \S+",
            "    class_weights: {road: 0, sky: .nan, car: much, tree: 1.5}",
            [
                "3 setting(s)",
                "class_weights.road: should be greater than 0",
                "class_weights.sky: ",
                "class_weights.car: ",
            ],
        ),
        (r"^report:", "repot:", ["repot: no such key; did you mean report?", "report: missing"]),
    ],
)
def test_a_refused_value_is_named_with_its_key_and_what_is_allowed(tmp_path, pattern, replacement, words):
    with pytest.raises(UserError) as error:
        load_changed(tmp_path, pattern, replacement)
    for word in words:
        assert word in str(error.value)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project, which is not the current folder, next to a home folder; each holds a data set."""
    for folder in ("project/data/set", "home/data/set"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "project"


def load_source(project: Path, source: str):
    """The settings of a project with `source`, which is written as YAML."""
    return load_changed(project, r"^  source: \S+", f"  source: {source}".replace("\\", "\\\\")).data.source


SOURCES = [  # as it is written, and the folder that was probably meant; HOME stands for the home folder
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
def test_a_path_that_dvc_would_not_expand_is_refused_with_the_one_meant(project, written, meant):
    with pytest.raises(UserError, match=r"params\.yaml: 1 setting\(s\) refused\n  data\.source: ") as error:
        load_source(project, written)
    home = str(project.parent / "home")
    assert f"did you mean {meant.replace('HOME', home)!r}? (given: '" in str(error.value)


def test_a_folder_with_an_odd_name_is_accepted_if_it_exists(project):
    for name in ("~", "data\\set", "data set ", "$HOME"):
        (project / name).mkdir()
        assert load_source(project, f"'{name}'") == name


@pytest.mark.parametrize(
    "source", ["data/set", "data/set/", "./data/set", "data//set", "data/x/../set", "../set", "/set"]
)
def test_plain_paths_are_taken_as_they_stand(project, source):
    assert load_source(project, source) == source


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("https://host/set", "dvc import-url"),
        ("s3://bucket/set", "dvc import-url"),
        ("file:///data/set", "dvc import-url"),
        ("..", "folder of its own"),  # holds the outputs
        ("/", "folder of its own"),
        ("data/", "folder of its own"),
        ("./data/.", "folder of its own"),
        ("data/prepared/x", "folder of its own"),
        ("data/set/../prepared", "folder of its own"),
        ("../project/plots", "folder of its own"),
        ("data/link", "folder of its own"),
        ("data/circle", "in a circle"),
    ],
)
def test_a_source_that_is_a_url_an_output_or_a_circular_link_is_refused(project, source, words):
    (project / "data/link").symlink_to(project / "data/prepared")
    (project / "data/circle").symlink_to(project / "data/circle")
    with pytest.raises(UserError, match=rf"data\.source: .*{words}"):
        load_source(project, source)


def test_the_message_about_a_source_names_the_given_file_and_key(project):
    with pytest.raises(
        UserError, match=r"^some/folder: 1 setting\(s\) refused\n  source: .*\(given: 'data/prepared'\)$"
    ):
        check_source("data/prepared", project, Path("some/folder"), "source")


def test_the_models_never_look_at_the_file_system(monkeypatch):
    content = parse_yaml(TEXT, Path("params.yaml"))
    content["data"]["source"] = "~/models"

    def refuse(*_):
        raise AssertionError("the file system was read")

    for name in ("stat", "lstat", "readlink", "getcwd"):
        monkeypatch.setattr(os, name, refuse)
    assert Params.model_validate(content).data.source == "~/models"


RENAMED = [
    ("augment.share", "augment.probability"),
    ("train.validated", "train.validation_images"),
    ("data.rare", "data.oversample_rare"),
]


@pytest.mark.parametrize(("old", "new"), RENAMED)
def test_an_earlier_name_of_a_key_is_refused_with_the_present_one(tmp_path, old, new):
    pattern, replacement = (f"  {key.partition('.')[2]}:" for key in (new, old))
    with pytest.raises(UserError) as error:
        load_changed(tmp_path, f"^{pattern}", replacement)
    lines = str(error.value).splitlines()[1:]
    assert sorted(lines) == sorted([f"  {old}: this key has a new name: {new}", f"  {new}: missing"])


@pytest.mark.parametrize(("old", "new"), RENAMED)
def test_an_earlier_name_of_a_key_is_refused_if_dvc_exp_run_adds_it(tmp_path, old, new):
    """`dvc exp run -S old=…` is refused by DVC, as for every unknown key; `-S +old=…` adds the key to the file."""
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    with pytest.raises(InvalidArgumentError):
        apply_overrides(path, [f"{old}=0.5"])
    apply_overrides(path, [f"+{old}=0.5"])
    with pytest.raises(UserError, match=rf"refused\n  {old}: this key has a new name: {new}$"):
        load(path)


def test_a_crop_is_refused_that_the_network_cannot_halve(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("crop: auto", "crop: 100").replace("depth: auto", "depth: 4"))
    with pytest.raises(UserError, match=r"data.crop \(100\) must be a multiple of 16, since model.depth \(4\)"):
        load(tmp_path / "params.yaml")


def test_more_epochs_than_steps_are_refused(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("steps: auto", "steps: 5").replace("epochs: auto", "epochs: 6"))
    with pytest.raises(UserError, match=r"steps \(5\) must be at least as many as epochs \(6\)"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(TEXT.replace("steps: auto", "steps: 7").replace("epochs: auto", "epochs: 6"))
    assert load(tmp_path / "params.yaml").train.steps == 7


def test_every_refused_value_is_listed(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT.replace("lr: auto", "lr: -1").replace("depth: auto", "depth: four"))
    with pytest.raises(UserError, match=r"2 setting\(s\) refused") as error:
        load(tmp_path / "params.yaml")
    assert "train.lr" in str(error.value) and "model.depth" in str(error.value)


@pytest.mark.parametrize(("written", "value"), [("1e-5", 0.00001), ("1e-05", 0.00001), ("5E-4", 0.0005), ("1", 1.0)])
def test_exponents_are_read_as_numbers(tmp_path, written, value):
    assert load_changed(tmp_path, r"^  lr: \S+", f"  lr: {written}").train.lr == value


def test_settings_cannot_be_changed_after_loading():
    with pytest.raises(ValueError, match="frozen"):
        load(ROOT / "params.yaml").train.lr = 1.0


@pytest.mark.parametrize("content", ["", "- a list", "seed: [", "\x00"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=re.escape(str(path))):
        load(path)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"cross_entropy": 0.0, "dice": 0.0}, True),
        ({"cross_entropy": 0.0, "dice": 0.0, "focal": 1.0}, False),
    ],
)
def test_a_loss_that_teaches_nothing_is_refused(changes, refused):
    content = parse_yaml(TEXT, Path("params.yaml"))
    content["train"]["loss"] |= changes
    if not refused:
        Params.model_validate(content)
        return
    with pytest.raises(ValueError, match="cannot"):
        Params.model_validate(content)
