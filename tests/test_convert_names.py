"""File names and class names in annotations: which file is found, refusals and warnings."""

import pytest

from src.convert.annotations import Options
from src.convert.formats.coco import read_coco
from src.convert.summary import describe
from src.data.source.dataset import read_dataset, similar_names
from src.errors import UserError, some
from tests.annotated import SQUARE, coco, from_coco, from_labelme, from_yolo, labelme, photo, stored, yolo


def found(folder, name, *files):
    """The images that are found for a file_name, as names below images/ of the data set."""
    for file in files:
        photo(folder / "photos" / file)
    path = coco(folder, [(3, [SQUARE], {})], images=[{"id": 7, "file_name": name}])
    source = read_coco(path, folder / "photos", Options())
    source.findings.stop_on_errors()
    return [str(item.name) for item in source.items]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("images/8c7d-my%20photo.png", ["8c7d-my photo.png", "b.png"]),
        ("my%20photo.png", ["my photo.png", "my%2520photo.png"]),
        ("/data/upload/1/8c7d-caf%C3%A9.png", ["8c7d-café.png", "b.png"]),
        ("/data/local-files/?d=project/one/a.png", ["one/a.png", "two/a.png"]),
        ("/data/local-files/?d=project%2Fone%2Fa%20b.png", ["one/a b.png", "two/a b.png"]),
        ("C:\\Users\\me\\photos\\a b.png", ["a b.png", "b.png"]),
        ("D:\\photos\\one\\a.png", ["one/a.png", "two/a.png"]),
        ("\\\\server\\share\\a.png", ["a.png"]),
        ("/home/me/set/images/a.png", ["a.png", "sub/b.png"]),
        ("../images/a.png", ["deep/er/a.png"]),
        ("https://host/bucket/a%20b.png?token=x", ["a b.png"]),
        ("s3://bucket/one/a.png", ["one/a.png", "two/a.png"]),
        ("http://[x/a.png", ["a.png"]),
        ("https://[::1:8080/one/a%20b.png#top", ["one/a b.png", "two/a b.png"]),
        ("cafe\u0301.png", ["caf\u00e9.png"]),
    ],
)
def test_names_of_other_programs_and_computers_lead_to_the_image(tmp_path, name, files):
    assert found(tmp_path, name, *files) == [files[0]]


def test_a_name_that_matches_exactly_comes_before_a_decoded_one(tmp_path):
    assert found(tmp_path, "a%20b.png", "a b.png", "a%20b.png") == ["a%20b.png"]
    assert found(tmp_path, "one/0001.png", "one/0001.png", "two/0001.png") == ["one/0001.png"]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("0001.png", ["one/0001.png", "two/0001.png"]),
        ("three/0001.png", ["0001.png", "one/0001.png"]),
        ("C:\\photos\\0001.png", ["one/0001.png", "two/0001.png"]),
        ("/data/upload/1/0001.png", ["one/0001.png", "two/0001.png"]),
        ("old/a%20b.png", ["a b.png", "a%20b.png"]),
        ("https://host/0001.png", ["one/0001.png", "two/0001.png"]),
    ],
)
def test_a_base_name_of_several_images_is_refused_with_their_names(tmp_path, name, files):
    with pytest.raises(UserError, match="2 files there have the same base name") as error:
        found(tmp_path, name, *files)
    assert all(repr(file) in str(error.value) for file in files)


@pytest.mark.parametrize(
    ("name", "file"),
    [("photos/a.jpg", "a.png"), ("/data/upload/2/8c7d1234-a.png", "a.png"), ("A.PNG", "a.png"), ("a", "a.png")],
)
def test_an_image_that_is_missing_is_named_with_one_of_a_similar_name(tmp_path, name, file):
    with pytest.raises(UserError, match=rf"a file of a similar name is '{file}'"):
        found(tmp_path, name, file)


def test_names_that_are_found_elsewhere_are_counted_and_two_of_one_image_refused(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b c.png")
    images = [{"id": 7, "file_name": "C:\\x\\a.png"}, {"id": 8, "file_name": "b%20c.png"}]
    words = describe(from_coco(tmp_path, (3, [SQUARE], {}), images=images))
    assert "'b%20c.png' is 'b c.png' →" in words
    assert "2 file_name(s) are not paths below" in words and r"'C:\\x\\a.png' is 'a.png'" in words
    images[1]["file_name"] = "y/a.png"
    with pytest.raises(UserError, match=r"'a\.png': is annotated in two entries"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images, out="more")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "'a'"),
        (["a", "b", "c"], "'a', 'b', 'c'"),
        (iter("abcd"), "'a', 'b', 'c' and 1 more"),
        (["\x1b[31m", 7], r"'\x1b[31m', 7"),
        ([1000 * "a"], "'" + 159 * "a" + " …"),
    ],
)
def test_names_in_messages_are_quoted_and_the_others_counted(names, text):
    assert some(names, 3) == text


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " and 1 more"), (12, " and 7 more")])
def test_messages_name_five_files_and_count_the_others(tmp_path, count, more):
    names = [f"{number}.png" for number in range(count)]
    for name in names:
        photo(tmp_path / "photos" / name)
    images = [{"id": 7 + number, "file_name": f"old/{name}"} for number, name in enumerate(names)]
    (warning,) = from_coco(tmp_path, (3, [SQUARE], {}), images=images).warnings
    assert warning.what.endswith(", ".join(f"'old/{name}' is '{name}'" for name in names[:5]) + more)
    with pytest.raises(UserError, match=f"{count} files there have the same base name: 'd0/a.png'.*{more} →"):
        found(tmp_path, "a.png", *(f"d{number}/a.png" for number in range(count)))


def test_base_names_never_match_files_outside_the_folder_of_images(tmp_path):
    photo(tmp_path / "elsewhere/secret.png")
    photo(tmp_path / "photos/a.png")
    (tmp_path / "photos/linked.png").symlink_to(tmp_path / "elsewhere/secret.png")
    for name, why in [("/etc/linked.png", "leads out of"), (f"{tmp_path}/elsewhere/secret.png", "absolute path")]:
        with pytest.raises(UserError, match=why):
            found(tmp_path, name)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ([], []),
        (["cell", "tree", "cell_2", "cells"], []),
        (["cell", "Cell"], [("cell", "Cell")]),
        (["cell", "cell "], [("cell", "cell ")]),
        (["cell wall", "tree", "Cell_Wall"], [("cell wall", "Cell_Wall")]),
        (["cell-wall", "cell–wall"], [("cell-wall", "cell–wall")]),
        (["cell\u00a0wall", "cellwall"], [("cell\u00a0wall", "cellwall")]),
        (["ﬁbre", "fibre"], [("ﬁbre", "fibre")]),
        (["STRASSE", "straße"], [("STRASSE", "straße")]),
        (["cell", "ce\u200bll"], [("cell", "ce\u200bll")]),
        (["cell", "cell"], []),
        (["a", "A", "a "], [("a", "A"), ("a", "a "), ("A", "a ")]),
    ],
)
def test_similar_names_differ_in_case_blanks_and_hyphens_only(names, pairs):
    assert similar_names(names) == pairs
    assert similar_names(iter(names)) == pairs


def test_similar_class_names_add_a_warning_in_every_format(tmp_path):
    path = tmp_path / "coco"
    categories = [{"id": 3, "name": "cell"}, {"id": 4, "name": "Cell"}, {"id": 5, "name": "tree"}]
    path.mkdir()
    (warning,) = from_coco(path, (3, [SQUARE], {}), (4, [SQUARE], {}), categories=categories).warnings
    assert "'cell', 'Cell'" in warning.what and warning.file.endswith("a.json")
    yolo(tmp_path / "yolo/set", "0 0 0 1 0 1 1", "names: [cell wall, tree, cell_wall]")
    (warning,) = from_yolo(tmp_path / "yolo/set").warnings
    assert "'cell wall', 'cell_wall'" in warning.what
    for name, label in [("a", "cell"), ("b", "Cell"), ("c", "cell ")]:
        photo(tmp_path / f"labelme/set/{name}.png")
        shape = (label, "rectangle", [[1, 1], [3, 3]], {})
        labelme(tmp_path / f"labelme/set/{name}.json", shape, shape, image=f"{name}.png")
    (warning,) = from_labelme(tmp_path / "labelme").warnings
    assert "'Cell' (2 shape(s), first in 'b.json'), 'cell' (2 shape(s), first in 'a.json'), 'cell '" in warning.what


def test_an_unknown_label_is_refused_with_a_similar_name(tmp_path):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("Cell", "rectangle", [[1, 1], [3, 3]], {}))
    with pytest.raises(
        UserError, match=r"'shapes\[0\] in a\.json': 'Cell' is not one of the classes; did you mean 'cell'\?"
    ):
        from_labelme(tmp_path, names=["cell", "tree"])


def test_an_empty_label_is_refused_with_its_place(tmp_path):
    photo(tmp_path / "set/a.png")
    square = [[1, 1], [3, 3]]
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", square, {}), ("", "rectangle", square, {}))
    with pytest.raises(UserError, match=r"'shapes\[1\] in a\.json': the label of the shape is empty"):
        from_labelme(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["background", "Background", "BACKGROUND", "_background_", "_Background_", "bg", "BG", "__bg__"],
)
def test_a_class_called_background_in_any_case_is_the_background(tmp_path, name):
    categories = [{"id": 3, "name": "cell"}, {"id": 4, "name": name}]
    from_coco(tmp_path, (3, [SQUARE], {}), (4, [[3, 3, 5, 3, 5, 5, 3, 5]], {}), categories=categories)
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell"}
    assert stored(tmp_path).sum() == 16 - 4


@pytest.mark.parametrize("name", ["void", "Unlabelled", "ignore", "Don't care", "not_annotated", "__IGNORE__"])
def test_classes_that_may_mean_not_annotated_add_a_warning_in_every_format(tmp_path, name):
    (tmp_path / "coco").mkdir()
    categories = [{"id": 3, "name": "cell"}, {"id": 4, "name": name}]
    coco_source = from_coco(tmp_path / "coco", (3, [SQUARE], {}), (4, [SQUARE], {}), categories=categories)
    yolo(tmp_path / "yolo/set", "1 0 0 1 0 1 1", f'names: [cell, "{name}"]')
    photo(tmp_path / "labelme/set/a.png")
    square = [[1, 1], [3, 3]]
    labelme(tmp_path / "labelme/set/a.json", ("cell", "rectangle", square, {}), (name, "rectangle", square, {}))
    for summary in (coco_source, from_yolo(tmp_path / "yolo/set"), from_labelme(tmp_path / "labelme")):
        (warning,) = summary.warnings
        assert repr(name) in warning.what and "becomes a class of its own and counts in every score" in warning.what
        assert warning.setting == "if it means not annotated, call it __ignore__ and convert again"


def test_pixels_of_a_class_called_ignore_with_underscores_are_ignored_in_every_format(tmp_path):
    (tmp_path / "coco").mkdir()
    categories = [{"id": 3, "name": "cell"}, {"id": 4, "name": "__ignore__"}]
    assert not from_coco(
        tmp_path / "coco", (3, [SQUARE], {}), (4, [[0, 0, 2, 0, 2, 2, 0, 2]], {}), categories=categories
    ).warnings
    assert (stored(tmp_path / "coco") == 255).sum() == 4
    yolo(tmp_path / "yolo/set", "1 0 0 1 0 1 1 0 1", "names: [cell, __ignore__, cell2]\n")
    (tmp_path / "yolo/set/labels/a.txt").write_text("1 0 0 .5 0 .5 1 0 1\n0 .5 0 1 0 1 1 .5 1\n")
    assert not from_yolo(tmp_path / "yolo/set").warnings
    assert (stored(tmp_path / "yolo") == 255).sum() == 60


@pytest.mark.parametrize("second", ["BG", "Background", "_background_", "back-ground"])
def test_two_classes_that_mean_the_background_are_refused(tmp_path, second):
    categories = [{"id": 3, "name": "cell"}, {"id": 4, "name": "background"}, {"id": 5, "name": second}]
    with pytest.raises(UserError, match=f"several names mean the background: 'background', '{second}'; keep one"):
        from_coco(tmp_path, (3, [SQUARE], {}), categories=categories)


def test_labels_of_labelme_that_mean_the_background_are_all_0(tmp_path):
    photo(tmp_path / "set/a.png")
    shapes = [("cell", [[0, 0], [8, 8]]), ("_background_", [[1, 1], [3, 3]]), ("BG", [[4, 4], [6, 6]])]
    labelme(tmp_path / "set/a.json", *((label, "rectangle", points, {}) for label, points in shapes))
    assert from_labelme(tmp_path).dataset.classes == {0: "background", 1: "cell"}
    assert stored(tmp_path).sum() == 64 - 4 - 4
    with pytest.raises(UserError, match="several names mean the background"):
        from_labelme(tmp_path, "more", names=["cell", "_background_", "BG"])


def test_categories_without_annotations_are_left_out_if_their_name_occurs_twice(tmp_path):
    """Roboflow writes category 0 for the project, which may have the name of a class."""
    categories = [
        {"id": 0, "name": "crack", "supercategory": "none"},
        {"id": 1, "name": "crack", "supercategory": "crack"},
        {"id": 2, "name": "dirt", "supercategory": "crack"},
        {"id": 3, "name": "dirt", "supercategory": "crack"},
    ]
    summary = from_coco(tmp_path, (1, [SQUARE], {}), categories=categories)
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "crack"} and stored(tmp_path).sum() == 16
    assert summary.unused == ["dirt"]
    first, second = describe(summary).split("warning(s)")[1].strip().splitlines()
    assert "left out: category 0, without annotations; category 1 has the same name, 'crack'" in first
    assert "left out: category 3, without annotations; category 2 has the same name, 'dirt'" in second


def test_categories_with_annotations_and_one_name_are_refused(tmp_path):
    categories = [{"id": 0, "name": "crack"}, {"id": 1, "name": "crack"}]
    with pytest.raises(UserError, match=r"a\.json: named twice: 'crack'; categories 0, 1"):
        from_coco(tmp_path, (0, [SQUARE], {}), (1, [SQUARE], {}), categories=categories)
    yolo(tmp_path / "set", "0 0 0 1 0 1 1", "names: [crack, dirt, crack]")
    with pytest.raises(UserError, match="named twice: 'crack'"):
        from_yolo(tmp_path / "set")


@pytest.mark.parametrize(("image", "annotation"), [(7, "7"), ("7", 7), ("x", "x")])
def test_image_ids_may_be_text_in_one_place_and_numbers_in_another(tmp_path, image, annotation):
    images = [{"id": image, "file_name": "a.png"}]
    assert from_coco(tmp_path, (3, [SQUARE], {"image_id": annotation}), images=images).shapes == 1
    images.append({"id": str(image), "file_name": "b.png"})
    with pytest.raises(UserError, match="occurs twice"):
        from_coco(tmp_path, (3, [SQUARE], {"image_id": annotation}), images=images, out="more")
