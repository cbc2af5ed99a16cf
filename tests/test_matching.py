"""Pairing images and masks by name: naming rules that hold for a data set, and files that must not be paired."""

import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from src.data.source.matching import Affix, NamingRule, find_rule
from src.errors import UserError
from src.files import read_csv
from tests.conftest import ROOT, prepared, write_data_set, write_pair

STEMS = [f"img{number}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        ("{}", "{}", ""),
        ("{}", "{}_mask", "masks end in '_mask'"),
        ("{}", "{}-label", "masks end in '-label'"),
        ("{}", "mask_{}", "masks begin with 'mask_'"),
        ("{}", "gt {} (1)", "masks begin with 'gt ' and masks end in ' (1)'"),
        ("{}_sat", "{}_mask", "images end in 'sat' and masks end in 'mask'"),
        ("{}.rgb", "{}", "images end in '.rgb'"),
        ("übung {}", "übung {}_größe", "masks end in '_größe'"),
    ],
)
def test_a_common_prefix_or_suffix_is_found_and_printed(image, mask, words):
    images, masks = [image.format(stem) for stem in STEMS], [mask.format(stem) for stem in STEMS]
    rule = find_rule(images, masks)
    assert rule.describe() == words
    assert rule.count_pairs(images, masks) == len(STEMS)
    by_image, by_mask = rule.group(images, rule.image), rule.group(masks, rule.mask)
    for key, (one,) in by_image.items():
        (other,) = by_mask[key]
        assert masks.index(other) == images.index(one)


def test_a_rule_holds_in_every_sub_folder_and_pairs_nothing_across_them():
    images = [f"{folder}/{stem}" for folder in ("a", "b") for stem in STEMS[:3]]
    masks = [f"{folder}/{stem}_mask" for folder in ("a", "c") for stem in STEMS[:3]]
    rule = find_rule(images, masks)
    assert rule == NamingRule(mask=Affix("", "_mask")) and rule.count_pairs(images, masks) == 3


def test_a_prefix_of_a_name_is_not_that_name():
    images, masks = ["img1", "img10", "img2"], ["img1_m", "img10_m", "img2_m"]
    rule = find_rule(images, masks)
    assert rule == NamingRule(mask=Affix("", "_m")) and rule.count_pairs(images, masks) == 3
    lonely = find_rule(["img1", "img2", "img3"], ["img10", "img2", "img3"])
    assert lonely == NamingRule()  # img10 is no mask of img1


def test_names_without_anything_in_common_pair_nothing():
    rule = find_rule(["a1", "b2", "c3"], ["x", "y", "z"])
    assert rule == NamingRule() and rule.count_pairs(["a1", "b2", "c3"], ["x", "y", "z"]) == 0


def test_of_two_kinds_of_masks_the_one_that_pairs_all_images_is_chosen():
    images = STEMS
    masks = [f"{stem}_mask" for stem in STEMS] + [f"{stem}_edges" for stem in STEMS[:4]]
    rule = find_rule(images, masks)
    assert rule.mask == Affix("", "_mask") and rule.count_pairs(images, masks) == len(STEMS)


def test_a_rule_that_pairs_a_few_by_chance_is_not_believed():
    images, masks = ["rgb_0", "rgb_1", "rgb_10"], ["_10", "_11", "_110"]  # without "rgb" the last is the first
    assert find_rule(images, masks) == NamingRule()


def test_random_names_are_never_paired_wrongly():
    rng = np.random.default_rng(0)
    for case in range(600):
        stems = sorted({"".join(rng.choice(list("ab01_-"), rng.integers(1, 6))) for _ in range(rng.integers(4, 13))})
        before, behind = rng.choice(["", "_mask", "-label", "mask_", "gt ", "_a", "_1", "m"], 2)
        partner = {stem: f"{before}{stem}{behind}" for stem in stems}
        images = [stem for stem in stems if case % 2 or rng.random() < 0.9]
        masks = [mask for mask in partner.values() if case % 2 or rng.random() < 0.9]
        rule = find_rule(images, masks)
        by_image, by_mask = rule.group(images, rule.image), rule.group(masks, rule.mask)
        pairs = {
            found[0]: by_mask[key][0] for key, found in by_image.items() if len(found) == len(by_mask.get(key, [])) == 1
        }
        assert all(partner[image] == mask for image, mask in pairs.items()), (images, masks, rule)
        apart = before[-1:] in ("", *"_- ") and behind[:1] in ("", *"_- ")  # what is glued on need not be found
        assert len(images) < 4 or len(masks) < 4 or pairs or not case % 2 or not apart


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ([str(n) for n in range(1, 10)], [str(n) for n in range(11, 20)]),
        (["1", "2", "3"], ["10", "20", "30"]),
        (["a"], ["banana"]),
        (["img1", "img2"], ["img11", "img12"]),
    ],
)
def test_numbers_and_letters_inside_a_name_are_no_affix(images, masks):
    assert find_rule(images, masks) == NamingRule()


def test_long_names_pair_whatever_the_hash_seed():
    """Names with more cut positions than are tried: every process must try the longest shared affix."""
    code = """
from src.data.source.matching import find_rule
stem = "exp-2021-03-04-plate-1-well-2-site-3-channel-1-"
images, masks = ([f"{stem}{kind}-{n:03d}" for n in range(30)] for kind in ("img", "seg"))
rule = find_rule(images, masks)
print(rule.count_pairs(images, masks), rule.describe())
"""
    said = set()
    for seed in ("0", "1", "3"):
        environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": ""}
        command = [sys.executable, "-c", code]
        said.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1 and said.pop().startswith("30 ")


@pytest.mark.parametrize("affix", [Affix("a", "a"), Affix("ab", "bc"), Affix("abc", "")])
def test_an_affix_never_overlaps_itself_or_leaves_nothing(affix):
    assert affix.core("a") is None and affix.core("abc") is None and affix.core("") is None


def rename(source, kind, change):
    for path in sorted((source / kind).rglob("*.png")):
        path.rename(path.with_name(change(path.stem) + ".png"))


def test_masks_with_a_suffix_give_the_same_store(tmp_path):
    source = write_data_set(tmp_path / "set")
    first = prepared(source, tmp_path / "1")
    rename(source, "masks", lambda stem: f"{stem}_mask")
    second = prepared(source, tmp_path / "2")
    for name in ("masks.bin", "images.bin", "index.json"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_files_that_the_rule_does_not_pair_are_listed(tmp_path):
    source = write_data_set(tmp_path / "set", count=6)
    rename(source, "masks", lambda stem: f"{stem}_mask")
    write_pair(source, "new", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))  # a mask without the suffix
    with pytest.raises(UserError, match=r"2 problem") as error:
        prepared(source, tmp_path)
    assert "'images/new': has no mask" in str(error.value) and "'masks/new': has no image" in str(error.value)
    assert len(prepared(source, tmp_path, on_error="skip")) == 6


def test_a_difference_in_capital_letters_is_named(tmp_path):
    source = write_data_set(tmp_path / "set", count=3)
    (source / "masks/case 0-0.png").rename(source / "masks/Case 0-0.png")
    with pytest.raises(
        UserError, match=r"'images/case 0-0': has no mask; Case 0-0\.png differs in capital letters only"
    ):
        prepared(source, tmp_path)


def test_composed_and_decomposed_letters_are_one_name(tmp_path):
    source = write_data_set(tmp_path / "set", count=2)
    (source / "images/case 0-0.png").rename(source / "images" / unicodedata.normalize("NFD", "größe Å.png"))
    (source / "masks/case 0-0.png").rename(source / "masks" / unicodedata.normalize("NFC", "größe Å.png"))
    store = prepared(source, tmp_path)
    assert [record.id for record in store.records] == ["case 0-1", unicodedata.normalize("NFC", "größe Å")]
    for form in ("NFC", "NFD"):
        path = source / "images" / unicodedata.normalize(form, "größe Å.png")
        path.write_bytes((source / "images/case 0-1.png").read_bytes())
    with pytest.raises(UserError, match="has the same name as"):
        prepared(source, tmp_path)


def test_sub_folders_capital_extensions_and_unusual_names_are_paired_and_system_files_ignored(tmp_path):
    image, mask = np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=np.uint8)
    stems = ["übung/a b", "übung/<b>c", "img1", "img10", "v1.2 final", "日本/写真"]
    for stem in stems:
        write_pair(tmp_path / "set", stem, image, mask)
    (tmp_path / "set/images/img1.png").rename(tmp_path / "set/images/img1.PNG")
    for name in (".DS_Store", "Thumbs.db", "._img1.png", "desktop.ini", ".hidden/x.png"):
        (tmp_path / "set/images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set/images" / name).write_bytes(b"\x00")
    assert {record.id for record in prepared(tmp_path / "set", tmp_path).records} == set(stems)
    files = {row["file"] for row in read_csv(tmp_path / "checks.csv")}
    assert not any(part in name for name in files for part in ("DS_Store", "Thumbs", "._", "desktop", "hidden"))
