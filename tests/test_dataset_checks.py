"""Checks of a data set: files that cannot be opened or written, warnings, and the form of all findings."""

import errno
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.reading import images
from src.errors import UserError
from src.files import read_csv
from tests.battery import MASK, NOISE, put, run
from tests.conftest import write_data_set, write_pair
from tests.corpus import tiff


@pytest.fixture
def source(tmp_path):
    return write_data_set(tmp_path / "set", count=6)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), PermissionError(13, "Permission denied")])
def test_a_file_that_cannot_be_opened_is_reported(source, tmp_path, monkeypatch, error):
    read_bytes = Path.read_bytes

    def failing(path):
        if path.name == "case 1-2.png":
            raise error
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(
        UserError, match=rf"1 problem.*\n  'case 1-2': images/case 1-2\.png cannot be read: {error.strerror}"
    ):
        run(source, tmp_path / "out")
    assert len(run(source, tmp_path / "skipped", sheet=False, on_error="skip")) == 5


def test_a_folder_that_cannot_be_opened_is_reported(source, tmp_path, monkeypatch):
    put(source, "closed/a")
    scandir = os.scandir

    def failing(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(UserError, match=r"2 problem.*\n  'images/closed': cannot be opened: Permission denied"):
        run(source, tmp_path / "out")


def test_an_image_that_does_not_fit_into_memory_is_reported(source, tmp_path, monkeypatch):
    decode = images.decode

    def failing(header, *arguments):
        if header.data == (source / "images/case 1-2.png").read_bytes():
            raise MemoryError
        return decode(header, *arguments)

    monkeypatch.setattr(images, "decode", failing)
    with pytest.raises(UserError, match=r"1 problem.*\n  'case 1-2': images/case 1-2\.png does not fit into memory"):
        run(source, tmp_path / "out")


@pytest.mark.parametrize("suffix", [".bin", ".json", ".csv", ".png"])
def test_a_full_disk_leaves_nothing_behind(source, tmp_path, monkeypatch, suffix):
    """The first write to a file of this kind fails after a few bytes."""
    opened = Path.open

    def full(path, mode="r", *arguments, **options):
        file = opened(path, mode, *arguments, **options)
        if "w" in mode and path.name.endswith(suffix):
            file.write(b"part" if "b" in mode else "part")
            file.close()
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return file

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(Path, "write_text", lambda path, text, **options: full(path, "w").write(text))
    if suffix == ".png":
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **options: full(path, "w"))
    with pytest.raises(OSError, match="No space left"):
        run(source, tmp_path / "out")
    left = {path.name for path in (tmp_path / "out").iterdir()}
    whole = {".bin": set(), ".csv": set(), ".png": {"checks.csv"}, ".json": {"checks.csv", "sheet.png"}}
    assert left == whole[suffix]


def test_a_full_disk_stops_a_large_tiff_instead_of_skipping_it(source, tmp_path, monkeypatch):
    put(source, "large", tiff(NOISE, photometric="rgb"))
    monkeypatch.setattr("src.data.reading.tiff.LARGE_IMAGE_PIXELS", 10)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: Full())
    with pytest.raises(UserError, match="No space left on device; a large TIFF needs room"):
        run(source, tmp_path / "out", sheet=False, on_error="skip")
    assert not list((tmp_path / "out").iterdir())


def test_skipping_a_file_without_partner_keeps_pairs_with_similar_names(source, tmp_path):
    put(source, "images/x")  # the pair 'images/x', a folder below images/
    put(source, "x")
    (source / "masks/x.png").unlink()
    store = run(source, tmp_path / "out", sheet=False, on_error="skip")
    assert "images/x" in store.position and "x" not in store.position and len(store) == 7


def test_a_data_set_of_one_image_passes(tmp_path):
    put(tmp_path / "set", "only")
    assert len(run(tmp_path / "set", tmp_path / "out")) == 1


def test_nothing_left_after_skipping_is_an_error(tmp_path):
    put(tmp_path / "set", "bad", b"")
    with pytest.raises(UserError, match="no pair of image and mask is left → see the other findings"):
        run(tmp_path / "set", tmp_path / "out", on_error="skip")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checks.csv", "sheet.png"}


def test_the_error_lists_fifty_problems_and_the_table_all(source, tmp_path):
    for number in range(60):
        put(source, f"bad {number:02d}", b"x")
    with pytest.raises(UserError, match=r"^60 problem") as error:
        run(source, tmp_path / "out")
    assert len(re.findall(r"'bad \d\d'", str(error.value))) == 50 and "… and 10 more" in str(error.value)
    assert len(read_csv(tmp_path / "out/checks.csv")) == 60


def test_oddities_are_warned_of_and_do_not_stop_the_run(source, tmp_path, capfd):
    write_pair(source, "flat", np.full((64, 64, 3), 7, np.uint8), MASK)
    write_pair(source, "empty mask", NOISE, 0 * MASK)
    write_pair(source, "same one", NOISE, MASK)
    large = cv2.resize(NOISE[::-1].copy(), (256, 256), interpolation=cv2.INTER_CUBIC)
    write_pair(source, "large", large, MASK.repeat(4, 0).repeat(4, 1))
    write_pair(source, "large again", cv2.GaussianBlur(large, (3, 3), 0), MASK.repeat(4, 0).repeat(4, 1))
    (source / "images/notes.txt").write_text("hello")
    run(source, tmp_path / "out")
    rows = read_csv(tmp_path / "out/checks.csv")
    found = {(row["file"], row["severity"]): row["what"] for row in rows}
    assert found["flat", "warning"] == "the image is of one colour"
    assert found["images/notes.txt", "warning"].startswith("is left out")
    assert "the mask holds a single value, 0" in {row["what"] for row in rows if row["file"] == "empty mask"}
    assert "identical to the image 'empty mask', but its mask differs" in found["same one", "warning"]
    assert "nearly identical to the image 'large'" in found["large again", "warning"]
    out = capfd.readouterr().out
    assert (
        "11 pairs, 3 channel(s) of uint8" in out
        and "mask value 0: 'background'" in out
        and "5 file(s) with warnings" in out
    )


def test_numbers_that_seem_to_mean_no_data_are_warned_of(tmp_path):
    """Floats from 0 to 1. A number far from all others is warned of if it is frequent; a single bright spot is not."""
    numbers = np.random.default_rng(0).random((64, 64), np.float32)
    cases = {"none": (0, 0), "low": (-9999, 64), "high": (1e9, 5), "near": (-0.9, 64), "a spot": (50.0, 1)}
    for stem, (number, count) in cases.items():
        image = numbers.copy()
        image.flat[:count] = number
        put(tmp_path / "set", stem, tiff(image), image_suffix=".tif")
    put(tmp_path / "set", "two numbers", tiff((numbers > 0.5).astype(np.float32)), image_suffix=".tif")
    store = run(tmp_path / "set", tmp_path / "out")
    rows = {row["file"]: row for row in read_csv(tmp_path / "out/checks.csv")}
    assert len(store) == 6 and set(rows) == {"low", "high", "masks"}  # all have the same mask
    assert rows["low"]["what"].startswith("1.6% of the image's numbers are -9999, which is far outside")
    assert rows["high"]["what"].startswith("0.1% of the image's numbers are 1e+09")
    assert "data.normalise" in rows["low"]["setting"] and rows["low"]["severity"] == "warning"


def test_the_largest_class_is_proposed_as_background(tmp_path, capfd):
    run(write_data_set(tmp_path / "set", count=6, classes=3, values=[2, 1, 0]), tmp_path / "out", sheet=False)
    assert "else say in dataset.yaml: background: class_2" in capfd.readouterr().out


def test_unusual_names_are_shown_as_text_without_font_warnings(tmp_path, capfd):
    for stem in ("<b>x<b>&amp;", "$x_{$ 日本 😀", "a,b;\"c'", "%s {}"):
        put(tmp_path / "set", stem)
    store = run(tmp_path / "set", tmp_path / "out")
    assert "<b>x<b>&amp;" in {record.id for record in store.records}
    assert capfd.readouterr().err == ""
