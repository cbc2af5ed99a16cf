"""write_setting replaces one value in params.yaml and leaves everything else in the file as it is."""

import re

import pytest

from src.errors import UserError
from src.params import load
from src.write_setting import write_setting, write_settings
from tests.conftest import ROOT

TEXT = (ROOT / "params.yaml").read_text()


def differing(text, changed):
    """The lines that differ, as pairs of the old and the new line, with their line ends."""
    pairs = zip(text.splitlines(keepends=True), changed.splitlines(keepends=True), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


def test_only_the_value_of_one_line_changes(tmp_path):
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
def test_a_value_longer_than_the_old_one_keeps_one_blank_before_the_comment(tmp_path, old, new):
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(r"^  steps: .*", old, TEXT, flags=re.MULTILINE))
    write_setting(path, "train", "steps", 1234567)
    assert path.read_text() == re.sub(r"^  steps: .*", new, TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", 0, "train.steps: should be greater"),
        ("steps", 2.5, "train.steps"),
        ("stops", 5, "nothing was written, since it has no values for these keys"),
    ],
)
def test_nothing_is_written_if_the_value_is_refused(tmp_path, key, value, words):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    with pytest.raises(UserError, match=words):
        write_setting(path, "train", key, value)
    assert path.read_text() == TEXT and [each.name for each in tmp_path.iterdir()] == ["params.yaml"]


def test_a_key_of_another_section_is_not_changed(tmp_path):
    path = tmp_path / "params.yaml"
    without = re.sub(r"^  (seed|crop|steps): .*\n", "", TEXT, flags=re.MULTILINE)
    path.write_text(without)
    for section, key in (("split", "seed"), ("data", "steps"), ("data", "read"), ("model", "crop"), ("train", "flip")):
        with pytest.raises(UserError, match=rf"no values for these keys; add\n  {key}: 5 +\(under {section}\)$"):
            write_setting(path, section, key, 5)
    assert path.read_text() == without


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  steps: "auto"   # quoted', "  steps: 7        # quoted"),
        ("  steps: auto", "  steps: 7"),
        ("  steps:\n    auto  # in the next line\n\n\n", "  steps:\n    7     # in the next line\n\n\n"),
        ("  'steps': auto # quoted key", "  'steps': 7    # quoted key"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_other_byte_stays_whatever_the_line_ends_and_the_layout(tmp_path, old, new, end):
    path = tmp_path / "params.yaml"
    text = "# Größe 🙂\n" + re.sub(r"^  steps: .*", old, TEXT, flags=re.MULTILINE)
    path.write_bytes(text.replace("\n", end).encode())
    write_setting(path, "train", "steps", 7)
    assert path.read_bytes() == text.replace(old, new).replace("\n", end).encode()


def test_a_text_is_quoted_where_yaml_would_read_something_else(tmp_path):
    path = tmp_path / "params.yaml"
    for name in ("1e5", "a: b", "set # 2", "no", "{x}"):
        path.write_text(TEXT)
        write_setting(path, "data", "source", name)
        assert load(path).data.source == name


def test_a_value_that_an_alias_shares_is_left_to_the_user(tmp_path):
    path = tmp_path / "params.yaml"
    text = TEXT.replace("  steps: auto ", "  steps: &length auto ").replace("  epochs: auto ", "  epochs: *length ")
    path.write_text(text)
    with pytest.raises(
        UserError, match=r"train\.epochs has an unusual form.*; write by hand epochs: 7 +\(under train\)"
    ):
        write_setting(path, "train", "epochs", 7)
    assert path.read_text() == text


def test_several_values_are_replaced_together_or_not_at_all(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    with pytest.raises(UserError, match=r"add\n  stops: 5 +\(under train\)\n  name: '1e5' +\(under data\)$"):
        write_settings(path, {"train.stops": 5, "train.steps": 7, "data.name": "1e5"})
    with pytest.raises(UserError, match=r"data\.crop \(24\) must be a multiple of 16"):
        write_settings(path, {"model.depth": 4, "data.crop": 24})
    assert path.read_text() == TEXT
    write_settings(path, {"data.crop": 64, "model.depth": 5, "train.steps": 7})
    assert len(differing(TEXT, path.read_text())) == 3
    read = load(path)
    assert (read.data.crop, read.model.depth, read.train.steps) == (64, 5, 7)
