"""The interval against SciPy's BCa, and what groups do to it."""

import numpy as np
import pytest
from scipy import stats

from src.evaluation.bootstrap import interval


def test_equals_scipy_where_every_image_is_a_group():
    scores = np.random.default_rng(3).beta(8, 2, 25)
    ours = interval(scores[:, None], np.arange(25), 20_000, seed=0)
    theirs = stats.bootstrap((scores,), np.mean, method="BCa", n_resamples=20_000, rng=1).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.002)  # both draw at random: the ends move by some 0.001


def test_mean_over_classes_of_means_over_images():
    rng = np.random.default_rng(0)
    scores = rng.random((40, 2))
    scores[rng.random(40) < 0.5, 1] = np.nan
    low, high = interval(scores, np.arange(40), 2000, seed=0)
    assert low < np.nanmean(scores, axis=0).mean() < high


def test_images_of_one_group_are_no_independent_evidence():
    scores = np.repeat(np.random.default_rng(1).random(8), 10)[:, None]
    alone, grouped = (interval(scores, groups, 4000, seed=0) for groups in (np.arange(80), np.repeat(np.arange(8), 10)))
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])  # sqrt(10) times as wide


def test_repeats_from_the_seed():
    scores = np.random.default_rng(1).random((9, 3))
    assert interval(scores, np.arange(9), 500, 7) == interval(scores, np.arange(9), 500, 7)
    assert interval(scores, np.arange(9), 500, 7) != interval(scores, np.arange(9), 500, 8)


@pytest.mark.parametrize("groups", [1, 4])
def test_too_few_groups_have_no_interval(groups):
    assert interval(np.ones((40, 1)), np.arange(40) % groups, 500, 0) is None


def test_groups_without_a_score_do_not_count():
    scores = np.full((10, 1), np.nan)
    scores[:4] = 0.5
    assert interval(scores, np.arange(10), 500, 0) is None


def test_equal_scores_have_an_interval_of_no_width():
    assert interval(np.full((10, 2), 0.75), np.arange(10), 500, 0) == pytest.approx((0.75, 0.75))
