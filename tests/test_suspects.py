"""Masks with errors rank above correct ones, each with its reason; every number has an independent reference."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.planting import KINDS as PLANTED
from benchmarks.planting import plant
from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.source.dataset import IGNORE, Dataset
from src.data.store.subsets import Subset
from src.errors import UserError
from src.evaluation.metrics.outputs import Outputs
from src.report.suspects.page import suspects_page, write_suspects
from src.report.suspects.text import suspects_text
from src.suspects import maps
from src.suspects.calibrate import TEMPERATURES, robust_temperature
from src.suspects.changes import FARTHEST, best_exchange, shift_gains
from src.suspects.components import Box, added_object, missing_object
from src.suspects.evidence import CONFIDENT, FLOOR, evidence_of, mask_planes
from src.suspects.find_suspects import find_suspects
from src.suspects.folds import make_folds
from src.suspects.judge import KINDS, Error, Judged, judge_mask
from src.suspects.maps import from_bytes, to_bytes
from src.suspects.predictions import Predictions, nearest
from src.suspects.ranking import COLUMNS, Suspect, rank_masks, suspect_rows
from src.suspects.swap import CANDIDATES, Thumbnail, best_swap, swap_candidates
from tests.conftest import store  # noqa: F401
from tests.made_suspects import ERRORS, SIZE, made_folds

THREE = LabelFormat(3)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory):
    folds, files = made_folds(tmp_path_factory.mktemp("made"))
    with Predictions(folds, files) as predictions:
        yield find_suspects(folds, predictions), predictions


def random_evidence(seed=0, size=(20, 25), classes=3, overlap=False):
    """Probabilities, a mask with an ignored stripe, and their evidence."""
    rng, labels = np.random.default_rng(seed), LabelFormat(classes, overlap)
    logits = ndimage.gaussian_filter(rng.normal(0, 12, (*size, classes)), (2, 2, 0)).astype(np.float32) * 4
    probabilities = Outputs(replace(labels)).probabilities(logits) if classes > 2 or overlap else softmax(logits)
    if overlap:
        mask = pack_planes(list(np.moveaxis(rng.random((*size, classes)) < 0.4, -1, 0)))
    else:
        mask = rng.integers(classes, size=size).astype(np.uint8)
    mask[:, :3] = IGNORE
    return probabilities, mask, evidence_of(probabilities, mask, labels)


def softmax(logits):
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True), np.float32)


def likelihood(probabilities, planes, counted, overlap=False):
    """The log-likelihood of a mask in nats: a sum over the confident pixels that count, pixel by pixel."""
    total = 0.0
    for row, column in np.argwhere(counted):
        values = np.clip(probabilities[row, column].astype(float), FLOOR, 1 - FLOOR)
        for label, value in enumerate(values):
            if overlap and max(value, 1 - value) >= CONFIDENT:
                total += np.log(value if planes[label, row, column] else 1 - value)
            if not overlap and probabilities[row, column].max() >= CONFIDENT and planes[label, row, column]:
                total += np.log(value)
    return total


def test_each_kind_of_error_ranks_above_correct_masks_with_its_reason(ranked):
    suspects, _ = ranked
    assert {int(one.id): one.error.kind for one in suspects[: len(ERRORS)]} == ERRORS
    scores = [one.score for one in suspects]
    assert scores == sorted(scores, reverse=True) and scores[len(ERRORS) - 1] > 2 * scores[len(ERRORS)]
    assert all(0 <= score <= 1 for score in scores)


def test_the_reason_names_what_would_correct_the_mask(ranked):
    words = {int(one.id): one.error for one in ranked[0]}
    assert words[2].words == "the mask fits better if it is moved by 6 pixel(s) down and 5 to the left"
    assert words[5].words == "the mask of '06' fits better" and words[6].words == "the mask of '05' fits better"
    assert words[9].words.startswith("cell is predicted where the mask has none: ")
    assert words[12].words.startswith("the mask has debris where none is predicted: 17 × 17 pixels from column ")
    assert words[15].words == "the classes fit better if they are exchanged: cell → debris, debris → cell"
    box = words[12].box
    assert (box.width, box.height) == (17, 17) and words[12].label == 2


def test_gains_of_shifts_are_those_of_moving_the_mask_pixel_by_pixel():
    for overlap in (False, True):
        probabilities, mask, found = random_evidence(overlap=overlap)
        labels, (height, width) = LabelFormat(3, overlap), mask.shape
        planes, gains = np.moveaxis(labels.planes(mask), -1, 0), shift_gains(found)
        down, right = int(FARTHEST * height), int(FARTHEST * width)
        assert gains.shape == (2 * down + 1, 2 * right + 1)
        for row, column in ((0, 0), (3, -2), (-4, 5), (1, 1), (-down, -right)):
            rows, columns = np.arange(height) - row, np.arange(width) - column
            inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
            moved = np.roll(planes, (row, column), (1, 2))
            counted = inside & np.roll(labels.counted(mask), (row, column), (0, 1)) & labels.counted(mask)
            difference = likelihood(probabilities, moved, counted, overlap)
            difference -= likelihood(probabilities, planes, counted, overlap)
            assert gains[down + row, right + column] == pytest.approx(difference, abs=0.05)


def test_the_best_exchange_is_that_of_all_permutations():
    probabilities, mask, found = random_evidence(seed=1, size=(8, 12), classes=4)
    planes, counted = np.moveaxis(LabelFormat(4).planes(mask), -1, 0), mask < 4
    before = likelihood(probabilities, planes, counted)
    gains = {
        order: likelihood(probabilities, planes[list(np.argsort(order))], counted) - before
        for order in itertools.permutations(range(4))
    }
    best = best_exchange(found)
    assert tuple(best.classes) == max(gains, key=gains.get) != (0, 1, 2, 3)
    assert best.gain == pytest.approx(max(gains.values()), abs=0.05)


@pytest.mark.parametrize("overlap", [False, True])
def test_disagreement_is_the_gain_of_the_likeliest_mask(overlap):
    probabilities, mask, found = random_evidence(seed=2, overlap=overlap)
    labels = LabelFormat(3, overlap)
    best = probabilities > 0.5 if overlap else np.eye(3)[probabilities.argmax(axis=-1)]
    planes = [np.moveaxis(one, -1, 0) for one in (best, labels.planes(mask))]
    high, low = (likelihood(probabilities, one, labels.counted(mask), overlap) for one in planes)
    assert found.disagreement == pytest.approx(high - low, abs=0.05) and high > low


def test_the_gain_of_an_object_is_the_sum_over_its_pixels():
    probabilities = np.full((30, 40, 2), (0.9, 0.1), np.float32)
    probabilities[5:10, 5:12] = probabilities[20:24, 30:34] = (0.1, 0.9)
    mask = np.zeros((30, 40), np.uint8)
    mask[20:24, 30:34] = mask[15:18, 3:9] = 1
    found, nats = evidence_of(probabilities, mask, LabelFormat(2)), np.log(9)
    missing, added = missing_object(found, [1]), added_object(found, [1])
    assert missing.gain == pytest.approx(35 * nats, rel=1e-5) and missing.box == Box(5, 5, 7, 5)
    assert added.gain == pytest.approx(18 * nats, rel=1e-5) and added.box == Box(3, 15, 6, 3)
    probabilities[5:10, 5:12] = (0.45, 0.55)  # not confident
    assert missing_object(evidence_of(probabilities, mask, LabelFormat(2)), [1]) is None


def test_differences_along_a_boundary_are_no_objects():
    mask = np.zeros((30, 40), np.uint8)
    mask[10:20, 10:20] = 1
    for rows in (slice(8, 22), slice(12, 18)):  # predicted larger, and smaller
        probabilities = np.full((30, 40, 2), (0.95, 0.05), np.float32)
        probabilities[rows, rows] = (0.05, 0.95)
        found = evidence_of(probabilities, mask, LabelFormat(2))
        assert missing_object(found, [1]) is None and added_object(found, [1]) is None


def test_an_object_of_an_overlapping_class_is_found_on_another_class():
    labels, planes = LabelFormat(2, overlap=True), np.zeros((2, 30, 40), bool)
    planes[0, 5:25, 5:35] = planes[1, 10:14, 10:14] = True
    probabilities = np.where(np.moveaxis(planes, 0, -1), 0.95, 0.05).astype(np.float32)
    lacking = pack_planes([planes[0], np.zeros_like(planes[1])])
    missing = missing_object(evidence_of(probabilities, lacking, labels), [0, 1])
    assert (missing.label, missing.box) == (1, Box(10, 10, 4, 4))
    probabilities[..., 1] = 0.05
    added = added_object(evidence_of(probabilities, pack_planes(list(planes)), labels), [0, 1])
    assert (added.label, added.box) == (1, Box(10, 10, 4, 4))


def test_a_correct_mask_and_one_without_a_pixel_that_counts_have_no_errors():
    probabilities, mask, _ = random_evidence()
    dataset = Dataset(classes={0: "background", 1: "cell", 2: "debris"}, background="background")
    for one in (probabilities.argmax(axis=-1).astype(np.uint8), np.full_like(mask, IGNORE)):
        judged = judge_mask("a", evidence_of(probabilities, one, THREE), mask.shape, dataset)
        assert judged.errors == [] and judged.disagreement == pytest.approx(0, abs=0.01)


def test_an_inverted_mask_of_two_classes_is_an_exchange():
    probabilities = np.full((30, 40, 2), (0.95, 0.05), np.float32)
    probabilities[5:15, 5:15] = (0.05, 0.95)
    mask = (probabilities[..., 0] > 0.5).astype(np.uint8)
    judged = judge_mask("a", evidence_of(probabilities, mask, LabelFormat(2)), mask.shape, Dataset(classes=TWO))
    assert worst(judged).kind == "exchanged"
    assert worst(judged).gain == pytest.approx(judged.disagreement, rel=1e-4)


def worst(judged):
    return max(judged.errors, key=lambda error: error.gain)


TWO = {0: "background", 1: "cell"}


def test_a_swap_is_looked_for_among_images_of_the_same_size():
    found = [random_evidence(seed)[2] for seed in range(CANDIDATES + 3)]
    masks = [random_evidence(seed)[1] for seed in range(CANDIDATES + 3)]
    sizes = [(20, 25)] * (CANDIDATES + 2) + [(40, 50)]
    candidates = swap_candidates([Thumbnail.of(one, size) for one, size in zip(found, sizes, strict=True)])
    assert candidates[-1] == [] and all(CANDIDATES + 2 not in others for others in candidates)
    assert all(len(others) == CANDIDATES and number not in others for number, others in enumerate(candidates[:-1]))
    probabilities, mask, evidence = random_evidence(0)
    masks[2], numbers = np.where(mask < 3, probabilities.argmax(axis=-1), IGNORE).astype(np.uint8), range(1, 4)
    swap = best_swap(evidence, numbers, lambda number: mask_planes(masks[number], THREE, mask.shape))
    planes = {number: np.moveaxis(THREE.planes(masks[number]), -1, 0) for number in (0, *numbers)}
    own, *others = (likelihood(probabilities, planes[number], mask < 3) for number in (0, *numbers))
    assert swap.gain == pytest.approx(max(others) - own, abs=0.05) and others[swap.other - 1] == max(others)


def test_rank_is_by_the_share_of_disagreement_beyond_what_is_usual_for_the_kind():
    given = {
        "a": (100, {"missing": 50}),
        "b": (10, {"missing": 9}),
        "c": (40, {"added": 1, "shifted": 30}),
        "d": (0, {}),
    }
    masks = [Judged(name, size, [Error(*one, "") for one in gains.items()]) for name, (size, gains) in given.items()]
    typical = np.median([100, 10, 40, 0])
    shares = [50 / (100 + typical), 9 / (10 + typical), 0, 0]
    found = {one.id: one.score for one in rank_masks(masks)}
    assert found == {
        "c": pytest.approx(30 / (40 + typical)),
        "a": pytest.approx(shares[0] - np.median(shares)),
        "b": pytest.approx(shares[1] - np.median(shares)),
    }
    assert list(found) == ["c", "a", "b"] and rank_masks(masks)[0].error.kind == "shifted" and rank_masks([]) == []
    row = suspect_rows(rank_masks(masks))[0]
    assert set(row) <= set(COLUMNS) and (row["rank"], row["shifted"], row["added"], row["missing"]) == (1, 30, 1, 0)


def test_large_maps_are_reduced_and_reasons_are_in_pixels_of_the_image(monkeypatch):
    monkeypatch.setattr(maps, "LONGEST", 40)
    values = np.random.default_rng(0).random((80, 20, 2)).astype(np.float32)
    small = maps.reduced(values)
    assert small.shape == (40, 10, 2) and maps.reduced(small) is small
    assert np.allclose(small, values.reshape(40, 2, 10, 2, 2).mean(axis=(1, 3)), atol=1e-5)
    probabilities = np.full((50, 60, 2), (0.95, 0.05), np.float32)
    probabilities[20:30, 20:30] = (0.05, 0.95)
    mask = np.zeros((100, 120), np.uint8)
    mask[48:68, 40:60] = 1  # moved by 8
    judged = judge_mask("a", evidence_of(probabilities, mask, LabelFormat(2)), mask.shape, Dataset(classes=TWO))
    assert worst(judged).words == "the mask fits better if it is moved by 8 pixel(s) up"


def test_kept_logits_differ_by_less_than_their_step():
    logits = np.linspace(-15, 15, 1001, dtype=np.float32)
    assert np.abs(from_bytes(to_bytes(logits)) - logits).max() <= 1 / 16 + 1e-6
    assert from_bytes(to_bytes(np.float32([-90, 0, 90]))).tolist() == [-16, 0, 15.875]
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert nearest(mask, (4, 6)).tolist() == mask.tolist() and nearest(mask, (2, 3)).tolist() == [
        [7, 9, 11],
        [19, 21, 23],
    ]


def test_the_temperature_is_recovered_although_some_masks_are_wrong():
    rng, outputs = np.random.default_rng(0), Outputs(LabelFormat(2))
    logits = [rng.normal(0, 2, (1500, 1)).astype(np.float32) for _ in range(12)]
    labels = [(rng.random(1500) < 1 / (1 + np.exp(-one[:, 0]))).astype(np.uint8) for one in logits]
    labels[:2] = [1 - one for one in labels[:2]]
    assert robust_temperature(outputs, [3 * one for one in logits], labels) == pytest.approx(3, rel=0.1)
    assert robust_temperature(outputs, [logits[0][:0]], [labels[0][:0]]) == 1 and 1 in TEMPERATURES


def test_folds_keep_groups_whole_and_hold_each_image_once(store):  # noqa: F811
    rows = [{"id": record.id, "group": record.id[:6]} for record in store.records]
    images = Subset(store, list(range(10)), [row["group"] for row in rows[:10]])
    folds = make_folds(images, rows, 3, "classes", 0)
    assert sorted(index for fold in folds for index in fold.held_out.indices) == list(range(10))
    for fold in folds:
        assert sorted([*fold.trained.indices, *fold.held_out.indices]) == list(range(10))
        assert not set(fold.trained.groups) & set(fold.held_out.groups)
    with pytest.raises(UserError, match=r"5 group\(s\) of images cannot make 6 folds: give a smaller --folds"):
        make_folds(images, rows, 6, "classes", 0)


def test_a_class_that_is_in_one_fold_alone_is_refused(store):  # noqa: F811
    rows = [{"id": record.id, "group": record.id} for record in store.records]
    for record in store.records[1:]:
        record.pixels[2] = 0
    with pytest.raises(
        UserError, match=r"it could not be learned for them: give another --folds.*\n  fold \d: class_2"
    ):
        make_folds(Subset.ungrouped(store, range(12)), rows, 3, "none", 0)


def test_the_folder_holds_table_pictures_and_page(ranked, tmp_path):
    suspects, predictions = ranked
    write_suspects(tmp_path / "found", suspects, predictions, 2)
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {"suspects.csv", "index.html", "001.png", "002.png"}
    text = (tmp_path / "found/suspects.csv").read_text().splitlines()
    assert text[0] == ",".join(COLUMNS) and len(text) == 1 + len(suspects)
    page = (tmp_path / "found/index.html").read_text()
    assert page.count("<section>") == 2 and suspects[0].error.words.replace("'", "&#39;") in page
    content = (tmp_path / "found/001.png").read_bytes()
    write_suspects(tmp_path / "found", suspects, predictions, 1)
    assert (tmp_path / "found/001.png").read_bytes() == content and not (tmp_path / "found/002.png").exists()


def test_page_and_text_escape_what_a_name_holds():
    error = Error("swapped", 5, "the mask of '<b>\x1b[2J' fits better")
    nasty = Suspect(Judged("<script>\x1b[2J", 5, [error]), 0.5, error)
    page, text = suspects_page([nasty], ["001.png"]), suspects_text([nasty], 1)
    assert "<script>" not in page and "<b>" not in page and "&lt;script&gt;" in page
    assert "\x1b" not in text and "<script>\\x1b[2J" in text
    assert suspects_text([], 4).startswith("4 masks: no mask disagrees")


def test_planted_errors_are_of_every_kind_and_change_the_mask():
    rng, masks = np.random.default_rng(0), {}
    for number in range(50):
        mask = np.zeros(SIZE, np.uint8)
        for row, column in rng.integers(5, 60, (5, 2)).tolist():
            mask[row : row + 6, column : column + 9] = 1
        masks[f"{number}"] = mask
    planted = plant(masks, 0.4, 0)
    assert len(planted) in (20, 21) and {kind for kind, _ in planted.values()} == set(PLANTED) == set(KINDS)
    assert all((masks[name] != mask).any() for name, (_, mask) in planted.items())
    swapped = [name for name, (kind, _) in planted.items() if kind == "swapped"]
    assert len(swapped) % 2 == 0 and swapped
    for name, (kind, mask) in planted.items():
        if kind in ("missing", "added"):
            less, more = (mask, masks[name]) if kind == "missing" else (masks[name], mask)
            assert (less <= more).all() and ndimage.label(more - less, np.ones((3, 3)))[1] >= 1
    again = plant(masks, 0.4, 0)
    assert all((again[name][1] == mask).all() for name, (_, mask) in planted.items())
