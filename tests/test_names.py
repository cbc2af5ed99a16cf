"""Lists and tables as people and programs write them: read with a note if they are clear, else refused."""

import pytest

from src.data.source.dataset import Dataset, read_lists, write_dataset
from src.data.source.names import Names
from src.data.source.tables import read_table
from src.data.splits.divide import split, split_notes
from src.data.splits.groups import groups_by_rule
from src.data.splits.lists import listed_images
from src.errors import UserError
from tests.conftest import prepared, write_data_set

IDS = ["a/1", "a/2", "b/2", "4", "c/x/7", "scan.1"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a/1", ["a/1"]),
        ("a/1.png", ["a/1"]),
        ("a/1.PNG", ["a/1"]),
        ("images/a/1.jpg", ["a/1"]),
        ("./images/a/1.jpg", ["a/1"]),
        ("/home/me/set/images/a/1.tif", ["a/1"]),
        (r"images\a\1.png", ["a/1"]),
        (r"C:\My data\images\a\1.png", ["a/1"]),
        ('"a/1"', ["a/1"]),
        ("1", ["a/1"]),
        ("1.dcm", ["a/1"]),
        ("x/7", ["c/x/7"]),
        ("JPEGImages/4.jpg", ["4"]),
        ("scan.1", ["scan.1"]),
        ("scan.1.tif", ["scan.1"]),
        ("2", ["a/2", "b/2"]),
        ("images/2.png", ["a/2", "b/2"]),
        ("b/1", []),  # another folder than the image's
        ("y/7.png", []),
        ("scan", []),
        ("1.left", []),
        ("a/1.png a/1_mask.png", []),
        ("", []),
    ],
)
def test_an_image_is_found_by_every_name_that_identifies_it(written, found):
    assert Names(IDS).find(written) == found


def test_an_exact_id_takes_precedence_over_other_forms():
    names = Names(["1", "1.png", "b/1", "images/1"])
    assert [names.find(name) for name in ("1", "1.png", "images/1")] == [["1"], ["1.png"], ["images/1"]]
    assert names.find("c/1") == []  # of folders that no image has, while there are several 1


def listed_store(tmp_path, content: bytes, name="test.txt", **keys):
    source = write_data_set(tmp_path / "set", 12)
    write_dataset(source, Dataset(test=name, **keys))
    (source / name).write_bytes(content)
    return prepared(source, tmp_path)


LISTS = [
    b"case 0-0.png\ncase 3-7.png\n",
    b"images/case 0-0.png\r\nimages/case 3-7.png\r\n",
    rb"images\case 0-0.png" + b"\r\n" + rb"images\case 3-7.png" + b"\r\n",
    b"\xef\xbb\xbfcase 0-0.png\r\ncase 3-7.png",
    "case 0-0.jpg\r\ncase 3-7.jpg\r\n".encode("utf-16"),
    b"/data/set/images/case 0-0.png\n# a comment\n\n/data/set/images/case 3-7.png\n",
]


@pytest.mark.parametrize("content", LISTS)
def test_lists_with_extensions_and_paths_are_read_with_a_note(tmp_path, params, content):
    store = listed_store(tmp_path, content)
    rows = split(store, params().split, 0)
    assert [row["id"] for row in rows if row["subset"] == "test"] == ["case 0-0", "case 3-7"]
    said = "\n".join(split_notes(store, params().split, rows))
    assert "list of test: 2 line(s) such as" in said and "were read as 'case 0-0'" in said


def test_lists_of_ids_and_groups_are_read_without_a_note(tmp_path, params):
    store = listed_store(tmp_path, b"case 0-0\r\n3\r\n", group=r"^case (\d+)-")
    rows = split(store, params().split, 0)
    assert {row["group"] for row in rows if row["subset"] == "test"} == {"0", "3"}
    assert not any("were read as" in line for line in split_notes(store, params().split, rows))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("case 0-0.png,case 0-0_mask.png", "'case 0-0.png,case 0-0_mask.png': on the list of test, but neither"),
        ("masks/other.png", "'masks/other.png': on the list of test, but neither"),
        ("case 0-0 ; x", "one name a line: name an image by its path below images/, without extension"),
    ],
)
def test_unknown_lines_are_listed_with_an_example(tmp_path, params, line, words):
    store = listed_store(tmp_path, line.encode())
    with pytest.raises(UserError) as error:
        split(store, params().split, 0)
    assert words in str(error.value) and "such as 'case 0-0'" in str(error.value)


def test_an_ambiguous_line_is_refused(tmp_path):
    groups = {image: image for image in IDS}
    (tmp_path / "list.txt").write_text("2.png\n")
    with pytest.raises(UserError, match=r"'2.png': may be 'a/2' or 'b/2'"):
        listed_images(tmp_path / "list.txt", [groups])
    (tmp_path / "list.txt").write_bytes(b"images\\a\\2.png\r\n4.jpg\r\n")
    assert listed_images(tmp_path / "list.txt", [groups]) == {"a/2", "4"}


TABLES = [
    b"image,patient\na/1,x\na/2,y\nb/2,y\n4,z\n7,z\nscan.1,z\n",
    b"image;patient\na/1;x\na/2;y\nb/2;y\n4;z\n7;z\nscan.1;z\n",
    b"sep=;\r\nimage;patient\r\na/1;x\r\na/2;y\r\nb/2;y\r\n4;z\r\n7;z\r\nscan.1;z\r\n",
    b"image\tpatient\na/1\tx\na/2\ty\nb/2\ty\n4\tz\n7\tz\nscan.1\tz\n",
    b"\xef\xbb\xbfimage;patient;weight\r\na/1;x;1,5\r\na/2;y;2,5\r\nb/2;y;1,0\r\n4;z;3\r\n7;z;3\r\nscan.1;z;4\r\n",
    "image\tpatient\r\na/1\tx\r\na/2\ty\r\nb/2\ty\r\n4\tz\r\n7\tz\r\nscan.1\tz\r\n".encode("utf-16"),
    b"image,patient\nimages/a/1.png,x\nimages\\a\\2.png,y\nb/2.png,y\n4.png,z\nc/x/7.png,z\nscan.1.png,z\n",
    b'"image";"patient"\n"a/1";"x"\n"a/2";"y"\n"b/2";"y"\n"4";"z"\n"7";"z"\n"scan.1";"z"\n',
]


@pytest.mark.parametrize("content", TABLES)
@pytest.mark.parametrize("file", ["t.csv", "t.tsv"])
def test_tables_with_every_separator_are_read(tmp_path, content, file):
    (tmp_path / file).write_bytes(content)
    assert list(groups_by_rule(tmp_path, f"{file}:patient", IDS).values()) == ["x", "y", "y", "z", "z", "z"]


def test_a_note_names_a_separator_other_than_commas(tmp_path, params):
    source = write_data_set(tmp_path / "set", 6)
    write_dataset(source, Dataset(group="t.csv:patient"))
    lines = [f"case {n // 2}-{n};p{n // 2}" for n in range(6)]
    (source / "t.csv").write_text("\r\n".join(["image;patient", *lines]))
    store = prepared(source, tmp_path)
    rows = split(store, params().split, 0)
    assert {row["group"] for row in rows} == {"p0", "p1", "p2"}
    assert "t.csv: read with semicolons between the columns" in split_notes(store, params().split, rows)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image;patient\n", r"the column 'sex' is not there; columns are 'image', 'patient' \(read with semicolons"),
        ("image,sex;sex\n", "the first column must name every image once"),  # read with semicolons
        ("image,x;sex;x,sex\n", r"columns may be separated by commas or semicolons"),
        ("image,sex,sex\n", r"the column 'sex' is named twice"),
        ("", r"the column 'sex' is not there; columns are none"),
    ],
)
def test_a_wrong_table_is_refused_with_its_columns(tmp_path, content, words):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(UserError, match=words):
        groups_by_rule(tmp_path, "t.csv:sex", IDS)


def test_table_rows_keep_their_line_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nimage;a\n\nx;1\ny\n")
    table = read_table(tmp_path / "t.csv", "a")
    assert table.rows == [(4, ["x", "1"]), (5, ["y", ""])]


def test_lists_are_copied_to_the_store_as_text(tmp_path):
    store = listed_store(tmp_path, "case 0-0\r\n".encode("utf-16"))
    assert read_lists(store.folder, store.dataset) == {"test": ["case 0-0"]}
    assert (store.folder / "test.txt").read_bytes() == b"case 0-0\n"
