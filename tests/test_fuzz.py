"""Thousands of damaged files: each is refused with a message or read, quickly, and never silently as something else.

Not detected: damage to uncompressed pixels, to WebP, JPEG, LZW, PackBits, Zstandard and LZMA data that still
decodes (their decoders have or use no checksum), and to the headers of BMP and TIFF. PNG is covered as a whole, Deflate
in TIFF where the pixels are.
"""

import time
from collections import Counter

import numpy as np
import pytest
import tifffile

from src.data.reading.images import read_image
from src.data.reading.masks import read_mask
from src.data.reading.unreadable import Unreadable
from src.data.source.dataset import Dataset, read_dataset
from src.errors import UserError
from src.params import Masks
from tests.conftest import prepared, write_data_set
from tests.corpus import corpus

AUTO = Masks(read="auto", threshold=0)
SECONDS = 5  # the limit for one file; most take milliseconds


def damaged(content, rng):
    """Change one bit or byte, cut off the end, or insert a few bytes; also return the position of the change."""
    at = int(rng.integers(len(content)))
    kind = rng.integers(4)
    if kind == 0:
        return content[:at] + bytes([content[at] ^ 1 << int(rng.integers(8))]) + content[at + 1 :], at
    if kind == 1:
        return content[:at] + rng.bytes(1) + content[at + 1 :], at
    if kind == 2:
        return content[:at], at
    return content[:at] + rng.bytes(int(rng.integers(1, 9))) + content[at:], at


def pixel_bytes(path):
    """The ranges of bytes that a checksum covers: all of a PNG, the strips or tiles of a TIFF."""
    if path.suffix == ".png":
        return [range(path.stat().st_size)]
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        return [range(at, at + count) for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)]


def attempt(read, path):
    """The result of `read`, or None if it refuses the file; any other exception fails the test."""
    start = time.monotonic()
    try:
        return read(path)
    except (Unreadable, MemoryError):  # a decoder asked for a size out of a damaged header: pairs.py puts it in words
        return None
    finally:
        assert time.monotonic() - start < SECONDS, path.name


def fuzz(folder, cases, seed):
    """Damage files of the corpus `cases` times; count the outcomes per file."""
    rng = np.random.default_rng(seed)
    samples = list(corpus())
    whole, covered = [], []
    for sample in samples:
        path = folder / sample.name
        path.write_bytes(sample.content)
        whole.append(read_image(path))
        covered.append(pixel_bytes(path) if sample.checked else [])
    found = {sample.name: Counter() for sample in samples}
    for case in range(cases):
        number = case % len(samples)
        sample, wanted = samples[number], whole[number]
        content, at = damaged(sample.content, rng)
        path = folder / f"damaged-{sample.name}"
        path.write_bytes(content)
        image = attempt(read_image, path)
        labels = attempt(lambda path: read_mask(path, AUTO, bool(rng.integers(2)), None), path)
        if labels is not None:
            counted = sum(labels.values.pixels.values())
            assert counted == labels.codes.size or (counted < labels.codes.size and len(labels.values.pixels) > 255)
            assert image is None or labels.codes.shape == image.shape[:2], (case, sample.name)
        if image is None:
            found[sample.name]["refused"] += 1
            continue
        assert image.ndim == 3 and image.dtype in (np.uint8, np.uint16, np.float32) and image.size
        same = image.shape == wanted.shape and np.array_equal(image, wanted)
        found[sample.name]["same" if same else "other"] += 1
        assert same or not any(at in part for part in covered[number]), (case, sample.name, at)
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files_are_refused_or_read(tmp_path, seed, capfd):
    found = fuzz(tmp_path, 2000, seed)
    assert sum(count.total() for count in found.values()) == 2000
    assert all(count["refused"] for count in found.values())
    assert all(not count["other"] for name, count in found.items() if name.endswith(".png"))
    assert capfd.readouterr().err == ""


YAML = """classes: {0: background, 1: vessel, 7: "wall <b>"}
background: background
ignore: 255
group: 'Image_([0-9]+)'
colors: {vessel: "#FF0000"}
"""
PIECES = [
    *"[]{}:-?\n\t'\"|#%@`~\0\ufeffé",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!set ",
    "!!binary ",
    "1e400",
    ".nan",
    "null",
    "9" * 20,
]


def test_a_damaged_dataset_yaml_is_refused_with_a_message_or_read(tmp_path):
    rng = np.random.default_rng(0)
    outcomes = Counter()
    for _ in range(500):
        text = YAML
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(text) + 1))
            piece = PIECES[rng.integers(len(PIECES))] if rng.integers(2) else ""
            text = text[:at] + piece + text[at + int(rng.integers(0, 4)) :]
        (tmp_path / "dataset.yaml").write_bytes(text.encode() if rng.integers(9) else text.encode("latin-1", "replace"))
        try:
            outcomes[type(read_dataset(tmp_path))] += 1
        except UserError as error:
            assert "dataset.yaml" in str(error)
            outcomes[UserError] += 1
    assert outcomes[UserError] > 100 and outcomes[Dataset] > 10 and outcomes.total() == 500


def test_a_file_that_is_cut_off_is_refused_wherever_it_ends(tmp_path):
    for sample in corpus():
        path = tmp_path / sample.name
        for length in [*range(0, len(sample.content), 11), len(sample.content) - 1]:
            path.write_bytes(sample.content[:length])
            assert attempt(read_image, path) is None, (sample.name, length)


def test_damage_to_some_files_never_changes_what_is_read_of_the_others(tmp_path):
    rng = np.random.default_rng(0)
    source = write_data_set(tmp_path / "set", count=8, classes=3)
    whole = prepared(source, tmp_path / "whole")
    files = sorted(source.rglob("*.png"))
    for case in range(8):
        chosen = {files[number]: files[number].read_bytes() for number in rng.choice(len(files), 3, replace=False)}
        for path, content in chosen.items():
            path.write_bytes(damaged(content, rng)[0])
        with pytest.raises(UserError, match=r"^[123] problem"):
            prepared(source, tmp_path / f"{case}")
        store = prepared(source, tmp_path / f"{case}", on_error="skip")
        bad = {path.stem for path in chosen}
        assert {record.id for record in store.records} >= set(whole.position) - bad
        for index, record in enumerate(store.records):
            np.testing.assert_array_equal(store.image(index), whole.image(whole.position[record.id]))
            np.testing.assert_array_equal(store.mask(index), whole.mask(whole.position[record.id]))
        for path, content in chosen.items():
            path.write_bytes(content)


@pytest.mark.slow
def test_many_more_damaged_files(tmp_path):
    for seed in range(10, 20):
        fuzz(tmp_path, 5000, seed)


def test_damaged_large_tiffs_are_refused_or_read(tmp_path, monkeypatch):
    monkeypatch.setattr("src.data.reading.tiff.LARGE_IMAGE_PIXELS", 10)
    fuzz(tmp_path, 1000, 2)
