"""Which members can be joined, under which names, and on which validation images their decisions are fitted."""

import os
from pathlib import Path

import pytest

from src import params
from src.data.store.subsets import write_splits
from src.errors import UserError
from src.model.ensemble.decide import decide
from src.model.ensemble.sources import KnownImages, Source, describe_ensemble, require_one_ensemble, unseen_validation
from tests.conftest import ROOT, prepared, write_data_set
from tests.test_predictor import project
from tools import ensemble


def known(store, table, subsets, groups):
    """The images of a run with this split; groups: the group of a position in the store."""
    rows = zip(store.position, subsets, strict=True)
    write_splits(table, [dict(id=i, group=groups(place), subset=s, fold="") for place, (i, s) in enumerate(rows)])
    return KnownImages.read(store.folder, table, [])


def test_decisions_are_not_fitted_on_groups_of_which_a_member_knows_an_image(tmp_path):
    """One member keeps the two images of a patient together; the other trains on or tests a single one of them."""
    store = prepared(write_data_set(tmp_path / "set", 18), tmp_path / "data")
    pairs = known(store, tmp_path / "a.csv", ["train"] * 4 + ["validation"] * 14, lambda place: f"p{place // 2}")
    single = known(store, tmp_path / "b.csv", ["validation"] * 4 + ["train", *["validation"] * 12, "test"], str)
    for members, unseen in (((pairs, single), range(6, 16)), ((single, pairs), range(6, 16)), ((pairs,), range(4, 18))):
        sources = [Source(str(number), tmp_path, project(), images) for number, images in enumerate(members)]
        assert list(unseen_validation(sources)[0].indices) == list(unseen)


def joined(sources):
    """The content of ensemble.json."""
    decided = decide(sources, params.load(ROOT / "params.yaml").train.decisions, 0)
    return describe_ensemble(sources, decided.decisions, decided.how)


def test_the_file_names_members_without_folders_and_all_names_differ():
    names = ["seed0", "seed0.keras", "/home/jane/seed0.keras", "a/seed0.keras", "b/line\nbreak.keras"]
    sources = [Source(name, Path("copy" if name == "seed0" else name), project(), None) for name in names]
    found = joined(sources)
    expected = ["seed0", "seed0.keras", "seed0.keras (2)", "seed0.keras (3)", r"line\nbreak.keras"]
    assert [model.name for model in found.models] == expected
    assert "to train seed0, seed0.keras, seed0.keras (2)" in found.decided and "jane" not in found.model_dump_json()


def test_names_that_ensemble_json_cannot_hold_are_shortened():
    """32 names of 1,500 characters, of which `decided` lists some."""
    found = joined([Source(f"{'r' * 1500}{number}", Path("copy"), project(), None) for number in range(32)])
    assert len({model.name for model in found.models}) == 32 and "and 27 more" in found.decided
    assert "no mirrored copies (there is no direction that all members use" in found.decided
    assert not ensemble.is_file("r" * 1500)


def test_members_that_are_larger_than_a_file_can_be_are_refused_unread(tmp_path):
    files = {name: tmp_path / name for name in ("a.keras", "b.keras")}
    for path in files.values():
        path.touch()
        os.truncate(path, 2**31)  # a hole, which takes no space
    sources = [Source(name, path, project(), None) for name, path in files.items()]
    names = list(map(str, files.values()))
    for refused in (
        lambda: require_one_ensemble(sources),
        lambda: ensemble.require_usable(names, tmp_path / "e.keras"),
    ):
        with pytest.raises(UserError, match=r"4,294,967,296 bytes together.*; join fewer") as error:
            refused()
        shown = [line.rpartition("/")[2].strip() for line in str(error.value).splitlines()[1:]]
        assert shown == ["a.keras: 2,147,483,648 bytes", "b.keras: 2,147,483,648 bytes"]


def test_too_many_members_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match=r"at most 32; 33 are named"):
        ensemble.require_usable(list(map(str, range(33))), tmp_path / "e.keras")


def test_the_file_of_a_member_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.keras", "b.keras"):
        Path(name).write_text(name)
    Path("link.keras").symlink_to("a.keras")
    for members, out in ((["a.keras", "b.keras"], "./a.keras"), (["link.keras", "seed0"], tmp_path / "a.keras")):
        with pytest.raises(UserError, match=rf"--out '.*a\.keras': is the file of a member: '{members[0]}'; name anot"):
            ensemble.require_usable(members, Path(out))
    ensemble.require_usable(["a.keras", "b.keras"], Path("c.keras"))
