"""From files to the store: what is read, what the values mean, and what is refused with which words."""

import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from src.data.dataset import IGNORE
from src.data.normalise import pooled_moments
from src.data.prepare import prepare
from src.data.store import Store
from src.errors import UserError
from src.files import read_csv
from tests.conftest import write_data_set, write_pair


def run(source, tmp_path) -> Store:
    return prepare(source, tmp_path / "prepared", tmp_path / "checks.csv")


def plain(tmp_path, *masks, channels=3):
    """A data set of random images with these masks."""
    rng = np.random.default_rng(0)
    for number, mask in enumerate(masks):
        image = rng.integers(0, 256, (*mask.shape, channels)[: 2 + (channels > 1)], dtype=np.uint8)
        write_pair(tmp_path / "set", str(number), image, mask)
    return tmp_path / "set"


def test_pixels_come_back_as_they_were(tmp_path):
    source = write_data_set(tmp_path / "set", classes=3)
    store = run(source, tmp_path)
    assert len(store) == 12
    for index, record in enumerate(store.records):
        image = cv2.imread(str(source / "images" / f"{record.id}.png"))[..., ::-1]
        mask = cv2.imread(str(source / "masks" / f"{record.id}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(store.image(index), image)
        np.testing.assert_array_equal(store.mask(index), mask)
        assert (record.height, record.width) == mask.shape
        assert record.pixels == np.bincount(mask.ravel(), minlength=3).tolist()
        np.testing.assert_allclose(record.mean, np.sqrt(image.astype(float)).mean(axis=(0, 1)), rtol=1e-5)
        np.testing.assert_allclose(record.std, np.sqrt(image.astype(float)).std(axis=(0, 1)), rtol=1e-5)


def test_intensities_of_a_subset_are_those_of_its_pixels(store):
    chosen = [0, 3, 7]
    roots = np.sqrt(np.concatenate([store.image(index).reshape(-1, 3) for index in chosen]).astype(float))
    mean, std = pooled_moments([store.records[index] for index in chosen])
    np.testing.assert_allclose(mean, roots.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, roots.std(axis=0), rtol=1e-5)


def test_ignored_pixels_count_in_no_statistic(tmp_path):
    image, mask = np.full((8, 8, 3), 100, np.uint8), np.tile(np.array([0, 1], np.uint8), (8, 4))
    image[:4], mask[:4] = 0, 9
    write_pair(tmp_path / "set", "a", image, mask)
    (tmp_path / "set/dataset.yaml").write_text("classes: {0: a, 1: b}\nignore: 9")
    store = run(tmp_path / "set", tmp_path)
    np.testing.assert_allclose(pooled_moments(store.records), [[10.0] * 3, [0.0] * 3], atol=1e-6)
    assert store.records[0].pixels == [16, 16] and (store.mask(0)[:4] == IGNORE).all()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0, 255], ["background", "foreground"]),
        ([0, 1], ["background", "foreground"]),
        ([0, 1, 2], ["class_0", "class_1", "class_2"]),
    ],
)
def test_encodings_that_have_one_reading(tmp_path, values, names):
    source = write_data_set(tmp_path / "set", classes=len(values), values=values)
    store = run(source, tmp_path)
    assert store.dataset.names == names
    assert set(np.unique(store.mask(0))) == set(range(len(values)))
    assert store.dataset.foreground == ([1] if len(values) == 2 else [0, 1, 2])


@pytest.mark.parametrize("values", [[0, 128, 255], [0, 1, 3], [5, 6], [0, 200]])
def test_values_with_more_than_one_reading_stop_the_run(tmp_path, values):
    mask = np.array(values, np.uint8).repeat(8)[None].repeat(4, axis=0)
    with pytest.raises(UserError, match="say what each value means under classes") as error:
        run(plain(tmp_path, mask, mask), tmp_path)
    assert ", ".join(map(str, values)) in str(error.value)
    assert f"{values[0]} in 2, as in '0'" in str(error.value)
    assert not (tmp_path / "prepared").exists()


def test_dataset_yaml_decides(tmp_path):
    mask = np.array([[0, 128, 255, 7]], np.uint8).repeat(4, axis=0)
    source = plain(tmp_path, mask)
    (source / "dataset.yaml").write_text("classes: {128: cell, 0: void}\nbackground: void\nignore: 255\n")
    with pytest.raises(UserError, match=r"holds value\(s\) 7, which are none of 0, 128, 255"):
        run(source, tmp_path)
    (source / "dataset.yaml").write_text("classes: {128: cell, 0: void, 7: wall}\nbackground: void\nignore: 255\n")
    store = run(source, tmp_path)
    np.testing.assert_array_equal(store.mask(0)[0], [1, 0, IGNORE, 2])
    assert store.records[0].pixels == [4, 4, 4] and store.dataset.foreground == [0, 2]


def test_one_unknown_value_names_its_file(tmp_path):
    masks = [np.array([[0, 1]], np.uint8).repeat(4, axis=0) for _ in range(20)]
    masks[13][2, 1] = 9
    source = plain(tmp_path, *masks)
    (source / "dataset.yaml").write_text("classes: {0: no, 1: yes}\n")
    with pytest.raises(UserError, match=r"1 problem.*\n  '13': the mask holds value\(s\) 9") as error:
        run(source, tmp_path)
    assert "'12'" not in str(error.value)


def test_reads_palette_one_bit_and_grey(tmp_path):
    labels = np.array([[0, 1, 1, 0]], np.uint8).repeat(4, axis=0)
    palette, bits = Image.fromarray(labels), Image.fromarray(labels.astype(bool))
    palette.putpalette([0, 0, 0, 200, 30, 90])
    for number, mask in enumerate((palette, bits)):
        folder = tmp_path / f"set{number}"
        write_pair(folder, "a", labels * 100, labels)  # a grey image
        mask.save(folder / "masks" / "a.png")
        store = prepare(folder, tmp_path / f"prepared{number}", tmp_path / "checks.csv")
        np.testing.assert_array_equal(store.mask(0), labels)
        assert store.channels == 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_reads_grey_masks_of_few_bits_as_stored(tmp_path, bits):
    labels = np.tile(np.array([0, 1], np.uint8), (8, 4))
    rows = np.packbits((labels[..., None] >> np.arange(bits)[::-1] & 1).reshape(8, -1), axis=1)
    scanlines = b"".join(b"\x00" + row.tobytes() for row in rows)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0)
    write_pair(tmp_path / "set", "a", np.zeros((8, 8, 3), np.uint8), labels)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    (tmp_path / "set/masks/a.png").write_bytes(png)
    store = run(tmp_path / "set", tmp_path)
    np.testing.assert_array_equal(store.mask(0), labels)
    assert list(store.dataset.classes) == ([0, 255] if bits == 1 else [0, 1])


def test_alpha_is_left_out_and_many_pages_are_refused(tmp_path):
    mask = np.eye(8, dtype=np.uint8)
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    write_pair(tmp_path / "set", "a", mask, mask)
    grey.convert("LA").save(tmp_path / "set/images/a.png")
    write_pair(tmp_path / "set", "b", mask, mask)
    assert run(tmp_path / "set", tmp_path).channels == 1
    (tmp_path / "set/images/b.png").unlink()
    grey.save(tmp_path / "set/images/b.tif", save_all=True, append_images=[grey])
    with pytest.raises(UserError, match=r"'b': images/b\.tif holds 2 images"):
        run(tmp_path / "set", tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_reads_each_format(tmp_path, suffix):
    source = write_data_set(tmp_path / "set", count=3)
    for path in list((source / "images").iterdir()):
        cv2.imwrite(str(path.with_suffix(suffix)), cv2.imread(str(path)))
        if suffix != ".png":
            path.unlink()
    assert len(run(source, tmp_path)) == 3


def test_sub_folders_and_awkward_names(tmp_path):
    image, mask = np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=np.uint8)
    for stem in ("übung/a b", "übung/<b>c", "img1", "img10"):
        write_pair(tmp_path / "set", stem, image, mask)
    (tmp_path / "set" / "images" / ".DS_Store").write_bytes(b"\x00")
    (tmp_path / "set" / "images" / "Thumbs.db").write_bytes(b"\x00")
    assert [record.id for record in run(tmp_path / "set", tmp_path).records] == [
        "img1",
        "img10",
        "übung/<b>c",
        "übung/a b",
    ]


def test_every_offender_is_listed_and_nothing_is_left_behind(tmp_path):
    source = write_data_set(tmp_path / "set", count=12)
    image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    write_pair(source, "size", image, mask[:4])
    write_pair(source, "grey", image[..., 0], mask)
    write_pair(source, "colours", image, image)
    write_pair(source, "deep", image.astype(np.uint16), mask)
    for stem, content in (("text", b"not an image"), ("empty", b"")):
        write_pair(source, stem, image, mask)
        (source / "images" / f"{stem}.png").write_bytes(content)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_pair(source, "cut", noise, np.zeros((64, 64), np.uint8))
    whole = (source / "images" / "cut.png").read_bytes()
    (source / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
    write_pair(source, "twice", image, mask)
    (source / "masks" / "twice.tif").write_bytes((source / "masks" / "twice.png").read_bytes())
    write_pair(source, "alone", image, mask)
    (source / "masks" / "alone.png").unlink()
    write_pair(source, "orphan", image, mask)
    (source / "images" / "orphan.png").unlink()
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}

    with pytest.raises(UserError) as error:
        run(source, tmp_path)
    expected = {
        "size": "the image is 8 × 8 pixels, its mask 8 × 4",
        "grey": "the image has 1 channel(s), most have 3",
        "colours": "masks/colours.png is of mode RGB",
        "deep": "images/deep.png has 16 bits a channel",
        "text": "images/text.png cannot be read",
        "empty": "images/empty.png cannot be read",
        "cut": "images/cut.png cannot be decoded",
        "masks/twice.tif": "has the stem of twice.png",
        "images/alone": "has no mask",
        "masks/orphan": "has no image",
    }
    for name, words in expected.items():
        assert re.search(f"'{name}': .*{re.escape(words)}", str(error.value)), (name, str(error.value))
    errors = [row for row in read_csv(tmp_path / "checks.csv") if row["severity"] == "error"]
    assert {row["file"] for row in errors} == set(expected) and all(row["remedy"] for row in errors)
    assert not (tmp_path / "prepared").exists() and not list(tmp_path.glob(".tmp-*"))
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}


def test_oddities_are_warned_of(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    write_pair(source, "flat", np.full((8, 8, 3), 7, np.uint8), np.zeros((8, 8), np.uint8))
    (source / "images" / "notes.txt").write_text("hello")
    run(source, tmp_path)
    found = {(row["file"], row["severity"]): row["what"] for row in read_csv(tmp_path / "checks.csv")}
    assert ("images/notes.txt", "warning") in found and ("flat", "warning") in found


@pytest.mark.parametrize("missing", ["", "images", "masks"])
def test_a_missing_folder_is_named(tmp_path, missing):
    source = write_data_set(tmp_path / "set", count=1)
    (source / missing).rename(tmp_path / "away")
    with pytest.raises(UserError, match=rf"{re.escape(str(source / missing))}: no such folder"):
        run(source, tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="no pair of image and mask found"):
        run(tmp_path / "set", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clases: {0: a, 1: b}", "clases: no such key; did you mean classes?"),
        ("classes: {0: a, 1: a}", "named twice: a"),
        ("classes: {0: a}", "from 2 to 255"),
        ("classes: {0: a, 256: b}", "less than or equal to 255"),
        ("classes: {0: a, 1: b}\nbackground: c", "no such class: c"),
        ("classes: {0: a, 1: b}\nignore: 1", "1 is the value of class b"),
        ("group: '(a'", "not a regular expression"),
        ("group: 'a'", "exactly one capture group"),
        ("test: ../test.txt", "name of a file beside"),
        ("test: missing.txt", "missing.txt: cannot be read"),
        ("classes: {0: a, 1: b", "not valid YAML"),
        ("package: {nme: x}", "package.nme: no such key; did you mean name?"),
        ('colors: {cell: "#ffffff"}', "colors: no such class: cell"),
        ("background: sky", "background: no such class: sky"),
    ],
)
def test_a_broken_dataset_yaml_is_refused(tmp_path, text, words):
    source = write_data_set(tmp_path / "set", count=1)
    (source / "dataset.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        run(source, tmp_path)


def test_a_name_without_its_group_is_an_error(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    (source / "dataset.yaml").write_text(r"group: '^case (\d+)-1$'")
    with pytest.raises(UserError, match="finds nothing in 2 of 3 names"):
        run(source, tmp_path)


def test_a_dataset_yml_is_not_passed_over(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    (source / "dataset.yml").write_text("group: '^(case)'")
    with pytest.raises(UserError, match=r"dataset\.yaml: has to be called that"):
        run(source, tmp_path)
