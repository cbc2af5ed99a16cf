"""tools.score: which images of a labelled folder are scored, and ready masks against scores worked out by hand."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.errors import UserError
from src.files import write_yaml
from tests.conftest import write_data_set
from tests.ready_masks import row, scored, write_halves, write_masks


@pytest.fixture
def folder(tmp_path):
    return write_halves(tmp_path / "set")


def test_the_truth_scores_one_against_itself(folder, tmp_path):
    results, labelled, ready, taken = scored(folder, tmp_path / "work", folder / "masks")
    assert results.ids == ["p0-0", "p0-1", "p1-2", "p1-3"] and taken == ready.extra == 0
    for measure in ("dice", "iou", "surface_dice"):
        assert (results.values[measure] == 1).all()
    assert (results.values["hd95"] == 0).all()
    assert ready.notes() == [] and not labelled.named


def test_scores_of_a_known_prediction_equal_hand_calculations(folder, tmp_path):
    results, *_ = scored(folder, tmp_path / "work")
    np.testing.assert_allclose(results.values["dice"], [[0, 2 * 2 / (4 + 6)]] * 4)
    np.testing.assert_allclose(results.values["iou"], [[0, 2 / 8]] * 4)


def test_masks_names_the_folder_of_the_truth(folder, tmp_path):
    results, *_ = scored(folder, tmp_path / "work", folder / "other", masks="other")
    assert (results.values["dice"] == 1).all()
    write_masks(folder / "other", {"p0-0": row(0, 0, 255, 255)})
    (folder / "other/p0-1.png").unlink()
    with pytest.raises(UserError) as error:
        scored(folder, tmp_path / "again", folder / "masks", masks="other")
    assert "2 problem(s) in the data set" in str(error.value)
    assert "'images/p0-1': has no mask → add it as other/p0-1.png" in str(error.value)
    assert "the image is 8 × 8 pixels, its mask 4 × 8" in str(error.value)
    for masks, words in (("nothing", "nothing: no such folder"), ("/tmp", "beside images/"), ("../x", "beside")):
        with pytest.raises(UserError, match=words):
            scored(folder, tmp_path / masks.strip("/."), masks=masks)


def test_only_selects_images_by_ids_and_groups(folder, tmp_path):
    (folder / "some.txt").write_text("# one patient, and an image\np0\np1-3\n")
    (folder / "masks/p1-2.png").unlink()  # of an image that is not on the list
    results, _, ready, _ = scored(
        folder, tmp_path / "work", only=Path("some.txt"), **{"split.group": "^(p.)", "split.duplicates": "apart"}
    )
    assert results.ids == ["p0-0", "p0-1", "p1-3"] and results.groups == ["p0", "p0", "p1"]
    assert ready.extra == 1 and ready.notes() == ["1 predictions belong to no image that is scored"]
    (folder / "some.txt").write_text("p0\np1-3\np9\n")
    with pytest.raises(
        UserError, match=r"(?s)some.txt: 2 line\(s\) do not name .*\n  'p0': neither .*\n  'p9': neither"
    ):
        scored(folder, tmp_path / "again", only=Path("some.txt"))
    (folder / "some.txt").write_text("# nobody\n")
    with pytest.raises(UserError, match="names no image"):
        scored(folder, tmp_path / "third", only=Path("some.txt"))
    with pytest.raises(UserError, match="neither in the current folder nor in"):
        scored(folder, tmp_path / "fourth", only=Path("none.txt"))


def test_selected_images_have_the_classes_of_the_whole_set(folder, tmp_path):
    """Values 0 and 1 are three classes if the other images hold a 2, and a list of one image does not change that."""
    for number in range(4):
        write_masks(folder / "masks", {f"p{number // 2}-{number}": row(0, 0, 1, 1, 0, 0, 0, 2 * (number > 0))})
    write_masks(folder / "other", {"p0-0": row(0, 0, 1, 2, 0, 0, 0, 0)})
    (folder / "one.txt").write_text("p0-0")
    results, labelled, *_ = scored(folder, tmp_path / "work", only=Path("one.txt"))
    assert labelled.store.dataset.names == ["class_0", "class_1", "class_2"] and len(labelled.store) == 4
    np.testing.assert_allclose(results.values["dice"], [[1, 2 / 3, 0]])
    write_yaml(folder / "dataset.yaml", {"classes": {0: "a", 1: "b", 2: "c"}})
    results, labelled, *_ = scored(folder, tmp_path / "again", only=Path("one.txt"))
    assert labelled.named and len(labelled.store) == 1  # nothing else has to be read
    np.testing.assert_allclose(results.values["dice"], [[1, 2 / 3, 0]])


def test_undecided_pixels_of_predictions_do_not_count(folder, tmp_path):
    write_yaml(folder / "dataset.yaml", {"classes": {0: "background", 255: "cell"}, "ignore": 9})
    write_masks(folder / "masks", {"p0-0": row(255, 255, 255, 255, 0, 0, 0, 9)})
    write_masks(folder / "other", {"p0-0": row(9, 255, 255, 0, 0, 0, 9, 9), "p0-1": row(*[9] * 8)})
    results, _, _, taken = scored(folder, tmp_path / "work")
    assert taken == 8 * (2 + 8)  # the last column of the first image counts nowhere anyway
    assert results.pixels.counted[:, 0].tolist() == [8 * 5, 0, 64, 64]
    np.testing.assert_allclose(results.values["dice"][0], [2 * 2 / (2 + 3), 2 * 2 / (3 + 2)])
    assert np.isnan(results.values["dice"][1]).all()


def test_a_folder_called_images_may_hold_predictions(folder, tmp_path):
    shutil.copytree(folder / "other", tmp_path / "else/images")
    (tmp_path / "else/images/p0-0.png").rename(tmp_path / "else/images/q.png")
    with pytest.raises(UserError, match=r"1 problem\(s\) in the predictions, .*\n  'p0-0': has no prediction"):
        scored(folder, tmp_path / "work", tmp_path / "else/images")


def test_three_classes_and_masks_of_other_names(tmp_path):
    source = write_data_set(tmp_path / "set", classes=3)
    for path in (source / "masks").iterdir():
        write_masks(source / "seen", {f"{path.stem}_seen": (cv2.imread(str(path), 0) + 1) % 3})
    results, labelled, ready, _ = scored(source, tmp_path / "work", source / "seen")
    assert results.confusion.trace() == 0 and ready.notes() == ["predictions paired by name: masks end in '_seen'"]
    assert (results.pixels.predicted == np.roll(results.pixels.true, 1, axis=1)).all()
    assert labelled.store.dataset.foreground == [0, 1, 2]
