"""Preparing a data set: what the store holds, what dataset.yaml decides, and what is refused."""

import re

import cv2
import numpy as np
import pytest
import tifffile

from src.data.crops.normalise import pooled_moments
from src.data.source.dataset import IGNORE, Dataset
from src.data.store import prepare
from src.errors import UserError
from src.files import read_csv
from tests.conftest import prepared, write_data_set, write_pair


def plain(tmp_path, *masks, channels=3):
    """A data set of random images with these masks."""
    rng = np.random.default_rng(0)
    for number, mask in enumerate(masks):
        image = rng.integers(0, 256, (*mask.shape, channels)[: 2 + (channels > 1)], dtype=np.uint8)
        write_pair(tmp_path / "set", str(number), image, mask)
    return tmp_path / "set"


def test_the_store_holds_the_pixels_of_the_files(tmp_path):
    source = write_data_set(tmp_path / "set", classes=3)
    store = prepared(source, tmp_path)
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


def test_the_same_files_give_the_same_bytes(tmp_path):
    source = write_data_set(tmp_path / "set", classes=3)
    first, second = prepared(source, tmp_path / "1").folder, prepared(source, tmp_path / "2").folder
    assert {path.name for path in first.iterdir()} == {"images.bin", "masks.bin", "index.json", "dataset.yaml"}
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_intensities_of_a_subset_equal_those_of_its_pixels(store):
    chosen = [0, 3, 7]
    roots = np.sqrt(np.concatenate([store.image(index).reshape(-1, 3) for index in chosen]).astype(float))
    mean, std = pooled_moments([store.records[index] for index in chosen])
    np.testing.assert_allclose(mean, roots.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, roots.std(axis=0), rtol=1e-5)


def test_ignored_pixels_do_not_count_in_any_statistic(tmp_path):
    image, mask = np.full((8, 8, 3), 100, np.uint8), np.tile(np.array([0, 1], np.uint8), (8, 4))
    image[:4], mask[:4] = 0, 9
    write_pair(tmp_path / "set", "a", image, mask)
    (tmp_path / "set/dataset.yaml").write_text("classes: {0: a, 1: b}\nignore: 9")
    store = prepared(tmp_path / "set", tmp_path)
    np.testing.assert_allclose(pooled_moments(store.records), [[10.0] * 3, [0.0] * 3], atol=1e-6)
    assert store.records[0].pixels == [16, 16] and (store.mask(0)[:4] == IGNORE).all()


def test_dataset_yaml_decides_classes_background_and_ignored_values(tmp_path):
    mask = np.array([[0, 128, 255, 7]], np.uint8).repeat(4, axis=0)
    source = plain(tmp_path, mask)
    (source / "dataset.yaml").write_text("classes: {128: cell, 0: void}\nbackground: void\nignore: 255\n")
    with pytest.raises(UserError, match=r"'0': the mask holds 7, known are 0, 128, 255 → name it under classes"):
        prepared(source, tmp_path)
    (source / "dataset.yaml").write_text("classes: {128: cell, 0: void, 7: wall}\nbackground: void\nignore: 255\n")
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(store.mask(0)[0], [1, 0, IGNORE, 2])
    assert store.records[0].pixels == [4, 4, 4] and store.dataset.foreground == [0, 2]


def test_masks_whose_bytes_are_class_indices_are_written_once(tmp_path, monkeypatch):
    remapped = []
    remap_masks = prepare.remap_masks

    def recorded(path, masks):
        remapped.extend(masks := list(masks))
        remap_masks(path, masks)

    monkeypatch.setattr(prepare, "remap_masks", recorded)
    values = np.array([0, 1, 2], np.uint8)
    masks = [np.tile(values[chosen], (8, 4)) for chosen in ([0, 1], [0, 1, 2], [0, 2])]
    assert prepared(plain(tmp_path / "1", *masks), tmp_path / "1") and not remapped
    high = np.array([0, 128, 255], np.uint8)
    source = plain(tmp_path / "2", *(high[mask] for mask in masks))
    (source / "dataset.yaml").write_text("classes: {0: a, 128: b, 255: c}\n")
    store = prepared(source, tmp_path / "2")
    assert len(remapped) == 3
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(store.mask(index), mask)


def test_a_mask_that_is_ignored_altogether_counts_nothing(tmp_path):
    mask = np.tile(np.array([0, 1], np.uint8), (8, 4))
    source = plain(tmp_path, mask, np.full_like(mask, 9))
    (source / "dataset.yaml").write_text("classes: {0: a, 1: b}\nignore: 9")
    store = prepared(source, tmp_path)
    assert store.records[1].pixels == [0, 0] and store.records[1].mean == [0.0] * 3
    np.testing.assert_allclose(pooled_moments(store.records)[0], store.records[0].mean)


def test_strips_of_any_size_give_the_same_store(tmp_path, monkeypatch):
    monkeypatch.setattr("src.data.store.store.STRIP", 100)
    source = write_data_set(tmp_path / "set", classes=3)
    few = prepared(source, tmp_path / "1").folder
    monkeypatch.undo()
    many = prepared(source, tmp_path / "2").folder
    for name in ("images.bin", "masks.bin"):
        assert (few / name).read_bytes() == (many / name).read_bytes()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_large_tiffs_in_bands_give_the_same_store(tmp_path, monkeypatch, dtype, orientation):
    rng = np.random.default_rng(0)
    tags = {"extratags": [(0x0112, "H", 1, orientation, True)], "metadata": None, "compression": "deflate"}
    for kind, channels in (("images", 3), ("masks", 1)):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(3):
            array = rng.integers(0, 200 if channels == 3 else 2, (70, 50, channels)).astype(dtype)
            path = tmp_path / "set" / kind / f"{number}.tif"
            photometric = "rgb" if channels == 3 else "minisblack"
            tifffile.imwrite(path, array.squeeze(), tile=(32, 32), photometric=photometric, **tags)
    whole = prepared(tmp_path / "set", tmp_path / "1").folder
    monkeypatch.setattr("src.data.reading.tiff.LARGE_IMAGE_PIXELS", 10)
    banded = prepared(tmp_path / "set", tmp_path / "2").folder
    assert {path.name for path in banded.iterdir()} == {"images.bin", "masks.bin", "index.json", "dataset.yaml"}
    for path in whole.iterdir():
        assert path.read_bytes() == (banded / path.name).read_bytes(), path.name


def test_every_faulty_file_is_listed_and_nothing_is_left_behind(tmp_path):
    source = write_data_set(tmp_path / "set", count=12)
    image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    write_pair(source, "size", image, mask[:4])
    write_pair(source, "grey", image[..., 0], mask)
    write_pair(source, "deep", image.astype(np.uint16), mask)
    colours = image.copy()
    colours[2, 3] = 1, 2, 3
    write_pair(source, "colours", image, colours)
    write_pair(source, "text", image, mask)
    (source / "images/text.png").write_bytes(b"not an image")
    write_pair(source, "alone", image, mask)
    (source / "masks/alone.png").unlink()
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as error:
        prepared(source, tmp_path)
    expected = {
        "size": "the image is 8 × 8 pixels, its mask 8 × 4",
        "grey": "the image has 1 channel(s), most have 3",
        "colours": "the mask is in colour, most masks are in grey",
        "deep": "the image has uint16 as number type, most have uint8",
        "text": "images/text.png cannot be read as an image",
        "images/alone": "has no mask",
    }
    for name, words in expected.items():
        assert re.search(f"'{name}': .*{re.escape(words)}", str(error.value)), (name, str(error.value))
    errors = [row for row in read_csv(tmp_path / "checks.csv") if row["severity"] == "error"]
    assert {row["file"] for row in errors} == set(expected) and all(row["setting"] for row in errors)
    assert not (tmp_path / "prepared").exists() and not list(tmp_path.glob(".tmp-*"))
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}


def test_a_failed_run_keeps_the_earlier_store(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    index = prepared(source, tmp_path).folder / "index.json"
    before = index.read_bytes()
    (source / "images/case 0-0.png").write_bytes(b"")
    with pytest.raises(UserError):
        prepared(source, tmp_path)
    assert index.read_bytes() == before


@pytest.mark.parametrize("missing", ["", "images", "masks"])
def test_a_missing_folder_is_named(tmp_path, missing):
    source = write_data_set(tmp_path / "set", count=1)
    (source / missing).rename(tmp_path / "away")
    with pytest.raises(UserError, match=rf"{re.escape(str(source / missing))}: no such folder"):
        prepared(source, tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="no pair of image and mask found"):
        prepared(tmp_path / "set", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clases: {0: a, 1: b}", "clases: no such key; did you mean classes?"),
        ("classes: {0: a, 1: a}", "named twice: a"),
        ("classes: {0: a, 0: b}", 'found duplicate key "0"'),
        ("classes: {0: a, 00: b}", 'found duplicate key "0"'),
        ('classes: {"#ff0000": a, "#FF0000": b}', "one and the same value: #FF0000, #ff0000"),
        ('classes: {"#ff0000": a, "#000000": b}\nignore: "#FF0000"', "#FF0000 is the value of class a"),
        ("classes: {0: a, 1: b}\nignore: 2\nignore: 3", 'found duplicate key "ignore"'),
        ("classes: {0: a}", "2 to 255"),
        ("classes: {0.5: a, 1: b}", "0.5 is neither a whole number nor a colour"),
        ("classes: {0: a, red: b}", "'red' is neither a whole number nor a colour"),
        ('classes: {0: a, "#FF0000": b}', "give either numbers or colours"),
        ("classes: [a, b]", "['a', 'b'] is neither a whole number nor a colour"),
        ("- classes", "the file: "),
        ("classes: {0: a, 1: b}\nbackground: c", "no such class: c"),
        ("classes: {0: a, 1: b}\nignore: 1", "1 is the value of class b"),
        ("group: '(a'", "not a regular expression"),
        ("group: 'a'", "exactly one capture group"),
        ("test: ../test.txt", "name of a file in the folder"),
        ("test: missing.txt", "missing.txt: cannot be read"),
        ("classes: {0: a, 1: b", "not valid YAML"),
        ("classes: !!int many", "not valid YAML"),
        (f"ignore: {'9' * 5000}", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("classes: \x00", "not valid YAML"),
        ("package: {nme: x}", "package.nme: no such key; did you mean name?"),
        ('colors: {cell: "#ffffff"}', "colors: no such class: cell"),
        ("background: sky", "background: no such class: sky"),
    ],
)
def test_a_broken_dataset_yaml_is_refused(tmp_path, text, words):
    source = write_data_set(tmp_path / "set", count=1)
    (source / "dataset.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(words)) as error:
        prepared(source, tmp_path)
    assert "dataset.yaml" in str(error.value) or "missing.txt" in text
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize("masks", [{"read": "auto", "threshold": 128}, {"read": "instances", "threshold": 0}])
def test_classes_that_a_mask_setting_cannot_produce_are_refused(tmp_path, masks):
    source = write_data_set(tmp_path / "set", count=2, values=[0, 255])
    (source / "dataset.yaml").write_text("classes: {0: empty, 255: cell}")
    with pytest.raises(UserError, match=r"makes 0 and 1 of all values: name these under classes in .*dataset\.yaml"):
        prepared(source, tmp_path, masks=masks)
    (source / "dataset.yaml").write_text("classes: {0: empty, 1: cell}")
    assert prepared(source, tmp_path, masks=masks).dataset.names == ["empty", "cell"]


def test_a_dataset_yaml_that_is_not_utf8_is_refused(tmp_path):
    source = write_data_set(tmp_path / "set", count=1)
    (source / "dataset.yaml").write_bytes("classes: {0: Größe, 1: b}".encode("latin-1"))
    with pytest.raises(UserError, match=r"dataset\.yaml: cannot be read: not UTF-8"):
        prepared(source, tmp_path)


def test_a_name_without_its_group_is_an_error(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    (source / "dataset.yaml").write_text(r"group: '^case (\d+)-1$'")
    with pytest.raises(UserError, match="group"):
        prepared(source, tmp_path)


def test_a_dataset_yml_is_refused(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    (source / "dataset.yml").write_text("group: '^(case)'")
    with pytest.raises(UserError, match=r"dataset\.yaml: the file must have this name"):
        prepared(source, tmp_path)


def test_values_above_255_can_be_classes(tmp_path):
    mask = np.tile(np.array([0, 40000, 9], np.uint16), (8, 4))
    source = plain(tmp_path, mask)
    (source / "dataset.yaml").write_text("classes: {0: a, 40000: b}\nignore: 9")
    np.testing.assert_array_equal(prepared(source, tmp_path).mask(0)[0][:3], [0, 1, IGNORE])
    assert Dataset.model_validate({"classes": {-1: "a", 2**31: "b"}}).stored_values == [-1, 2**31]
