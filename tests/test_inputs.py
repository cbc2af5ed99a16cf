"""The inputs of a prediction: files, folders and lists; names of the results; shards for several machines."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.predictions.inputs import find_inputs, pixel_count, shard
from src.errors import UserError


def make(folder: Path, *names: str) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return [folder / name for name in names]


def names(given, out="out") -> list[str]:
    return [one.name.as_posix() for one in find_inputs(given, Path(out))[0]]


def test_results_of_one_folder_are_named_as_in_the_folder(tmp_path):
    make(tmp_path / "set", "b.png", "sub/a.v2.TIF", ".hidden.png", "notes.md", "Thumbs.db")
    inputs, findings = find_inputs([tmp_path / "set"], tmp_path / "out")
    assert [one.name.as_posix() for one in inputs] == ["b", "sub/a.v2"]
    assert [(Path(one.file).name, one.severity) for one in findings] == [("notes.md", "warning")]


def test_results_of_several_folders_begin_with_the_folder(tmp_path):
    make(tmp_path, "day1/x.png", "day2/x.png", "day2/y.png")
    assert names([tmp_path / "day2", tmp_path / "day1"]) == ["day1/x", "day2/x", "day2/y"]
    assert names([tmp_path / "day1/x.png", tmp_path / "day2"]) == ["day1/x", "day2/x", "day2/y"]


def test_a_file_that_is_given_twice_is_predicted_once(tmp_path, monkeypatch):
    make(tmp_path, "a.png", "b")
    monkeypatch.chdir(tmp_path)
    assert names([Path("a.png"), Path("b"), tmp_path / "sub/../a.png"]) == ["a", "b"]


def test_a_list_names_files_and_folders(tmp_path, monkeypatch):
    make(tmp_path, "a.png", "more/b.png")
    (tmp_path / "list.txt").write_text("# those of today\na.png\n\nmore\n-rf\n" + "x" * 300 + ".png\n")
    monkeypatch.chdir(tmp_path)
    inputs, findings = find_inputs([Path("list.txt")], Path("out"))
    assert [one.name.as_posix() for one in inputs] == ["a", "more/b"]
    assert [finding.file for finding in findings] == ["-rf", "x" * 300 + ".png"]


def test_images_with_the_same_result_name_are_left_out_and_listed(tmp_path):
    make(tmp_path / "set", "a.png", "a.jpg", "B.png", "b.tif", "c.png")
    inputs, findings = find_inputs([tmp_path / "set"], tmp_path / "out")
    assert [one.name.as_posix() for one in inputs] == ["c"]
    assert sorted(Path(finding.file).name for finding in findings) == ["B.png", "a.jpg", "a.png", "b.tif"]
    assert "a.png" in next(finding.what for finding in findings if finding.file.endswith("a.jpg"))


def test_odd_names_and_broken_links_are_reported(tmp_path):
    make(tmp_path / "set", "a.png", "line\nbreak.png")
    make(tmp_path, "elsewhere.png")
    (tmp_path / "set/link.png").symlink_to(tmp_path / "elsewhere.png")
    inputs, findings = find_inputs([tmp_path / "set"], tmp_path / "out")
    assert [one.name.as_posix() for one in inputs] == ["a"]
    assert len(findings) == 2 and all("\n" not in finding.file for finding in findings)


def test_files_in_the_output_folder_are_not_inputs(tmp_path):
    make(tmp_path, "a.png", "out/masks/a.png")
    assert names([tmp_path], tmp_path / "out") == ["a"]
    with pytest.raises(UserError, match="the inputs are in this folder"):
        find_inputs([tmp_path / "out/masks"], tmp_path / "out")


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(UserError, match=r"no image in .*set; images are \.bmp, "):
        find_inputs([tmp_path / "set"], tmp_path / "out")


def test_parent_of_a_linked_folder_is_resolved_as_the_system_does(tmp_path):
    make(tmp_path, "here/a.png", "there/deep/b.png", "there/a.png")
    (tmp_path / "here/link").symlink_to(tmp_path / "there/deep")
    inputs, _ = find_inputs([tmp_path / "here/link/../a.png"], tmp_path / "out")
    assert [one.path for one in inputs] == [tmp_path / "there/a.png"]
    (tmp_path / "out").symlink_to(tmp_path / "there")  # results are no inputs, whatever name they go by
    assert names([tmp_path / "here/a.png", tmp_path], tmp_path / "out") == ["here/a"]
    with pytest.raises(UserError, match="the inputs are in this folder"):
        find_inputs([tmp_path / "there"], tmp_path / "out")


def test_shards_together_hold_each_image_once():
    everything = list(range(23))
    for parts in (1, 2, 7, 30):
        taken = [one for part in range(1, parts + 1) for one in shard(everything, part, parts)]
        assert sorted(taken) == everything


def test_pixel_count_comes_from_the_header(tmp_path):
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    tifffile.imwrite(
        tmp_path / "b.tif", np.zeros((20, 31, 7), np.float32), photometric="minisblack", planarconfig="contig"
    )
    (tmp_path / "c.png").write_bytes(b"no image")
    assert [pixel_count(tmp_path / name) for name in ("a.png", "b.tif", "c.png", "d.png")] == [600, 620, 0, 0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_read_permission_is_reported(tmp_path):
    make(tmp_path / "set", "a.png", "closed/b.png")
    (tmp_path / "set/closed").chmod(0)
    try:
        inputs, findings = find_inputs([tmp_path / "set"], tmp_path / "out")
    finally:
        (tmp_path / "set/closed").chmod(0o700)
    assert len(inputs) == 1 and len(findings) == 1
