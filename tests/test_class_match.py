"""Stored values are matched to classes by name, by equal value or by a certain order, or they are refused."""

import numpy as np
import pytest
from PIL import Image

from src.data.labelled.class_match import match_classes, match_names, match_values
from src.data.labelled.folder import read_labelled
from src.data.labelled.remap_classes import remap_classes
from src.data.source.dataset import Dataset
from src.data.store.subsets import Subset
from src.errors import UserError
from src.evaluation.scoring.measure import measure_all
from src.files import write_yaml
from tests.conftest import changed_params
from tests.ready_masks import scored
from tools.score import show_findings

NAMES = ["background", "cell", "debris", "cell wall", "nucleus"]
PERMUTATIONS = 40


@pytest.mark.parametrize(
    ("own", "known", "expected"),
    [
        ([0, 255], {255: "cell", 0: "background"}, ([1, 0], "value")),  # the order of the classes does not matter
        ([0, 255], {0: "cell", 255: "background"}, ([0, 1], "value")),  # dark cells stay cells
        ([0, 1], {255: "cell", 0: "background"}, ([1, 0], "order")),
        ([3, 4], {0: "background", 255: "cell"}, ([0, 1], "order")),
        ([0, 1], {0: "cell", 255: "background"}, None),  # by convention 1 is the foreground, by order the background
        ([1, 2], {0: "background", 1: "cell"}, None),  # 1 would mean two different classes
        ([0, 255], {0: "background", 1: "cell", 2: "debris"}, None),
        ([0, 2], {2: "debris", 0: "background", 1: "cell"}, ([1, 0], "value")),
        ([0, 128, 200], {0: "background", 1: "cell", 2: "debris"}, ([0, 1, 2], "order")),
        ([0, 1, 7], {0: "background", 1: "cell", 2: "debris"}, None),  # 7 may be a mistake
        ([1, 2, 3], {0: "background", 1: "cell", 2: "debris"}, None),
        (
            [10, 20, 30],
            {2: "sea", 0: "land", 1: "lake"},
            ([1, 2, 0], "order"),
        ),  # without a background, the order is certain
        ([10, 20, 30], {2: "background", 0: "cell", 1: "debris"}, None),
        ([-1, 1], {0: "background", 1: "cell"}, None),  # -1 often means "not annotated"
        (["#000000", "#FF0000"], {"#FF0000": "cell", "#000000": "background"}, ([1, 0], "value")),
        ([0, 255], {"#FFFFFF": "cell", "#000000": "background"}, ([1, 0], "value")),  # grey is a colour, too
        (["#000000", "#FFFFFF"], {0: "background", 255: "cell"}, ([0, 1], "value")),
        ([0, 255], {"#FF0000": "cell", "#000000": "background"}, ([1, 0], "order")),
        (["#00FF00", "#FF0000"], {0: "background", 255: "cell"}, None),  # colours have no order
        ([300, 301], {"#00012C": "background", "#00012D": "cell"}, None),  # equal as numbers, but not the same
        (["#000000", "#00FF00", "#FF0000"], {0: "background", 1: "cell", 2: "debris"}, None),
    ],
)
def test_values_without_names_match_by_value_or_by_order_or_are_refused(own, known, expected):
    described = Dataset(classes=known)
    if expected is None:
        with pytest.raises(UserError, match=r"say which is which under classes in set/dataset\.yaml, with the names"):
            match_values(own, described, "set/dataset.yaml")
        return
    match = match_values(own, described)
    assert (match.indices, match.how) == expected


def test_names_match_whatever_the_stored_values_are():
    own, known = Dataset(classes={0: "cell", 255: "background"}), Dataset(classes={0: "background", 255: "cell"})
    match = match_classes(own, known, named=True)
    assert (match.indices, match.how) == ([1, 0], "name")
    assert match.describe(list(own.classes), known) == "0 as cell, 255 as background"


def test_an_unknown_name_is_refused_with_a_similar_known_name():
    with pytest.raises(UserError, match=r"does not know Cell, dust \('Cell' may be 'cell'\); its classes are back"):
        match_names(["Cell", "dust", "background"], ["background", "cell"])


def test_a_background_stated_in_dataset_yaml_is_not_overridden_by_values():
    own = Dataset(classes={0: "background", 255: "foreground"}, background="foreground")  # generated names
    with pytest.raises(UserError, match="255 is the background, but by their values the classes are 0 as background"):
        match_classes(own, Dataset(classes={0: "background", 255: "cell"}), named=False)
    assert match_classes(own, Dataset(classes={0: "cell", 255: "background"}), named=False).indices == [0, 1]


def write_pairs(folder, truth, values):
    """Write three random images, and with Pillow masks of class indices with these stored values."""
    rng = np.random.default_rng(0)
    for name, classes in truth.items():
        for kind, pixels in (("images", rng.integers(0, 255, (12, 12), np.uint8)), ("masks", values[classes])):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{name}.png")
    return folder


def drawn(rng, classes):
    """Three masks of class indices [12, 12]. Each holds all classes."""
    masks = {f"case{number}": rng.integers(0, classes, (12, 12)) for number in range(3)}
    for mask in masks.values():
        mask.ravel()[:classes] = range(classes)
    return masks


def stored(rng, classes):
    return np.sort(rng.choice(256, classes, replace=False)).astype(np.uint8)


def described(values, order):
    """The key `classes` of dataset.yaml, in this order."""
    return {int(values[label]): NAMES[label] for label in order}


@pytest.mark.parametrize("case", range(PERMUTATIONS))
def test_a_perfect_model_scores_one_or_the_folder_is_refused(tmp_path, monkeypatch, case):
    """Model and folder have classes and stored values in random order. The folder may name its classes or not."""
    rng = np.random.default_rng(case)
    classes, named = int(rng.integers(2, 5)), bool(case % 2)
    of_model, of_folder = (rng.permutation(stored(rng, classes)) for _ in range(2))
    if not named:  # equal values, or others in the same order
        of_folder = of_model if case % 4 else stored(rng, classes)[np.argsort(np.argsort(of_model))]
    order = rng.permutation(classes)
    known = Dataset(classes=described(of_model, order), background="background")
    truth = drawn(rng, classes)
    folder = write_pairs(tmp_path / "set", truth, of_folder)
    if named:
        write_yaml(folder / "dataset.yaml", {"classes": described(of_folder, rng.permutation(classes))})
    try:
        labelled = read_labelled(folder, changed_params(), tmp_path / "work", show_findings)
        match = match_classes(labelled.store.dataset, known, named=labelled.named)
    except UserError as error:
        assert not named and "classes" in str(error)
        return
    store = remap_classes(labelled.store, match.indices, known.names, known.background_index, {})
    place = np.argsort(order)  # position of a class in NAMES → its index in the model
    perfect = ((index, place[truth[store.records[index].id]].astype(np.uint8)) for index in range(len(store)))
    results = measure_all(Subset(store, range(3), ["a"] * 3), perfect, None)
    assert (results.values["dice"] == 1).all()


@pytest.mark.parametrize("case", range(PERMUTATIONS))
def test_a_perfect_annotator_scores_one_or_is_refused(tmp_path, case):
    """Ready masks have equal values, or other values that a dataset.yaml names, or other values in the same order."""
    rng = np.random.default_rng(1000 + case)
    classes, kind = int(rng.integers(2, 5)), ("equal", "named", "ordered", "usual")[case % 4]
    ours = rng.permutation(stored(rng, classes))
    if kind == "usual" or case % 8 == 2:  # the background comes first, as for 0 and 255
        ours = np.sort(ours)
    theirs = {
        "equal": ours,
        "named": rng.permutation(stored(rng, classes)),
        "ordered": stored(rng, classes)[np.argsort(np.argsort(ours))],
        "usual": np.array([0, 255], np.uint8) if classes == 2 else np.arange(classes, dtype=np.uint8),
    }[kind]
    truth = drawn(rng, classes)
    folder = write_pairs(tmp_path / "set", truth, ours)
    content = {"classes": described(ours, rng.permutation(classes)), "background": "background"}
    ignored = sorted({1, 255, *theirs.tolist()} - set(ours.tolist()))
    write_yaml(folder / "dataset.yaml", content | ({"ignore": ignored[-1]} if case % 3 else {}))
    write_pairs(tmp_path / "other", truth, theirs)
    if kind == "named":
        names = {"classes": described(theirs, rng.permutation(classes))}
        write_yaml(tmp_path / "other/masks/dataset.yaml", names)
    try:
        results, *_ = scored(folder, tmp_path / "work", tmp_path / "other/masks")
    except UserError as error:
        assert kind in ("ordered", "usual") and "name its values in" in str(error)
        shared = {*ours.tolist(), ignored[-1]} & set(theirs.tolist())
        assert case % 8 != 2 or shared  # other values in the same order are not refused
        return
    assert (results.values["dice"] == 1).all()
