"""tools.ensemble joins experiments and model files; scores and cards of an ensemble say what its models have seen."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from unittest.mock import Mock

import pytest
from dvc.repo import Repo

from src.archive import members
from src.archive.ensemble import read_archive
from src.archive.project import Decisions
from src.data.labelled.seen_images import image_digest
from src.data.store.store import Store
from src.data.store.subsets import Subset, write_splits
from src.errors import UserError
from src.files import read_json
from src.model.ensemble.sources import KnownImages, common_mirror
from src.model.inference.predictor import load_predictor
from src.model.network.model_file import write_model
from src.reproduction.history.trained_run import RunPaths, read_trained_run
from tests.conftest import ROOT, prepared, write_data_set
from tests.made_ensemble import member
from tests.test_predictor import project
from tools import card, ensemble, export, score

SUBSETS = ["train"] * 8 + ["validation"] * 6 + ["test"] * 4
TRACKED = ("models/unet.keras", "data/splits.csv", "data/prepared")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A project with two seeds of one split, `seed0` and `seed1`, and `fold`, which trains on what they validate on."""
    folder = tmp_path_factory.mktemp("project")
    store = prepared(write_data_set(folder / "set", 18), folder / "data")
    content = (ROOT / "params.yaml").read_text().replace("min_object: true", "min_object: false")
    (folder / "params.yaml").write_text(content.replace("fill_holes: true", "fill_holes: false"))
    git(folder, "init", "-q")
    with Repo.init(str(folder)) as repo:
        for seed, name in enumerate(("seed0", "seed1", "fold")):
            subsets = SUBSETS if name != "fold" else [*SUBSETS[8:14], *SUBSETS[:8], *SUBSETS[14:]]
            rows = zip(store.position, subsets, strict=True)
            write_splits(folder / "data/splits.csv", [dict(id=i, group=i, subset=s, fold="") for i, s in rows])
            moments = {"mean": [10.0 + seed] * 3, "decisions": Decisions(mirror="both" if seed else "horizontal")}
            made = member(seed, 2, 3, depth=1, **moments)
            told = made.project.model_copy(update={"classes": store.dataset.names})
            write_model(folder / "models/unet.keras", made.model, told)
            repo.add([str(folder / path) for path in TRACKED])
            git(folder, "add", "-A", ":!set")
            git(folder, "commit", "-q", "-m", name)
            git(folder, "tag", name)
            shutil.copy(folder / "models/unet.keras", folder / f"{name}.keras")
    return folder


def git(folder, *command):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=folder, check=True)


@pytest.fixture
def at(runs, monkeypatch):
    """Run a tool in the project."""
    monkeypatch.chdir(runs)
    return lambda tool, *words: tool.main(tool.arguments().parse_args(list(map(str, words))))


def ids(*subsets):
    store = Store(Path("data/prepared"))
    return [store.records[place] for place, subset in enumerate(SUBSETS) if subset in subsets]


def test_seeds_are_joined_and_their_decisions_fitted_on_common_validation_images(at, tmp_path, capsys):
    at(ensemble, "seed0", "seed1", "--out", tmp_path / "e.keras")
    found, store = read_archive(tmp_path / "e.keras"), Store(Path("data/prepared"))
    assert [(model.name, model.recorded) for model in found.ensemble.models] == [("seed0", True), ("seed1", True)]
    assert found.digests == [hashlib.md5(Path(f"{name}.keras").read_bytes()).hexdigest() for name in ("seed0", "seed1")]
    assert "Fitted on 6 validation images in 6 groups of seed0, which no member was trained" in found.ensemble.decided
    assert found.ensemble.seen == sorted(image_digest(store.image(place)) for place in range(14))
    assert load_predictor(tmp_path / "e.keras").project.decisions == found.ensemble.decisions
    text = capsys.readouterr().out
    assert "mirror: " in text and "temperature: " in text and "14 images were used to train or validate" in text
    assert {path.name for path in tmp_path.iterdir()} == {"e.keras"}


def test_decisions_are_the_defaults_if_every_validation_image_was_trained_on(at, tmp_path, capsys):
    at(ensemble, "seed0", "fold", "--out", tmp_path / "e.keras")
    found = read_archive(tmp_path / "e.keras").ensemble
    assert found.decisions == Decisions(mirror="horizontal") and len(found.seen) == 14
    expected = (
        "Not fitted, because there are 0 groups of validation images that no member was trained on and none tests"
    )
    assert found.decided.startswith(expected) and "mirror horizontal" in found.decided
    assert found.decided in capsys.readouterr().out


def test_of_model_files_the_images_are_not_known(at, tmp_path, capsys):
    at(ensemble, "seed0.keras", "fold.keras", "seed1", "--out", tmp_path / "e.keras")
    found = read_archive(tmp_path / "e.keras").ensemble
    assert found.unrecorded == ["seed0.keras", "fold.keras"] and len(found.seen) == 14
    assert "Not fitted, because it is not known which images were used to train seed0.keras, fold.ke" in found.decided
    capsys.readouterr()
    at(score, "--model", tmp_path / "e.keras", "--data", "set", "--only", only(tmp_path), "--out", tmp_path / "out")
    assert "warning: it is not known which images were used to train seed0.keras, fold.ke" in capsys.readouterr().out
    images = Subset.ungrouped(Store(Path("data/prepared")), range(12, 18))
    first, second = export.notes_of_ensemble(read_archive(tmp_path / "e.keras").ensemble, images)
    assert first.startswith("2 of these images were used to train or validate members")
    assert second.startswith("Warning: it is not known which images were used to train seed0.keras, fold.keras.")


def only(folder):
    """A list of the test images."""
    (folder / "test.txt").write_text("".join(f"{record.id}\n" for record in ids("test")))
    return folder / "test.txt"


def test_scores_are_refused_on_images_that_a_model_has_seen(at, tmp_path, capsys):
    at(ensemble, "seed0.keras", "seed1", "--out", tmp_path / "e.keras")
    with pytest.raises(UserError, match=r"e\.keras: its scores would be too high on images .*--only FILE") as error:
        at(score, "--model", tmp_path / "e.keras", "--data", "set", "--out", tmp_path / "out")
    assert str(error.value).splitlines()[1:] == [f"  {record.id}" for record in ids("train", "validation")]
    assert not (tmp_path / "out").exists()


def test_scores_on_unseen_images_are_those_of_the_ensemble(at, tmp_path, capsys, monkeypatch):
    at(ensemble, "seed0", "fold", "--out", tmp_path / "e.keras")
    read = Mock(side_effect=members.read_members)  # the file may have gigabytes
    monkeypatch.setattr("src.archive.ensemble.read_members", read)
    capsys.readouterr()
    at(score, "--model", tmp_path / "e.keras", "--data", "set", "--only", only(tmp_path), "--out", tmp_path / "out")
    assert "no member of the ensemble was trained or validated on these images" in capsys.readouterr().out
    read.assert_called_once_with(tmp_path / "e.keras")
    predictor, store = load_predictor(tmp_path / "e.keras"), Store(Path("data/prepared"))
    places = range(14, 18)
    right = sum((predictor(store.image(place)) == store.mask(place)).sum() for place in places)
    pixels = sum(store.mask(place).size for place in places)
    assert read_json(tmp_path / "out/scores.json")["accuracy"] == pytest.approx(right / pixels, abs=1e-6)
    found = read_archive(tmp_path / "e.keras").ensemble
    assert export.notes_of_ensemble(found, Subset.ungrouped(store, places)) == []
    (note,) = export.notes_of_ensemble(found, Subset.ungrouped(store, range(12, 18)))
    assert note.startswith("2 of these images were used to train or validate")


def test_the_card_lists_the_models_and_how_decisions_were_made(at, tmp_path, capsys):
    at(ensemble, "seed0", "fold", "--out", tmp_path / "e.keras")
    at(card, "--ensemble", tmp_path / "e.keras", "--licence", "CC0")
    text, found = (tmp_path / "e_CARD.md").read_text(), read_archive(tmp_path / "e.keras")
    for name, digest in zip(("seed0", "fold"), found.digests, strict=True):
        assert re.search(rf"^\| {name} \| plain \| 1 \| .*`{digest}` \|$", text, re.MULTILINE)
    assert hashlib.md5((tmp_path / "e.keras").read_bytes()).hexdigest() in text
    assert "Not fitted, because there are 0 groups" in text and "CC0" in text and "see Data" not in text
    assert "| <code>mirror</code> | horizontal |" in text and "14 images were used to train or validate" in text
    with pytest.raises(UserError, match=r"seed0\.keras: a single model"):
        at(card, "--ensemble", "seed0.keras")


def test_members_that_cannot_be_read_are_all_listed(at, tmp_path):
    at(ensemble, "seed0", "fold", "--out", tmp_path / "e.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(UserError, match=r"cannot be read; .* exp pull") as error:
        at(ensemble, "seed9", "none.keras", tmp_path / "e.keras", tmp_path / "text.keras", "seed0")
    lines = str(error.value).splitlines()[1:]
    wanted = (
        "seed9: .*seed9",
        "none.keras: no such file",
        ".*e.keras: is an ensemble itself",
        ".*text.keras: not a mod",
    )
    assert len(lines) == 4 and all(re.match(f"  {words}", line) for words, line in zip(wanted, lines, strict=True))


def test_a_prepared_data_set_that_dvc_does_not_track_is_refused(tmp_path, monkeypatch):
    """Two members must not share a data set only because neither has a hash."""
    git(tmp_path, "init", "-q")
    Repo.init(str(tmp_path)).close()
    paths = RunPaths(*map(PurePosixPath, ("models/unet.keras", "data/splits.csv", "data/prepared")))
    for path in (paths.model, paths.splits, paths.prepared / "index.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("content")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "run")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^HEAD: data/prepared: DVC has no hash of it at this revision"):
        read_trained_run("HEAD", paths, tmp_path / "work")
    assert not list((tmp_path / "work").glob("prepared*"))


def test_a_split_of_another_data_set_is_refused(at, tmp_path):
    write_splits(tmp_path / "splits.csv", [{"id": "other", "group": "other", "subset": "train", "fold": ""}])
    with pytest.raises(UserError, match="split names images that its prepared data set lacks: 'other'"):
        KnownImages.read(Path("data/prepared"), tmp_path / "splits.csv", [])
    index = Path("data/prepared/index.json").read_text().replace('"thumbnail"', '"small"')
    shutil.copytree("data/prepared", tmp_path / "prepared")
    (tmp_path / "prepared/index.json").write_text(index)
    with pytest.raises(UserError, match=r"of another version .*; name its model file instead"):
        KnownImages.read(tmp_path / "prepared", Path("data/splits.csv"), [])


def test_models_that_do_not_fit_together_are_refused(at, tmp_path):
    other, out = member(3, 3, 3, depth=1, shorter_side=32), tmp_path / "e.keras"
    write_model(tmp_path / "other.keras", other.model, other.project)
    shutil.copy("seed0.keras", tmp_path / "copy.keras")
    with pytest.raises(UserError, match="do not fit together") as error:
        at(ensemble, "seed0.keras", tmp_path / "other.keras", "--out", out)
    assert "other.keras: classes ['background', 'cell', 'debris']" in str(error.value)
    assert "other.keras: data.resize 32; seed0.keras: 0" in str(error.value)
    with pytest.raises(UserError, match=r"needs different members\n  .*copy\.keras: the same file as seed0"):
        at(ensemble, "seed0", tmp_path / "copy.keras", "--out", out)
    with pytest.raises(UserError, match="named twice: 'seed0'"):
        at(ensemble, "seed0", "seed0", "--out", out)
    with pytest.raises(UserError, match="two or more"):
        at(ensemble, "seed0", "--out", out)
    with pytest.raises(UserError, match="which the train stage writes"):
        at(ensemble, "seed0", "seed1", "--out", "models/unet.keras")
    assert not out.exists()


@pytest.mark.parametrize(
    ("mirrors", "common"),
    [
        (("both", "both"), "both"),
        (("both", "horizontal"), "horizontal"),
        (("vertical", "horizontal"), "none"),
        (("both", "none", "both"), "none"),
    ],
)
def test_copies_are_mirrored_in_the_directions_that_all_models_use(mirrors, common):
    assert common_mirror([project(decisions=Decisions(mirror=mirror)) for mirror in mirrors]) == common


def test_equal_pixels_are_recognised_and_others_are_not():
    import numpy as np

    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    other = image.copy()
    other[0, 0, 0] += 1
    assert image_digest(image) == image_digest(image.copy())
    assert len({image_digest(one) for one in (image, other, image.reshape(2, 8, 3), image.astype(np.uint16))}) == 4
