"""Groups by name, folder and table, and the errors of wrong tables."""

import os

import pytest

from src.data.source.dataset import Dataset, read_lists
from src.data.splits.groups import copy_tables, groups_by_rule, merge_groups, read_column, twin_clusters
from src.errors import UserError
from src.params import Split
from tests.conftest import prepared, write_data_set

IDS = ["a/1", "a/2", "b/2", "b/c/3", "4"]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (None, IDS),
        ("folder", ["a", "a", "b", "b/c", "4"]),
        (r"(\d)$", ["1", "2", "2", "3", "4"]),
        ("t.csv:patient", ["x", "y", "y", "z", "z"]),
    ],
)
def test_groups_follow_from_a_pattern_a_folder_or_a_table(tmp_path, group, expected):
    (tmp_path / "t.csv").write_text(
        '\ufeffimage, patient,note\n1,x,\n\na/2, y,"one, two"\nb/2,y\n3,z,\n4,z,\nelsewhere,z,\n'
    )
    assert list(groups_by_rule(tmp_path, group, IDS).values()) == expected


def test_names_without_a_match_are_listed(tmp_path):
    with pytest.raises(UserError, match=r"finds nothing in 2 of 5 names") as error:
        groups_by_rule(tmp_path, r"^([ab])/\d", IDS)
    assert str(error.value).endswith("\n  'b/c/3'\n  '4'")


def test_an_empty_capture_is_no_group(tmp_path):
    with pytest.raises(UserError, match="finds nothing in 4 of 5 names"):
        groups_by_rule(tmp_path, r"^(\d*)", IDS)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,x\na/2,y\nb/2,y\n3,z\n", ["'4': in no line"]),
        ("1,x\na/2,y\nb/2,y\n3,z\n4,\n", ["line 6: '4' has no 'patient'"]),
        ("1,x\na/2,y\nb/2,y\n3,z\n4\n", ["line 6: '4' has no 'patient'"]),
        ("1,x\n2,y\nb/2,y\n3,z\n4,z\n", ["line 3: '2' may be 'a/2' or 'b/2'", "'a/2': in no line"]),
        ("1,x\na/2,y\nb/2,y\n3,z\n4,z\n1,x\n", ["line 7: 'a/1' again in line 2"]),
        ("1,x\na/2,y\nb/2,y\n3,z\n4,z\na/1,y\n3,w\n", ["'a/1' is 'y', but 'x' in line 2", "'b/c/3' is 'w', but 'z'"]),
        ("1.svg,x\na/2,y\nb/2,y\n3,z\n4,z\n", ["'a/1': in no line", "without extension"]),
    ],
)
def test_every_wrong_row_is_listed(tmp_path, rows, words):
    (tmp_path / "t.csv").write_text(f"image,patient\n{rows}")
    with pytest.raises(UserError) as error:
        groups_by_rule(tmp_path, "t.csv:patient", IDS)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("t.csv:pateint", "the column 'pateint' is not there; columns are 'image', 'patient', 'x', 'x'"),
        ("t.csv:x", "the column 'x' is named twice"),
        ("u.csv:patient", r"no such table; tables beside dataset.yaml .*: 'empty.csv', 'latin.csv', 't.csv'"),
        ("latin.csv:patient", "not UTF-8"),
        ("empty.csv:patient", "the column 'patient' is not there"),
    ],
)
def test_a_missing_file_or_column_is_named_with_those_that_exist(tmp_path, rule, words):
    (tmp_path / "t.csv").write_text("image,patient,x,x\n")
    (tmp_path / "latin.csv").write_bytes("image,patient\nMüller,1\n".encode("latin-1"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match=words):
        groups_by_rule(tmp_path, rule, IDS)


def test_blank_cells_are_values_if_they_are_allowed(tmp_path):
    (tmp_path / "t.csv").write_text("image,sex\n1,f\n2,\n")
    assert read_column(tmp_path, "t.csv", "sex", ["1", "2"], blank=True) == {"1": "f", "2": ""}


@pytest.mark.parametrize("rule", ["(a", "a", "(a)(b)", "../t.csv:x", "t.csv:", ".hidden.csv:x"])
def test_a_wrong_rule_is_refused_in_dataset_yaml_and_in_params_yaml(rule, params):
    for make in (lambda: Dataset(group=rule), lambda: params(**{"split.group": rule})):
        with pytest.raises(ValueError, match=r"not a regular expression|exactly one capture group"):
            make()


@pytest.mark.parametrize("stratify", ["class", "(a)", "folder"])
def test_stratify_of_another_form_is_refused(params, stratify):
    with pytest.raises(ValueError, match=r"must be classes, none, or FILE\.csv:COLUMN"):
        params(**{"split.stratify": stratify})
    assert isinstance(params(**{"split.stratify": "t.csv:a:b c"}).split, Split)


def test_groups_that_share_near_duplicates_are_merged_in_any_order():
    groups = {
        str(image): "fdbaec"[image // 2] for image in range(12)
    }  # 0 1: f, 2 3: d, 4 5: b, 6 7: a, 8 9: e, 10 11: c
    twins = [["1", "2"], ["4", "11"], ["3", "5"]]
    for order in (twins, twins[::-1], [twins[1], twins[0], twins[2]]):
        assert "".join(merge_groups(groups, order).values()) == "bbbbbbaaeebb"
    assert merge_groups(groups, []) == groups


def test_the_first_image_of_a_cluster_may_name_itself_or_nothing(store):
    first, second = store.records[0], store.records[3]
    for own in ("", first.id):
        object.__setattr__(first, "twin", own)
        object.__setattr__(second, "twin", first.id)
        assert twin_clusters(store.records) == [[first.id, second.id]]


def test_tables_and_lists_are_copied_and_other_files_are_not(tmp_path, monkeypatch):
    source, folder = tmp_path / "source", tmp_path / "folder"
    (source / "sub.csv").mkdir(parents=True)
    folder.mkdir()
    monkeypatch.setattr("src.data.splits.groups.LARGEST_TABLE", 20)
    for name, content in {"a.csv": "é,b\n", "B.CSV": "x", "._a.csv": "x", "c.txt": "x", "d.csv": "x" * 21}.items():
        (source / name).write_text(content)
    (source / "latin.csv").write_bytes(b"\xe9")
    (source / "list.csv").write_text("# kept for both\r\n1\r\n")
    os.mkfifo(source / "pipe.csv")
    copy_tables(source, folder, Dataset(test="list.csv"))
    assert {path.name for path in folder.iterdir()} == {"a.csv", "B.CSV", "list.csv"}
    assert (folder / "a.csv").read_bytes() == (source / "a.csv").read_bytes()
    assert read_lists(folder, Dataset(test="list.csv")) == {"test": ["1"]}


def test_prepare_refuses_a_table_that_misses_an_image_and_copies_one_that_does_not(tmp_path):
    source = write_data_set(tmp_path / "set", 3)
    (source / "dataset.yaml").write_text("group: t.csv:patient\n")
    (source / "t.csv").write_text("image,patient\ncase 0-0,x\ncase 0-1,x\n")
    with pytest.raises(UserError, match="'case 1-2': in no line"):
        prepared(source, tmp_path)
    with (source / "t.csv").open("a") as file:
        file.write("case 1-2,y\n")
    store = prepared(source, tmp_path)
    assert set(groups_by_rule(store.folder, store.dataset.group, list(store.position)).values()) == {"x", "y"}
