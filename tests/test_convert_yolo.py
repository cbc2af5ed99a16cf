"""Conversion of YOLO polygons: masks, class names, and lines that are refused."""

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.formats.yolo import read_yolo
from src.convert.summary import describe
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import (
    from_yolo,
    paired,
    photo,
    run,
    stored,
    yolo,
)


@pytest.mark.parametrize("names", ["names: [cell, tree]", "names: {1: tree, 0: cell}\npath: /etc\ntrain: ../x"])
def test_yolo_polygons_are_shares_of_the_size(tmp_path, names):
    yolo(tmp_path / "set", "0 .25 .2 .5 .2 .5 .6 .25 .6\n\n1 0 0 1 0 1 1 0 1\n", names)
    photo(tmp_path / "set/images/none.png")
    summary = from_yolo(tmp_path / "set")
    expected = np.full((10, 12), 2, np.uint8)
    expected[2:6, 3:6] = 1  # the smaller shape is drawn last
    np.testing.assert_array_equal(stored(tmp_path), expected)
    assert (summary.images, summary.unannotated) == (2, 1) and not stored(tmp_path, "none.png").any()
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell", 2: "tree"}


@pytest.mark.parametrize("form", ["images/{}/a.png", "{}/images/a.png"])
def test_yolo_folders_become_the_official_lists(tmp_path, form):
    for subset in ("train", "val", "test"):
        yolo(tmp_path / "set", "0 0 0 1 0 1 1", image=form.format(subset))
    from_yolo(tmp_path / "set")
    dataset = read_dataset(tmp_path / "out")
    assert (dataset.train, dataset.validation, dataset.test) == ("train.txt", "validation.txt", "test.txt")
    assert (tmp_path / "out/validation.txt").read_text() == "val/a\n"
    assert [pair.id for pair in paired(tmp_path / "out")] == ["test/a", "train/a", "val/a"]


def test_without_a_test_folder_the_training_list_is_left_out(tmp_path):
    for subset in ("train", "val"):
        yolo(tmp_path / "set", "0 0 0 1 0 1 1", image=f"images/{subset}/a.png")
    assert set(from_yolo(tmp_path / "set").subsets) == {"validation"}
    assert not (tmp_path / "out/train.txt").exists()


def test_yolo_boxes_are_refused_per_file_without_the_option_boxes(tmp_path):
    for name in ("a", "b"):
        yolo(tmp_path / "set", "0 .5 .5 .5 .2\n1 0 0 1 0 1 1\n1 .5 .5 .1 .1", image=f"images/{name}.png")
    with pytest.raises(UserError, match=r"2 problem") as error:
        from_yolo(tmp_path / "set")
    for name in ("a", "b"):
        assert f"'set/images/{name}.png': lines of labels/{name}.txt are boxes, not polygons: 2 of 3" in str(
            error.value
        )
    from_yolo(tmp_path / "set", options=Options(boxes=True))
    assert (stored(tmp_path)[4:6, 3:9] == 1).mean() > 0.8


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("2 0 0 1 0 1 1", "class 2 has no name"),
        ("0.5 0 0 1 0 1 1", "class 0.5 has no name"),
        ("0 0 0 1 0 1", "6 numbers are neither a box nor a polygon"),
        ("0 0 0", "a polygon of 1 point"),
        ("0 0 0 1 0 1 nan", "not a finite number"),
        ("0 20 20 40 20 40 40", "reaches 468 pixels out"),
        ("0 0 0 one 0 1 1", "something other than numbers"),
    ],
)
def test_invalid_yolo_lines_are_refused(tmp_path, lines, why):
    yolo(tmp_path / "set", f"0 0 0 1 0 1 1\n{lines}")
    with pytest.raises(UserError, match=rf"1 problem.*\n  'set/images/a.png': .*{why}"):
        from_yolo(tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    "names", ["path: .", "names: 3", "names: {a: b}", "names: [1.5]", "kpt_shape: [17, 3]\nnames: [a]"]
)
def test_invalid_yolo_class_names_are_refused(tmp_path, names):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", names)
    with pytest.raises(UserError, match=r"data.yaml: (names must be|describes key points)"):
        from_yolo(tmp_path / "set")


def test_yolo_class_names_come_from_the_option_or_classes_txt(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    (tmp_path / "set/data.yaml").unlink()
    with pytest.raises(UserError, match="give them with --names"):
        read_yolo(tmp_path / "set", Options())
    assert read_yolo(tmp_path / "set", Options(), ["nerve"]).classes[1] == "nerve"
    (tmp_path / "set/classes.txt").write_text("axon\n")
    assert read_yolo(tmp_path / "set", Options()).classes[1] == "axon"


def test_yolo_text_files_without_an_image_and_links_are_refused(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    (tmp_path / "set/labels/b.txt").write_text("")
    (tmp_path / "secret.txt").write_text("root:x")
    photo(tmp_path / "set/images/c.png")
    (tmp_path / "set/labels/c.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UserError, match=r"2 problem") as error:
        from_yolo(tmp_path / "set")
    assert "'labels/b.txt': has no image in" in str(error.value) and "leads out of" in str(error.value)
    assert "root" not in str(error.value).replace(str(tmp_path), "")


def test_yolo_folders_without_text_files_add_a_warning(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", image="images/train/a.png")
    photo(tmp_path / "set/images/test/b.png")
    (tmp_path / "set/images/test/c.gif").write_bytes(b"")
    words = describe(from_yolo(tmp_path / "set"))
    assert "'images/test': no image in it has a text file" in words
    assert "1 file(s) of another kind are left out; the first is 'test/c.gif'" in words


def test_yolo_extensions_may_be_capitals(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1 0 1", image="images/a.PNG")
    (tmp_path / "set/labels/a.txt").rename(tmp_path / "set/labels/a.TXT")
    from_yolo(tmp_path / "set")
    assert (stored(tmp_path) == 1).all()


@pytest.mark.parametrize(
    "line",
    [
        "0 2 2 9 2 9 8 2 8",
        "0 20 20 80 20 80 80",
        "0 -3 0 .5 0 .5 .5",
        "0 .1 .1 9 .1 9 .9",
        "0 5 5 4 4",
        "0 2.5 0 3 0 3 1",
    ],
)
def test_yolo_coordinates_in_pixels_or_per_cent_are_refused_also_with_clip(tmp_path, line):
    yolo(tmp_path / "set", f"0 0 0 1 0 1 1\n{line}")
    with pytest.raises(UserError, match=r"line 2 of labels/a.txt: reaches .* in pixels or per cent"):
        from_yolo(tmp_path / "set", options=Options(clip=True, boxes=True))


def test_yolo_polygons_that_reach_out_a_little_are_cut_off_with_clip(tmp_path):
    yolo(tmp_path / "set", "0 -.5 0 1.5 0 1.5 1 -.5 1")
    assert from_yolo(tmp_path / "set", options=Options(clip=True)).cut == 1 and (stored(tmp_path) == 1).all()


@pytest.mark.parametrize("line", ["0 0 0 1 0 1 1 .93", "0 .5 .5 .2 .2 .9"])
def test_lines_with_a_confidence_are_refused_with_a_hint(tmp_path, line):
    yolo(tmp_path / "set", line)
    with pytest.raises(UserError, match=r"line 1 of labels/a.txt.*neither a box nor a polygon.*confidence"):
        from_yolo(tmp_path / "set", options=Options(boxes=True))


def test_class_names_that_differ_between_sources_add_a_warning(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1")
    words = describe(from_yolo(tmp_path / "set", names=["tree", "cell"]))
    assert "data.yaml': 2 class name(s) differ from those in --names" in words
    assert "0: 'cell' here, 'tree' there" in words
    (tmp_path / "set/classes.txt").write_text("cell\nwood\n")
    source = run("yolo", tmp_path / "set", "--out", tmp_path / "other")
    assert "classes.txt': 1 class name(s) differ from those in data.yaml" in source.stdout
    assert "1: 'wood' here, 'tree' there" in source.stdout


def test_the_warning_says_if_a_class_has_no_name_in_one_source(tmp_path):
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", "names: [cell, tree, wood]")
    (tmp_path / "set/classes.txt").write_text("cell\ntree\n")
    (warning,) = from_yolo(tmp_path / "set").warnings
    assert warning.what.endswith("which are used: 2: no name here, 'wood' there")
