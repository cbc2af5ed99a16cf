"""write_setting: one value of params.yaml is replaced in its line, and nothing else in the file."""

import re

import pytest

from src.errors import UserError
from src.params import load, write_setting
from tests.conftest import ROOT

TEXT = (ROOT / "params.yaml").read_text()


def differing(text, changed):
    """The lines that are not as before, as pairs; endings of lines included."""
    pairs = zip(text.splitlines(keepends=True), changed.splitlines(keepends=True), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


def test_writes_the_value_of_one_line(tmp_path):
    path = tmp_path / "params.yaml"
    for section, key, value, line in (
        ("split", "seed", 7, "  seed: 7                     # draws the split"),
        ("train", "steps", 123456, "  steps: 123456               # batches"),
        ("augment", "scale", 0.5, "  scale: 0.5 "),
        ("data", "source", "data/my own set", "  source: data/my own set     # folder"),
    ):
        path.write_text(TEXT)
        write_setting(path, section, key, value)
        ((old, new),) = differing(TEXT, path.read_text())
        assert new.startswith(line) and old.partition("#")[2] == new.partition("#")[2]
        assert getattr(getattr(load(path), section), key) == value
        write_setting(path, section, key, getattr(getattr(load(ROOT / "params.yaml"), section), key))
        assert path.read_text() == TEXT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  steps: auto # short", "  steps: 1234567 # short"),
        ("  steps: auto", "  steps: 1234567"),
        ("  steps:   3000  # wide", "  steps:   1234567 # wide"),
    ],
)
def test_a_value_longer_than_its_place(tmp_path, old, new):
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(r"^  steps: .*", old, TEXT, flags=re.MULTILINE))
    write_setting(path, "train", "steps", 1234567)
    assert path.read_text() == re.sub(r"^  steps: .*", new, TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 0, "train.steps: should be greater"),
        ("steps", 2.5, "train.steps"),
        ("stops", 5, "no line for train.stops"),
    ],
)
def test_what_is_refused_is_not_written(tmp_path, key, value, words):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    with pytest.raises(UserError, match=words):
        write_setting(path, "train", key, value)
    assert path.read_text() == TEXT and [each.name for each in tmp_path.iterdir()] == ["params.yaml"]


def test_the_line_of_another_section_is_no_line(tmp_path):
    path = tmp_path / "params.yaml"
    without = re.sub(r"^  (seed|crop|steps): .*\n", "", TEXT, flags=re.MULTILINE)
    path.write_text(without)
    for section, key in (("split", "seed"), ("data", "steps"), ("data", "read"), ("model", "crop"), ("train", "flip")):
        with pytest.raises(UserError, match=rf"no line for {section}\.{key}; write {section}\.{key}: 5 into it"):
            write_setting(path, section, key, 5)
    assert path.read_text() == without
