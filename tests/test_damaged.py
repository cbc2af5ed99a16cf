"""Damaged images of every kind are refused with file, reason and remedy, or skipped and counted."""

import struct

import numpy as np
import pytest
from PIL import Image

from src.errors import UserError
from src.files import read_csv
from tests.battery import NOISE, jpeg, put, run, state, whole_png
from tests.conftest import write_data_set
from tests.corpus import chunk, pixels, png, saved, tiff


@pytest.fixture
def source(tmp_path):
    return write_data_set(tmp_path / "set", count=6)


def bomb(side=60000):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def jpeg_bomb():
    content = bytearray(jpeg())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 65000, 65000)
    return bytes(content)


def bmp_bomb():
    content = bytearray(saved(Image.fromarray(NOISE), "BMP"))
    content[18:26] = struct.pack("<ii", 60000, 60000)
    return bytes(content)


def floats(value):
    image = pixels(dtype=np.float32)
    image[2, 3] = value
    return tiff(image)


DAMAGED = {  # content of an image file, and the message about it
    "cut PNG": (lambda: whole_png()[:5000], "images/bad.png is cut off"),
    "cut JPEG": (lambda: jpeg()[:-900], "images/bad.png cannot be decoded: Premature end of JPEG file"),
    "bit in PNG": (
        lambda: whole_png()[:3000] + b"\0\1" + whole_png()[3002:],
        "images/bad.png is damaged: the checksum",
    ),
    "zero bytes": (lambda: b"", "images/bad.png is empty"),
    "text": (lambda: b"hello, I am no image\n" * 9, "images/bad.png cannot be read as an image"),
    "zeros": (lambda: bytes(5000), "images/bad.png cannot be read as an image"),
    "JPEG bomb": (jpeg_bomb, "images/bad.png has 65000 × 65000 pixels"),
    "BMP bomb": (bmp_bomb, "images/bad.png has 60000 × 60000 pixels"),
    "PNG bomb": (bomb, "images/bad.png has 60000 × 60000 pixels, more than the limit of 268,435,456"),
    "GIF": (lambda: saved(Image.fromarray(NOISE[..., 0]), "GIF"), "images/bad.png is in GIF format"),
    "cut TIFF": (lambda: tiff(NOISE, photometric="rgb")[:-3000], "images/bad.png is cut off"),
    "cut WebP": (lambda: saved(Image.fromarray(NOISE), "WEBP")[:-300], "images/bad.png cannot be"),
    "cut BMP": (lambda: saved(Image.fromarray(NOISE), "BMP")[:-300], "images/bad.png cannot be decoded"),
    "animation": (
        lambda: saved(Image.fromarray(NOISE), "PNG", save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
        "images/bad.png holds 2 images",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_image_is_refused_by_name_or_skipped(source, tmp_path, name, capfd):
    content, words = DAMAGED[name]
    put(source, "bad", content())
    before = state(source)
    with pytest.raises(
        UserError, match=r"^1 problem\(s\) in the data set, all of them in .*checks\.csv\n  'bad': "
    ) as error:
        run(source, tmp_path / "out")
    assert words in str(error.value) and " → " in str(error.value) and str(error.value).count("\n") == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checks.csv", "sheet.png"}
    (row,) = read_csv(tmp_path / "out/checks.csv")
    assert row["file"] == "bad" and row["severity"] == "error" and words in row["what"] and row["setting"]
    assert capfd.readouterr().err == ""

    store = run(source, tmp_path / "skipped", sheet=False, on_error="skip")
    assert [record.id for record in store.records] == sorted(f"case {n // 2}-{n}" for n in range(6))
    (row,) = read_csv(tmp_path / "skipped/checks.csv")
    assert row["severity"] == "skipped" and words in row["what"]
    assert "1 file(s) left out (data.on_error: skip)" in capfd.readouterr().out
    assert state(source) == before


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(tmp_path, value):
    source = tmp_path / "set"
    for stem in ("a", "b", "bad"):
        put(source, stem, floats(value if stem == "bad" else 3), png(np.eye(24, 20, dtype=np.uint8), 8, 0))
    with pytest.raises(UserError, match=r"1 problem.*\n  'bad': the image holds NaN, infinite"):
        run(source, tmp_path / "out")
    assert len(run(source, tmp_path / "skipped", sheet=False, on_error="skip")) == 2
