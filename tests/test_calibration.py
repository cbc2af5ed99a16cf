"""Calibration against scikit-learn and plain loops, the temperature, and the selection of candidates."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, precision_score, recall_score

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.evaluation.metrics.calibration import BINS, Calibration
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.statistics.select import select_candidate


def meaning(classes):
    return Outputs(LabelFormat(classes))


def sample(classes, outputs, size=(40, 60), seed=0):
    """Logits of an overconfident network, labels drawn from milder ones, some pixels ignored."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (*size, outputs)).astype(np.float32)
    chances = meaning(classes).probabilities(logits, 2.0)
    labels = (rng.random(size)[..., None] > chances.cumsum(axis=-1)).sum(axis=-1).clip(0, classes - 1).astype(np.uint8)
    labels[rng.random(size) < 0.1] = IGNORE
    return logits, labels


def tallied(logits, labels, classes, parts=1):
    calibration = Calibration(meaning(classes))
    for rows in np.array_split(np.arange(len(labels)), parts):
        calibration.add(logits[rows], labels[rows])
    return calibration


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3), (5, 5)])
def test_probabilities_are_a_sigmoid_or_a_softmax(classes, outputs):
    logits, _ = sample(classes, outputs)
    found = meaning(classes).probabilities(logits, 1.7)
    assert found.shape == (40, 60, classes) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    with_zero = np.concatenate([np.zeros_like(logits), logits], axis=-1) if outputs == 1 else logits
    powers = np.exp(with_zero.astype(float) / 1.7)
    np.testing.assert_allclose(found, powers / powers.sum(axis=-1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_brier_score_and_negative_log_likelihood_equal_scikit_learn(classes, outputs):
    logits, labels = sample(classes, outputs)
    counted = labels != IGNORE
    chances, flat = meaning(classes).probabilities(logits)[counted].astype(float), labels[counted]
    chances /= chances.sum(axis=1, keepdims=True)
    kinds = list(range(classes))
    expected = brier_score_loss(flat, chances[:, 1] if classes == 2 else chances, labels=kinds)
    assert tallied(logits, labels, classes).brier_score() == pytest.approx(expected, abs=1e-6)
    assert meaning(classes).negative_log_likelihood(logits[counted], flat, 1.0) == pytest.approx(
        log_loss(flat, chances, labels=kinds), abs=1e-5
    )


def test_reliability_equals_scikit_learn():
    logits, labels = sample(2, 1)
    counted = labels != IGNORE
    rows = list(tallied(logits, labels, 2).reliability(["no", "yes"], [1]))
    frequency, probability = calibration_curve(
        labels[counted], meaning(2).probabilities(logits)[counted][:, 1], n_bins=BINS
    )
    np.testing.assert_allclose([row["frequency"] for row in rows], frequency, atol=1e-6)
    np.testing.assert_allclose([row["probability"] for row in rows], probability, atol=1e-6)
    assert sum(row["pixels"] for row in rows) == counted.sum()


def test_the_calibration_error_equals_a_plain_loop():
    logits, labels = sample(3, 3)
    counted = labels != IGNORE
    chances, flat = meaning(3).probabilities(logits)[counted], labels[counted]
    highest, right = chances.max(axis=1), chances.argmax(axis=1) == flat
    total = 0.0
    for number in range(BINS):
        held = (highest >= number / BINS) & (highest < (number + 1) / BINS)
        if held.any():
            total += held.sum() * abs(right[held].mean() - highest[held].mean())
    assert tallied(logits, labels, 3).expected_calibration_error() == pytest.approx(total / len(flat), abs=1e-6)


def test_precision_and_recall_equal_scikit_learn():
    logits, labels = sample(2, 1)
    counted = labels != IGNORE
    chances, flat = meaning(2).probabilities(logits)[counted][:, 1], labels[counted]
    rows = list(tallied(logits, labels, 2).precision_recall(["no", "yes"], [1]))
    assert len(rows) == 100
    for row in rows[::7]:
        found = chances >= np.float32(row["threshold"])
        assert row["precision"] == pytest.approx(precision_score(flat, found), abs=2e-3)  # ties at the bins' edges
        assert row["recall"] == pytest.approx(recall_score(flat, found), abs=2e-3)


def test_parts_of_an_image_add_up_and_ignored_pixels_do_not_count(monkeypatch):
    monkeypatch.setattr("src.evaluation.metrics.calibration.TOGETHER", 500)
    logits, labels = sample(3, 3)
    whole, parts = tallied(logits, labels, 3), tallied(logits, labels, 3, parts=7)
    np.testing.assert_array_equal(whole.pixels, parts.pixels)
    assert whole.expected_calibration_error() == pytest.approx(parts.expected_calibration_error())
    assert whole.brier_score() == pytest.approx(parts.brier_score())
    nothing = tallied(logits, np.full_like(labels, IGNORE), 3)
    assert np.isnan(nothing.expected_calibration_error()) and np.isnan(nothing.brier_score())
    assert not list(nothing.reliability(["a", "b", "c"], [0, 1, 2]))
    assert not list(nothing.precision_recall(["a", "b", "c"], [0, 1, 2]))


def test_the_likeliest_temperature_is_that_of_a_logistic_regression():
    """Without an intercept, its one coefficient on the logit is the inverse of the temperature."""
    logits, labels = sample(2, 1, (200, 200))
    counted = labels != IGNORE
    flat, kinds = logits[counted], labels[counted]
    inverse = LogisticRegression(C=np.inf, fit_intercept=False).fit(flat, kinds).coef_.item()
    grid = 2 ** (np.arange(-60, 61) / 20)
    loss = meaning(2).negative_log_likelihood
    best = grid[np.argmin([loss(flat, kinds, temperature) for temperature in grid])]
    assert best == pytest.approx(1 / inverse, rel=0.018)  # half a step of the grid
    assert best == pytest.approx(2.0, rel=0.04)  # and the one that the labels were drawn with


def candidates(gains, images=60, noise=0.05, seed=0):
    """Scores [candidates, images, 1] that differ by these gains in the mean."""
    rng = np.random.default_rng(seed)
    base = rng.beta(6, 3, images)
    return np.stack([base + gain + noise * rng.normal(size=images) for gain in gains])[..., None]


def test_a_clear_gain_is_selected_and_measured():
    choice = select_candidate(candidates([0, 0.02, 0.2, 0.05]), np.arange(60), 0, seed=0)
    assert choice.candidate == 2 and choice.low < 0.2 < choice.high and 0.15 < choice.gain < 0.25


def test_the_luckiest_of_many_equal_candidates_is_not_selected():
    """Thirty candidates that are all alike: choosing the luckiest one on sight would look like a gain every time."""
    kept = [select_candidate(candidates([0] * 30, seed=seed), np.arange(60), 0, seed).candidate for seed in range(60)]
    assert sum(index != 0 for index in kept) <= 6


def test_candidates_may_have_scores_of_any_range():
    """Log-likelihoods, for one, are no shares."""
    choice = select_candidate(40 * candidates([0, 0.1]), np.arange(60), 0, seed=0)
    assert choice.candidate == 1 and choice.low < 4 < choice.high


def test_too_few_groups_give_no_selection():
    scores = candidates([0, 0.03], images=60, noise=0.02)
    assert select_candidate(scores, np.arange(60), 0, seed=0).candidate == 1
    assert select_candidate(scores, np.arange(60) % 4, 0, seed=0) is None


def test_the_default_stays_among_equal_candidates():
    scores = np.repeat(candidates([0]), 5, axis=0)
    choice = select_candidate(scores, np.arange(60), 2, seed=0)
    assert choice.candidate == 2 and choice.gain == 0


def test_an_image_that_stops_counting_counts_as_a_gain():
    """A false alarm scores 0; without it the image is left out of the mean, which rises."""
    before = np.full((40, 1), 0.8)
    before[:20] = 0
    after = before.copy()
    after[:20] = np.nan
    choice = select_candidate(np.stack([before, after]), np.arange(40), 0, seed=0)
    assert choice.candidate == 1 and choice.gain == pytest.approx(0.4)
