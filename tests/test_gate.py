"""The battery of bad input: each case stops with its message, lists every offender, leaves nothing half-done behind."""

import errno
import os
import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from src.data import images
from src.data.checks import stop_on_errors, summary, write_findings
from src.data.gate import Gate
from src.data.prepare import prepare
from src.errors import UserError
from src.files import read_csv
from src.report.gate import report
from tests.conftest import data_section, write_data_set, write_pair
from tests.corpus import chunk, pixels, png, saved, tiff

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
MASK = np.eye(64, dtype=np.uint8)


def run(source: Path, folder: Path, sheet: bool = True, **changes):
    """As the stage does it: the table and the contact sheet beside the store; quicker without the sheet."""

    def shown(gate: Gate) -> None:
        if sheet:
            return report(gate, folder / "checks.csv", folder / "sheet.png")
        print("\n".join(summary(gate)))
        write_findings(folder / "checks.csv", gate)
        return stop_on_errors(gate, folder / "checks.csv")

    return prepare(data_section(source, **changes), folder / "prepared", shown)


def state(source):
    """Every entry below the folder: its bytes, time, size and kind."""
    return {
        path: (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b"",
        )
        for path in source.rglob("*")
    }


@pytest.fixture
def source(tmp_path):
    return write_data_set(tmp_path / "set", count=6)


def put(source, stem, image=None, mask=None, image_suffix=".png", mask_suffix=".png"):
    """A good pair, or one with the content of its files given."""
    write_pair(source, stem, NOISE, MASK)
    for kind, content, suffix in (("images", image, image_suffix), ("masks", mask, mask_suffix)):
        if content is not None:
            (source / kind / f"{stem}.png").unlink()
            (source / kind / f"{stem}{suffix}").write_bytes(content)


def whole_png():
    return cv2.imencode(".png", NOISE)[1].tobytes()


def bomb(side=60000):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def jpeg():
    return saved(Image.fromarray(NOISE), "JPEG")


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


DAMAGED = {  # of an image: content, what is said of it
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
    "PNG bomb": (bomb, "images/bad.png has 60000 × 60000 pixels, 268,435,456 are the most of its kind"),
    "GIF": (lambda: saved(Image.fromarray(NOISE[..., 0]), "GIF"), "images/bad.png cannot be read as an image"),
    "cut TIFF": (lambda: tiff(NOISE, photometric="rgb")[:-3000], "images/bad.png is cut off"),
    "cut WebP": (lambda: saved(Image.fromarray(NOISE), "WEBP")[:-300], "images/bad.png cannot be"),
    "cut BMP": (lambda: saved(Image.fromarray(NOISE), "BMP")[:-300], "images/bad.png cannot be decoded"),
    "animation": (
        lambda: saved(Image.fromarray(NOISE), "PNG", save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
        "images/bad.png holds 2 images",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_image_is_named_or_left_out(source, tmp_path, name, capfd):
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
def test_floats_that_are_no_numbers(tmp_path, value):
    source = tmp_path / "set"
    for stem in ("a", "b", "bad"):
        put(source, stem, floats(value if stem == "bad" else 3), png(np.eye(24, 20, dtype=np.uint8), 8, 0))
    with pytest.raises(UserError, match=r"1 problem.*\n  'bad': the image holds NaN, infinite"):
        run(source, tmp_path / "out")
    assert len(run(source, tmp_path / "skipped", sheet=False, on_error="skip")) == 2


def other_size(source):
    put(source, "bad", mask=png(np.eye(63, 64, dtype=np.uint8), 8, 0))


def turned(source):
    exif = Image.Exif()
    exif[0x0112] = 6
    put(source, "bad", saved(Image.fromarray(NOISE[:, :32]), "PNG", exif=exif), png(MASK[:, :32], 8, 0))


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
    turned: {"bad": "the image is 64 × 32 pixels, its mask 32 × 64, the one turned: look for an EXIF orientation"},
    no_mask: {"images/bad": "has no mask"},
    no_image: {"masks/bad": "has no image"},
    two_masks: {"masks/bad.tif": "has the stem of bad.png"},
    two_images: {"images/bad.png": "has the stem of bad.jpg"},
    capitals: {
        "images/case 0-0.png": "differs from Case 0-0.png in capital letters only",
        "masks/case 0-0.png": "differs from Case 0-0.png in capital letters only",
    },
    out_of_the_folder: {"images/bad.png": "is a link out of the data set's folder"},
    loop: {
        "images/bad.png": "is a link that leads nowhere, or in a circle",
        "images/round": "is a link to a folder, which is not followed",
    },
    enormous: {"bad": "images/bad.png has 2,147,483,649 bytes, 2,147,483,648 are the most of its kind"},
    pipe: {"images/bad.png": "is no regular file"},
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
def test_a_file_out_of_place_is_named_or_left_out(source, tmp_path, spoil, capfd):
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


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), PermissionError(13, "Permission denied")])
def test_a_file_that_cannot_be_opened(source, tmp_path, monkeypatch, error):
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


def test_a_folder_that_cannot_be_opened(source, tmp_path, monkeypatch):
    put(source, "closed/a")
    scandir = os.scandir

    def failing(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(UserError, match=r"2 problem.*\n  'images/closed': cannot be opened: Permission denied"):
        run(source, tmp_path / "out")


def test_an_image_that_does_not_fit_into_memory(source, tmp_path, monkeypatch):
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
    """The first write to a file of that kind fails once a few bytes are in it."""
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


def test_a_full_disk_under_a_large_tiff_stops_instead_of_skipping_it(source, tmp_path, monkeypatch):
    put(source, "large", tiff(NOISE, photometric="rgb"))
    monkeypatch.setattr("src.data.tiff.LARGE", 10)

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


def test_a_file_without_partner_takes_no_pair_of_like_name_with_it(source, tmp_path):
    put(source, "images/x")  # the pair 'images/x', a folder below images/
    put(source, "x")
    (source / "masks/x.png").unlink()
    store = run(source, tmp_path / "out", sheet=False, on_error="skip")
    assert "images/x" in store.position and "x" not in store.position and len(store) == 7


def test_one_image_alone_passes(tmp_path):
    put(tmp_path / "set", "only")
    assert len(run(tmp_path / "set", tmp_path / "out")) == 1


def test_nothing_left_after_skipping_is_an_error(tmp_path):
    put(tmp_path / "set", "bad", b"")
    with pytest.raises(UserError, match="no pair of image and mask is left → see the other findings"):
        run(tmp_path / "set", tmp_path / "out", on_error="skip")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checks.csv", "sheet.png"}


def test_all_offenders_are_listed_up_to_fifty_and_every_one_in_the_table(source, tmp_path):
    for number in range(60):
        put(source, f"bad {number:02d}", b"x")
    with pytest.raises(UserError, match=r"^60 problem") as error:
        run(source, tmp_path / "out")
    assert len(re.findall(r"'bad \d\d'", str(error.value))) == 50 and "… and 10 more" in str(error.value)
    assert len(read_csv(tmp_path / "out/checks.csv")) == 60


def test_oddities_are_warned_of_and_stop_nothing(source, tmp_path, capfd):
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
    assert "the very picture of 'empty mask', but its mask is another" in found["same one", "warning"]
    assert "nearly the picture of 'large'" in found["large again", "warning"]
    out = capfd.readouterr().out
    assert "11 pairs, 3 channel(s) of uint8" in out and "mask value 0: background" in out and "warning(s)" in out


def test_names_are_shown_as_text_and_print_no_warnings(tmp_path, capfd):
    for stem in ("<b>x<b>&amp;", "$x_{$ 日本 😀", "a,b;\"c'", "%s {}"):
        put(tmp_path / "set", stem)
    store = run(tmp_path / "set", tmp_path / "out")
    assert "<b>x<b>&amp;" in {record.id for record in store.records}
    assert capfd.readouterr().err == ""
