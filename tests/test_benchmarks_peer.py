"""The benchmark against a peer: its scores against scikit-learn, how it calls the peer, and what it prints."""

import math
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from benchmarks import peer_runs
from benchmarks.mask_scores import Coding, MaskScores, score_masks
from benchmarks.peer import OURS, PEER, Row, means, peer_of, trainings
from benchmarks.peer_runs import Peer, Task, Trained, coding_of, run_program, train_peer
from src.data.source.dataset import Dataset
from src.errors import UserError

NAMES = ("a", "b", "c")
BLANK = Path(__file__).parent / "blank_peer.py"


def write_masks(folder, masks):
    folder.mkdir()
    for name, mask in zip(NAMES, masks, strict=True):
        cv2.imwrite(str(folder / f"{name}.png"), mask)


def random_masks(tmp_path, classes, high):
    """Three true and three predicted masks of different sizes, of which a part agrees."""
    rng = np.random.default_rng(classes)
    pairs = []
    for side in (5, 9, 14):
        true, other = (rng.integers(0, high, (side, side + 2)).astype(np.uint8) for _ in range(2))
        pairs.append((true, np.where(rng.random(true.shape) < 0.6, np.minimum(true, classes - 1), other % classes)))
    true, predicted = zip(*pairs, strict=True)
    write_masks(tmp_path / "true", true)
    write_masks(tmp_path / "predicted", [mask.astype(np.uint8) for mask in predicted])
    return true, predicted


def test_scores_of_several_classes_are_those_of_scikit_learn(tmp_path):
    true, predicted = random_masks(tmp_path, classes=4, high=5)  # 4 is ignored
    found = score_masks(tmp_path / "true", tmp_path / "predicted", NAMES, Coding(4, ignored=4, background=None))
    kept = [(a[a != 4], b[a != 4]) for a, b in zip(true, predicted, strict=True)]
    pooled = [np.concatenate(part) for part in zip(*kept, strict=True)]
    assert found.images == 3
    assert found.miou == pytest.approx(jaccard_score(*pooled, average="macro", labels=[0, 1, 2, 3]))
    of_images = [f1_score(a, b, average=None, labels=[0, 1, 2, 3]) for a, b in kept]
    assert found.dice == pytest.approx(np.mean(of_images))


def test_scores_of_two_classes_are_those_of_the_foreground(tmp_path):
    true, predicted = random_masks(tmp_path, classes=2, high=2)
    write_masks(tmp_path / "stretched", [255 * mask for mask in true])
    found = score_masks(tmp_path / "stretched", tmp_path / "predicted", NAMES, Coding(2))
    flat = [np.concatenate([mask.ravel() for mask in part]) for part in (true, predicted)]
    assert found.miou == pytest.approx(jaccard_score(*flat))
    pairs = zip(true, predicted, strict=True)
    assert found.dice == pytest.approx(np.mean([f1_score(a.ravel(), b.ravel()) for a, b in pairs]))


def test_an_image_counts_for_the_classes_that_it_holds(tmp_path):
    empty, full = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
    write_masks(tmp_path / "true", [empty, full, full])
    write_masks(tmp_path / "predicted", [empty, full, empty])
    found = score_masks(tmp_path / "true", tmp_path / "predicted", NAMES, Coding(3))
    assert (found.dice, found.miou) == (0.5, 0.5)  # class 1 alone: of the second and third image
    nothing = score_masks(tmp_path / "true", tmp_path / "true", NAMES[:1], Coding(2))
    assert math.isnan(nothing.dice) and math.isnan(nothing.miou)


def test_masks_that_do_not_fit_are_refused(tmp_path):
    write_masks(tmp_path / "true", [np.zeros((4, 4), np.uint8)] * 3)
    write_masks(tmp_path / "predicted", [np.full(shape, 7, np.uint8) for shape in ((4, 4), (4, 5), (4, 4))])
    (tmp_path / "predicted/c.png").unlink()
    folders = tmp_path / "true", tmp_path / "predicted"
    for names, message in ((NAMES, "no mask for 1 of 3 images, such as c"), ("b", r"b: the true mask is \(4, 4\)")):
        with pytest.raises(ValueError, match=message):
            score_masks(*folders, names, Coding(9))
    with pytest.raises(ValueError, match="a: a mask holds a value above 2"):
        score_masks(*folders, "a", Coding(3))


def some_task(tmp_path, coding):
    """Two test images and one validation image."""
    (tmp_path / "set").mkdir()
    for folder in ("images", "masks"):
        write_masks(tmp_path / "set" / folder, [np.zeros((6, 7, 3), np.uint8)] * 3)
    return Task(tmp_path, tmp_path / "set", coding, ["a", "c"], ["b"], "")


def test_the_peer_gets_the_lists_and_the_classes(tmp_path, monkeypatch):
    printed = []

    def run(command, folder):
        printed.append(run_program(command, folder))
        return printed[-1]

    monkeypatch.setattr(peer_runs, "run_program", run)
    task = some_task(tmp_path, Coding(4, ignored=9, background=None))
    trained = train_peer(task, 0.5, 3, Peer(BLANK, sys.executable, uses_validation=False))
    assert sorted(path.name for path in trained.masks.iterdir()) == ["a.png", "c.png"]
    assert printed[0].output == "steps 1 ignore 9 classes 4 excluded b\n" and trained.steps == 1
    train_peer(task, 0.5, 4, Peer(BLANK, sys.executable, uses_validation=True))
    assert printed[1].output.split()[-1] == "excluded"


def test_a_peer_that_fails_says_why(tmp_path):
    with pytest.raises(
        UserError, match=r"failed with status 1:\n(.*\n)*.*ModuleNotFoundError: No module named 'nobody'"
    ):
        run_program([sys.executable, "-c", "import nobody"], tmp_path)


def test_only_masks_that_a_peer_understands_are_used():
    street = {"classes": {0: "sky", 1: "road", 2: "tree"}, "ignore": 11}
    assert coding_of(Dataset.model_validate(street)) == Coding(3, ignored=11, background=None)
    assert coding_of(Dataset.model_validate({"classes": {0: "no", 255: "yes"}})) == Coding(2, None, 0)
    for classes in ({0: "sky", 1: "road", 7: "tree"}, {1: "no", 2: "yes"}, {"#000000": "no", "#FFFFFF": "yes"}):
        with pytest.raises(UserError, match="the masks hold"):
            coding_of(Dataset.model_validate({"classes": classes}))


def row(seed, program, miou, dice):
    return Row("street", seed, program, Trained(Path(), 2200, 70.4, 230.0), MaskScores(5, miou, dice))


def test_a_line_for_each_training_and_the_means():
    rows = [row(0, OURS, 0.5, 0.7), row(0, PEER, 0.4, 0.7), row(1, OURS, 0.6, 0.8), row(1, PEER, 0.4, 0.6)]
    assert str(rows[0]) == "street | seed 0 | ours | 2,200 steps | 70 + 230 s | mIoU 0.5000 | Dice 0.7000"
    lines = means(rows).splitlines()
    assert lines[0] == "street | mean of 2 | ours | | | mIoU 0.5500 | Dice 0.7500"
    assert lines[2] == "street | ours - peer | | | | mIoU +0.1500 | Dice +0.1000"


def test_both_programs_are_scored_on_the_test_images(tmp_path, capsys):
    task = some_task(tmp_path, Coding(2, background=None))

    def program(task, minutes, seed):
        return Trained(task.source / "masks", None, 0, 1)

    rows = trainings("set", task, 1, 0, {OURS: program, PEER: program})
    assert [one.scores for one in rows] == [MaskScores(2, 1, 1)] * 2
    assert "set | seed 0 | peer | – steps | 0 + 1 s | mIoU 1.0000" in capsys.readouterr().out


def test_masks_that_are_missing_stop_the_benchmark(tmp_path):
    task = replace(some_task(tmp_path, Coding(2)), test=["a", "d"])
    with pytest.raises(UserError, match=r"set, peer: .*no mask for 1 of 2 images, such as d"):
        trainings("set", task, 1, 0, {PEER: lambda task, minutes, seed: Trained(task.source / "masks", None, 0, 1)})


def test_a_relative_python_and_script_are_found_from_the_copy_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    (tmp_path / "peer.py").touch()
    given = {"peer": Path("peer.py"), "torch_python": "bin/python", "peer_uses_validation": False}
    peer = peer_of(Namespace(**given))
    assert (peer.script, peer.python) == (tmp_path / "peer.py", str(tmp_path / "bin/python"))
    for changed in ({"peer": Path("nobody.py")}, {"torch_python": "bin/nobody"}):
        with pytest.raises(UserError, match=r"nobody.*there is no such"):
            peer_of(Namespace(**given | changed))
