"""Misplaced files of a data set are named with reason and remedy, or left out and counted."""

import os

import numpy as np
import pytest

from src.errors import UserError
from src.files import read_csv
from tests.battery import jpeg, put, run, state, whole_png
from tests.conftest import write_data_set
from tests.corpus import png


@pytest.fixture
def source(tmp_path):
    return write_data_set(tmp_path / "set", count=6)


def other_size(source):
    put(source, "bad", mask=png(np.eye(63, 64, dtype=np.uint8), 8, 0))


def no_mask(source):
    put(source, "bad")
    (source / "masks/bad.png").unlink()


def no_image(source):
    put(source, "bad")
    (source / "images/bad.png").unlink()


def two_masks(source):
    put(source, "bad")
    (source / "masks/bad.tif").write_bytes((source / "masks/bad.png").read_bytes())


def two_images(source):
    put(source, "bad")
    (source / "images/bad.jpg").write_bytes(jpeg())


def capitals(source):
    put(source, "Case 0-0")


def out_of_the_folder(source):
    put(source, "bad")
    (source / "images/bad.png").rename(source.parent / "bad.png")
    (source / "images/bad.png").symlink_to(source.parent / "bad.png")
    (source / "masks/bad.png").unlink()


def loop(source):
    (source / "images/bad.png").symlink_to(source / "images/bad.png")
    (source / "images/round").symlink_to(source / "images")


def enormous(source):
    put(source, "bad")
    os.truncate(source / "images/bad.png", 2**31 + 1)


def pipe(source):
    os.mkfifo(source / "images/bad.png")


def folder_like_an_image(source):
    (source / "images/bad.png").mkdir()
    put(source, "bad.png/inner")
    (source / "masks/bad.png/inner.png").unlink()


def line_break(source):
    put(source, "bad\nname")


def control_character(source):
    put(source, "bad\x1b[31mname")


def not_utf8(source):
    (source / "images" / os.fsdecode(b"bad\xff.png")).write_bytes(whole_png())


STRUCTURE = {  # how the set is spoilt: what is said, for each offender
    other_size: {"bad": "the image is 64 × 64 pixels, its mask 64 × 63"},
    no_mask: {"images/bad": "has no mask"},
    no_image: {"masks/bad": "has no image"},
    two_masks: {"masks/bad.tif": "has the same name as bad.png but for the extension"},
    two_images: {"images/bad.png": "has the same name as bad.jpg but for the extension"},
    capitals: {
        "images/case 0-0.png": "differs from Case 0-0.png in capital letters only",
        "masks/case 0-0.png": "differs from Case 0-0.png in capital letters only",
    },
    out_of_the_folder: {"images/bad.png": "is a link out of the folder"},
    loop: {
        "images/bad.png": "is a link that leads nowhere, or in a circle",
        "images/round": "is a link to a folder, which is not followed",
    },
    enormous: {"bad": "images/bad.png has 2,147,483,649 bytes, more than the limit of 2,147,483,648"},
    pipe: {"images/bad.png": "is not a regular file"},
    folder_like_an_image: {"images/bad.png/inner": "has no mask"},
    line_break: {
        r"images/bad\nname.png": "has a line break, a control character or no UTF-8 in its name",
        r"masks/bad\nname.png": "has a line break, a control character or no UTF-8 in its name",
    },
    control_character: {
        r"images/bad\x1b[31mname.png": "has a line break, a control character",
        r"masks/bad\x1b[31mname.png": "has a line break, a control character",
    },
    not_utf8: {r"images/bad\udcff.png": "has a line break, a control character or no UTF-8 in its name"},
}


@pytest.mark.parametrize("spoil", STRUCTURE)
def test_a_misplaced_file_is_named_or_left_out(source, tmp_path, spoil, capfd):
    spoil(source)
    before = state(source)
    with pytest.raises(UserError, match=rf"^{len(STRUCTURE[spoil])} problem") as error:
        run(source, tmp_path / "out")
    rows = {row["file"]: row for row in read_csv(tmp_path / "out/checks.csv") if row["severity"] == "error"}
    assert set(rows) == set(STRUCTURE[spoil])
    for name, words in STRUCTURE[spoil].items():
        assert words in rows[name]["what"] and rows[name]["setting"]
        assert f"  {name!r}: {rows[name]['what']} → {rows[name]['setting']}" in str(error.value)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checks.csv", "sheet.png"}

    store = run(source, tmp_path / "skipped", sheet=False, on_error="skip")
    ids = {record.id for record in store.records}
    assert not any("bad" in name for name in ids) and len(ids) == 6
    skipped = [row["file"] for row in read_csv(tmp_path / "skipped/checks.csv") if row["severity"] == "skipped"]
    assert set(skipped) == set(STRUCTURE[spoil])
    assert f"{len(skipped)} file(s) left out" in capfd.readouterr().out
    assert state(source) == before
