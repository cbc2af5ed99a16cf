"""check predicts the groups and the errors of split, and proposes rules that group dependent images."""

import re
import shutil
from collections import Counter

import cv2
import numpy as np
import pytest
import yaml

from src.data.checks.dataset_checks import check_dataset, store_nothing
from src.data.splits.advice import preview_split
from src.data.splits.divide import split
from src.data.splits.groups import groups_by_rule
from src.data.splits.sequences import is_one_sequence, propose_rules
from src.data.store.prepare import checked_dataset
from src.errors import UserError
from src.files import read_yaml, write_yaml
from tests import scenes
from tests.conftest import ROOT, data_section, prepared, write_data_set, write_pair
from tests.test_commands import run


def write_scenes(folder, named):
    """Write images, each with a mask of one disc at a random place."""
    rng = np.random.default_rng(0)
    for name, image in named:
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.circle(mask, tuple(rng.integers(20, min(mask.shape) - 20, 2).tolist()), 10, 1, -1)
        write_pair(folder, name, image, mask)
    return folder


def checked(folder, split_params, **changes):
    result = check_dataset(folder, data_section(folder, **changes), store_nothing)
    preview = preview_split(checked_dataset(result), split_params)
    return preview.lines, preview.error


@pytest.mark.parametrize(
    ("named", "rule", "groups"),
    [
        (scenes.videos(0), "^(.+)[/_. -]", 6),
        ([(name.replace("_", "frame"), image) for name, image in scenes.videos(0)], r"^(.*\D)\d+$", 6),
        ([(f"{name[:2]}/{name[3:]}", image) for name, image in scenes.videos(0)], "^(.+)[/_. -]", 6),
        ([(f"frame_{name[3:]}_{name[:2]}", image) for name, image in scenes.videos(0)], "[/_. -]([^/_. -]+)$", 6),
        (scenes.views(0), r"^(.*\d)[A-Za-z]+$", 20),
        (scenes.static(0), r"^(.*?)\d$", 4),
    ],
)
def test_the_rule_that_groups_dependent_images_is_proposed(tmp_path, params, named, rule, groups):
    folder = write_scenes(tmp_path / "set", named)
    lines, error = checked(folder, params().split)
    text = "\n".join(lines)
    assert error is None and "are in different groups" in text
    line = re.search(r"in dataset.yaml: (group: .*)", text)
    assert line and yaml.safe_load(line[1].split("   #")[0])["group"] == rule
    ids = [name for name, _ in named]
    assert len(set(groups_by_rule(folder, rule, ids).values())) == groups
    (folder / "dataset.yaml").write_text(line[1].split("   #")[0])
    lines, error = checked(folder, params().split)
    assert error is None and lines[0].startswith(f"{groups} group(s)") and not any("group:" in line for line in lines)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (scenes.static(0), "by their names all images are one sequence"),
        (scenes.tiles(0), "a table beside dataset.yaml"),
        ([(f"{number}", image) for number, (_, image) in enumerate(scenes.video(0, 12))], "one sequence"),
    ],
)
def test_other_remedies_are_given_where_names_suggest_no_rule(tmp_path, params, named, words):
    lines, _ = checked(write_scenes(tmp_path / "set", named), params().split)
    assert words in "\n".join(lines)


def test_a_rule_that_contradicts_the_lists_is_named_with_the_reason(tmp_path, params):
    named = scenes.videos(0)
    folder = write_scenes(tmp_path / "set", named)
    (folder / "dataset.yaml").write_text("train: train.txt\ntest: test.txt\n")
    for subset, part in (("train", named[1::4]), ("test", named[::4])):
        (folder / f"{subset}.txt").write_text("\n".join(name for name, _ in part))
    lines, error = checked(folder, params().split)
    text = "\n".join(lines)
    assert error is None and "but split refuses it: the lists named in dataset.yaml are wrong" in text
    assert "a table beside dataset.yaml" in text


def test_a_rule_in_params_yaml_is_corrected_there(tmp_path, params):
    folder = write_scenes(tmp_path / "set", scenes.videos(0))
    lines, _ = checked(folder, params(**{"split.group": r"(\d)$"}).split)
    assert any('→ in params.yaml, section split: group: "^(.+)[/_. -]"' in line for line in lines)
    lines, _ = checked(folder, params(**{"split.group": "none"}).split)
    assert any("in params.yaml, section split" in line for line in lines)


def test_independent_images_get_no_advice(tmp_path, params):
    lines, error = checked(write_scenes(tmp_path / "set", scenes.independent(0)), params().split)
    assert lines == ["40 group(s) of 1 image(s)"] and error is None


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([f"video_{n // 4}_{n:03d}" for n in range(12)], "12 names start in 3 ways, such as 4 names with 'video_0'"),
        (["a/1", "a/2", "b/1", "b/2"], "4 names start in 2 ways, such as 2 names with 'a'"),
        (
            [f"Image_{n:02d}{side}" for n in range(6) for side in "LR"],
            "start in 6 ways, such as 2 names with 'Image_00'",
        ),
        ([f"patient_{n}_1" for n in range(12)], ""),  # each of its own
        ([f"image_{n}" for n in range(12)], ""),  # all alike
        ([f"{n:03d}" for n in range(12)], ""),
    ],
)
def test_names_that_start_alike_are_reported(tmp_path, params, ids, said):
    """The images are independent, so only their names suggest a group."""
    named = zip(ids, (image for _, image in scenes.independent(1, len(ids))), strict=True)
    lines, _ = checked(write_scenes(tmp_path / "set", named), params().split)
    assert said in "\n".join(lines) and (len(lines) > 1) == bool(said)
    if said:
        group = yaml.safe_load(lines[2].rpartition("dataset.yaml: ")[2])["group"]
        assert f"start in {len(set(groups_by_rule(tmp_path, group, ids).values()))} ways" in lines[1]


def test_rules_make_groups_of_several_images():
    assert not list(propose_rules([])) and not list(propose_rules(["a"]))
    found = {
        proposal.rule: (proposal.groups, proposal.images) for proposal in propose_rules([f"f{n}" for n in range(40)])
    }
    assert found == {r"^(.*?)\d$": (4, 10)}  # f0 … f9 are of the group f
    assert is_one_sequence(["f1", "f12"]) and is_one_sequence(["1", "2"]) and not is_one_sequence(["a1", "b1"])


def test_check_counts_groups_as_split_does(tmp_path, params):
    """Near-duplicates are merged and skipped pairs left out, as in split."""
    folder = write_scenes(tmp_path / "set", scenes.independent(0, 9))
    write_scenes(folder, [("img_9", scenes.independent(0, 1)[0][1])])
    (folder / "images/broken.png").write_bytes(b"no image")
    lines, error = checked(folder, params().split, on_error="skip")
    store = prepared(folder, tmp_path, on_error="skip")
    rows = split(store, params().split, 0)
    assert error is None and lines[0] == f"{len({row['group'] for row in rows})} group(s) of 1 to 2 image(s)"
    assert lines[0].startswith("9 ") and "kept together: 10 groups became 9" in lines
    assert checked(folder, params(**{"split.duplicates": "apart"}).split, on_error="skip")[0][0].startswith("10 ")


def project(folder, **changes):
    content = read_yaml(ROOT / "params.yaml")
    content["data"]["source"] = "data/set"
    content["split"] |= changes
    write_yaml(folder / "params.yaml", content)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: write_scenes(folder, [(f"s{n}", scenes.independent(0, 1)[0][1]) for n in range(8)]),  # one group
        lambda folder: write_data_set(folder, 2),
        lambda folder: (write_data_set(folder, 8), (folder / "dataset.yaml").write_text("group: '^(case) '")),
        lambda folder: (
            write_data_set(folder, 8),
            (folder / "dataset.yaml").write_text("test: t.txt"),
            (folder / "t.txt").write_text("elsewhere"),
        ),
    ],
)
def test_check_stops_with_the_error_of_split(tmp_path, spoil):
    project(tmp_path)
    spoil(tmp_path / "data/set")
    found = run(tmp_path, "tools.check", "data/set")
    assert run(tmp_path, "stages.prepare").returncode == 0
    refused = run(tmp_path, "stages.split")
    assert found.returncode == refused.returncode == 1
    assert found.stderr.removeprefix("check: ") == refused.stderr.removeprefix("split: ") and found.stderr
    assert "all findings:" in found.stdout and "next:" not in found.stdout


def test_split_warns_of_dependent_images(tmp_path):
    project(tmp_path)
    write_scenes(tmp_path / "data/set", scenes.video(0))
    run(tmp_path, "stages.prepare")
    said = run(tmp_path, "stages.split")
    assert (
        said.returncode == 0 and "Warning: images that follow each other by name have a similar layout" in said.stdout
    )


def test_a_rule_that_does_not_fit_stops_check(tmp_path, params):
    folder = write_data_set(tmp_path / "set", 6)
    with pytest.raises(UserError, match="finds nothing in 6 of 6 names"):
        checked(folder, params(**{"split.group": "^patient (x)"}).split)


NUMBERED = {"1 … 72": "{}", "0001 … 0072": "{:04d}", "img (1) …": "img ({})"}


@pytest.mark.parametrize("pattern", NUMBERED)
def test_videos_in_one_run_of_numbers_are_cut_where_the_scene_changes(tmp_path, params, pattern):
    named = scenes.videos(0)
    numbered = [(NUMBERED[pattern].format(number), image) for number, (_, image) in enumerate(named, 1)]
    project(tmp_path)
    write_scenes(tmp_path / "data/set", numbered)
    found = run(tmp_path, "tools.check", "data/set", "--out", "out")
    assert found.returncode == 0 and "proposed table: out/groups.csv, 6 groups" in found.stdout
    shutil.copy(tmp_path / "out/groups.csv", tmp_path / "data/set/groups.csv")
    groups = groups_by_rule(tmp_path / "data/set", "groups.csv:group", [name for name, _ in numbered])
    videos = {(group, name.split("_")[0]) for group, (name, _) in zip(groups.values(), named, strict=True)}
    assert len(videos) == len(set(groups.values())) == 6
    lines, error = checked(tmp_path / "data/set", params(**{"split.group": "groups.csv:group"}).split)
    assert error is None and lines[0] == "6 group(s) of 12 image(s)" and "different groups" not in "\n".join(lines)


def test_one_video_is_cut_into_blocks_and_tiles_and_independent_images_are_not_cut(tmp_path, params):
    def groups(named):
        folder = tmp_path / named[0][0]
        result = check_dataset(write_scenes(folder, named), data_section(folder), store_nothing)
        return preview_split(checked_dataset(result), params().split).groups

    blocks = groups([(f"{number}", image) for number, (_, image) in enumerate(scenes.video(0, 60))])
    assert sorted(Counter(blocks.values()).values()) == [6] * 3 + [7] * 6 and blocks["0"] == blocks["5"] != blocks["7"]
    assert groups(scenes.tiles(0)) == groups(scenes.independent(0)) == groups(scenes.videos(0)) == {}
    random = np.random.default_rng(0).permutation(72)
    hashed = [(f"cju{number:07d}x", image) for number, (_, image) in zip(random, scenes.videos(0), strict=True)]
    assert groups(hashed) == {}
