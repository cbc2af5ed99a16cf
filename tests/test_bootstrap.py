"""The bootstrap interval against slow loops and SciPy, its coverage, and the effect of groups."""

import math

import numpy as np
import pytest
from scipy import special, stats

from src.evaluation.metrics.confusion import mean_over_classes
from src.evaluation.statistics import resampling
from src.evaluation.statistics.bootstrap import difference_interval, mean_interval
from src.evaluation.statistics.standard_error import standard_error, standard_error_of_difference

UNIT, DISTANCE, FREE = (0.0, 1.0), (0.0, math.inf), (-math.inf, math.inf)


def table(seed: int, groups: int = 7, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Scores of groups of one to four images, alike within a group; the last class counts for half of the images."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, 5, groups))
    scores = np.clip(rng.normal(0.7, 0.1, (groups, classes))[group] + rng.normal(0, 0.08, (len(group), classes)), 0, 1)
    scores[rng.random(len(group)) < 0.5, -1] = np.nan
    return scores, group


def loops(tables, group, weights, factors=None) -> tuple[float, float]:
    """Estimate and linearised error, number by number: weights say how often each group was drawn."""
    factors = factors or ([1] if len(tables) == 1 else [-1, 1])
    estimate, influence = 0.0, dict.fromkeys(range(len(weights)), 0.0)
    for factor, scores in zip(factors, tables, strict=True):
        of_class = [
            [(int(g), float(score)) for g, score in zip(group, column, strict=True) if not math.isnan(score)]
            for column in scores.T
        ]
        counts = [sum(weights[g] for g, _ in images) for images in of_class]
        present = sum(count > 0 for count in counts)
        if not present:
            return math.nan, math.nan
        for images, count in zip(of_class, counts, strict=True):
            if count:
                mean = sum(weights[g] * score for g, score in images) / count
                estimate += factor * mean / present
                for g, score in images:
                    influence[g] += factor * (score - mean) / count / present
    total = len(weights)
    squares = sum(weights[g] * value**2 for g, value in influence.items())
    return estimate, math.sqrt(squares * total / (total - 1))


def cap(groups):
    """The largest multiplier of the standard error."""
    return max(1.25 * stats.t.ppf(0.975, groups - 1), stats.t.ppf(0.975, (groups - 1) / 2))


def by_loops(tables, group, resamples, seed, limits, factors=None) -> tuple[float, float]:
    low, high = limits

    def scaled(value):
        if low == -math.inf:
            return value
        return math.log(value - low) - (math.log(high - value) if high < math.inf else 0)

    def slope(value):  # by a difference, not by the formula
        return (scaled(value + 1e-6) - scaled(value - 1e-6)) / 2e-6

    def back(value):
        if low == -math.inf:
            return value
        return low + (math.exp(value) if high == math.inf else (high - low) / (1 + math.exp(-value)))

    total = max(group) + 1
    estimate, spread = loops(tables, group, [1] * total, factors)
    ratios = []
    for weights in np.random.default_rng(seed).multinomial(total, [1 / total] * total, size=resamples).tolist():
        there, its_spread = loops(tables, group, weights, factors)
        if its_spread > 1e-9:
            ratios.append(abs(scaled(there) - scaled(estimate)) / its_spread / slope(there))
        elif not math.isnan(there):
            ratios.append(0 if abs(there - estimate) < 1e-9 else math.inf)
    ratio = min(sorted(ratios)[math.ceil(0.95 * len(ratios)) - 1], cap(total))
    return tuple(back(scaled(estimate) + way * ratio * spread * slope(estimate)) for way in (-1, 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("limits", "times"), [(UNIT, 1), (DISTANCE, 20), (FREE, 20)])
def test_mean_interval_equals_slow_loops(seed, limits, times):
    scores, group = table(seed, groups=5 + seed)
    ours = mean_interval(scores * times, group, 300, seed, limits)
    np.testing.assert_allclose(ours, by_loops([scores * times], group, 300, seed, limits), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_difference_interval_equals_slow_loops(seed):
    (first, group), (second, _) = table(seed), table(seed)
    second = np.clip(second + np.random.default_rng(seed).normal(0.02, 0.05, second.shape), 0, 1)
    second[::3, 0] = np.nan
    ours = difference_interval(first, second, group, 300, seed)
    np.testing.assert_allclose(ours, by_loops([first, second], group, 300, seed, (-1, 1)), rtol=1e-6, atol=1e-8)
    assert standard_error_of_difference(first, second, group) == pytest.approx(
        loops([first, second], group, [1] * 7)[1]
    )


def of_seeds(count: int, changed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of seeds, [seeds, images, classes]: false alarms make some images count for a class in some seeds only."""
    scores, group = table(changed, groups=6)
    rng = np.random.default_rng(changed)
    stack = np.clip(scores + rng.normal(0, 0.03, (count, *scores.shape)), 0, 1)
    stack[np.isnan(stack) & (rng.random(stack.shape) < 0.4)] = 0
    return stack, group


def test_the_interval_of_seeds_is_that_of_the_mean_of_their_means():
    stack, group = of_seeds(3, 0)
    ours = mean_interval(stack, group, 300, 0)
    np.testing.assert_allclose(ours, by_loops(stack, group, 300, 0, UNIT, [1 / 3] * 3), rtol=1e-6)
    assert standard_error(stack, group) == pytest.approx(loops(stack, group, [1] * 6, [1 / 3] * 3)[1])


def test_sides_of_several_seeds_are_compared_by_the_means_of_their_means():
    first, group = of_seeds(2, 1)
    second = np.clip(
        np.concatenate([first, first[:1]]) + np.random.default_rng(2).normal(0.02, 0.05, (3, *first[0].shape)), 0, 1
    )
    factors = [-1 / 2] * 2 + [1 / 3] * 3
    ours = difference_interval(first, second, group, 300, 0)
    np.testing.assert_allclose(ours, by_loops([*first, *second], group, 300, 0, (-1, 1), factors), rtol=1e-6)
    error = loops([*first, *second], group, [1] * 6, factors)[1]
    assert standard_error_of_difference(first, second, group) == pytest.approx(error)
    assert difference_interval(first, first[:1].repeat(2, 0), group, 300, 0) == pytest.approx(
        difference_interval(first, first[0], group, 300, 0)
    )


def test_the_interval_of_many_groups_is_students():
    scores = np.random.default_rng(3).beta(8, 2, 400)
    ours = mean_interval(scores[:, None], np.arange(400), 10_000, seed=0)
    students = stats.ttest_1samp(scores, 0).confidence_interval()
    np.testing.assert_allclose(ours, students, atol=0.1 * (students.high - students.low) / 2)


def test_standard_error_of_one_class_is_that_of_the_mean():
    scores = np.random.default_rng(0).random(30)
    assert standard_error(scores[:, None], np.arange(30)) == pytest.approx(stats.sem(scores))
    assert math.isnan(standard_error(scores[:, None], np.zeros(30)))


def test_standard_error_is_near_the_jackknife():
    scores, group = table(0, groups=60)
    left_out = [mean_over_classes(scores[group != g], range(3)) for g in range(60)]
    jackknife = math.sqrt(np.var(left_out) * 59)
    assert standard_error(scores, group) == pytest.approx(jackknife, rel=0.03)


def test_difference_interval_equals_the_interval_of_the_differences():
    (first, group), rng = table(1, groups=12), np.random.default_rng(1)
    second = np.clip(first + rng.normal(0.03, 0.03, first.shape), 0, 1)
    np.testing.assert_allclose(
        difference_interval(first, second, group, 500, 0),
        mean_interval(second - first, group, 500, 0, (-1, 1)),
        atol=1e-9,
    )
    low, high = difference_interval(first, second, group, 500, 0)
    back_low, back_high = difference_interval(second, first, group, 500, 0)
    assert (low, high) == pytest.approx((-back_high, -back_low))


def test_pairing_narrows_the_difference():
    (first, group), rng = table(1, groups=12), np.random.default_rng(1)
    second = np.clip(first + rng.normal(0.03, 0.02, first.shape), 0, 1)
    shuffled = second[np.argsort(rng.permutation(12)[group], kind="stable")]  # the images of other groups
    paired, unpaired = (difference_interval(first, other, group, 2000, 0) for other in (second, shuffled))
    assert paired[1] - paired[0] < 0.5 * (unpaired[1] - unpaired[0])
    assert standard_error_of_difference(first, second, group) < 0.5 * math.hypot(
        standard_error(first, group), standard_error(second, group)
    )


def test_equal_tables_have_the_interval_0_to_0():
    scores, group = table(0)
    assert difference_interval(scores, scores, group, 200, 0) == (0, 0)


def held(groups: int, found) -> float:
    """The share of 400 simulated tests of so many images with Dice ~ beta(20, 1.5) whose `found` holds the truth."""
    rng = np.random.default_rng(groups)
    ends = np.array([found(rng.beta(20, 1.5, groups), seed) for seed in range(400)])
    return float(np.mean((ends[:, 0] <= 20 / 21.5) & (ends[:, 1] >= 20 / 21.5)))


@pytest.mark.parametrize("groups", [5, 8, 20])
def test_the_interval_covers_the_truth_in_95_percent(groups):
    share = held(groups, lambda scores, seed: mean_interval(scores[:, None], np.arange(groups), 500, seed))
    assert 0.92 <= share <= 0.985  # the aim, 0.93 to 0.97, give or take a standard error of simulation


def test_the_percentile_bootstrap_covers_less():
    drawn = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), size=500) / 5
    assert held(5, lambda scores, seed: np.quantile(drawn @ scores, [0.025, 0.975])) < 0.88


def test_images_of_one_group_are_no_independent_evidence():
    scores = np.repeat(np.random.default_rng(1).random(8), 10)[:, None]
    alone, grouped = (
        mean_interval(scores, groups, 4000, seed=0) for groups in (np.arange(80), np.repeat(np.arange(8), 10))
    )
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])  # sqrt(10) times as wide


def test_groups_may_have_names_and_any_order():
    scores, group = table(2)
    order = np.random.default_rng(0).permutation(len(group))
    names = np.array([f"group {g}" for g in group])[order]
    assert mean_interval(scores[order], names, 300, 0) == pytest.approx(mean_interval(scores, group, 300, 0))


def test_the_interval_repeats_with_the_seed():
    scores = np.random.default_rng(1).random((9, 3))
    assert mean_interval(scores, np.arange(9), 500, 7) == mean_interval(scores, np.arange(9), 500, 7)
    assert mean_interval(scores, np.arange(9), 500, 7) != mean_interval(scores, np.arange(9), 500, 8)


def test_the_size_of_blocks_of_resamples_changes_nothing(monkeypatch):
    scores, group = table(4)
    whole = mean_interval(scores, group, 500, 0)
    monkeypatch.setattr(resampling, "MOST_DRAWN", 7 * 64)
    assert mean_interval(scores, group, 500, 0) == pytest.approx(whole)


@pytest.mark.parametrize("groups", [1, 4])
def test_too_few_groups_have_no_interval(groups):
    assert mean_interval(np.ones((40, 1)), np.arange(40) % groups, 500, 0) is None


def test_groups_without_a_score_do_not_count():
    scores = np.full((10, 1), np.nan)
    scores[:4] = 0.5
    assert mean_interval(scores, np.arange(10), 500, 0) is None
    full = np.random.default_rng(0).random((10, 1))
    assert difference_interval(scores, full, np.arange(10), 500, 0) is None
    assert difference_interval(full, scores, np.arange(10), 500, 0) is None
    more = np.concatenate([full, np.full((7, 1), np.nan)])
    assert mean_interval(more, np.arange(17), 500, 0) == mean_interval(full, np.arange(10), 500, 0)


def test_resamples_without_a_score_in_one_table_are_left_out():
    rng = np.random.default_rng(0)
    first, second = rng.random((40, 1)), rng.random((40, 1))
    second[5:] = np.nan  # so that about one resample in 200 holds none of its groups
    ours = difference_interval(first, second, np.arange(40), 1000, 0)
    drawn = np.random.default_rng(0).multinomial(40, [1 / 40] * 40, size=1000)
    assert not drawn[:, :5].any(axis=1).all()
    assert ours == pytest.approx(by_loops([first, second], np.arange(40), 1000, 0, (-1, 1)), rel=1e-6)


def test_equal_scores_in_all_groups_have_no_interval():
    assert mean_interval(np.full((10, 2), 0.7), np.arange(10), 500, 0) is None
    assert mean_interval(np.ones((10, 2)), np.arange(10), 500, 0) is None
    scores = np.random.default_rng(0).random((10, 2))
    assert difference_interval(scores, scores, np.arange(10), 500, 0) == (0, 0)
    assert difference_interval(scores, scores - 0.1, np.arange(10), 500, 0) == pytest.approx((-0.1, -0.1))


def test_a_class_in_too_few_groups_gives_no_interval():
    """With a class in one or two of 20 groups, an interval of the mean would hold the truth in a fifth of the tests."""
    scores = np.random.default_rng(0).random((20, 2))
    scores[4:, 1] = np.nan
    assert mean_interval(scores, np.arange(20), 500, 0) is None
    assert difference_interval(scores, scores**2, np.arange(20), 500, 0) is None
    assert mean_interval(scores[:, :1], np.arange(20), 500, 0) is not None
    scores[4, 1] = 0.5
    assert mean_interval(scores, np.arange(20), 500, 0) is not None


@pytest.mark.parametrize("last", [0.0, 0.9])
def test_resamples_without_spread_do_not_make_the_interval_infinite(last):
    scores = np.ones((6, 1))
    scores[-1] = last  # a third of the resamples holds nothing but ones
    low, high = mean_interval(scores, np.arange(6), 1000, 0)
    assert 0 < low < scores.mean() < high < 1
    mean, most = scores.mean(), cap(6) * stats.sem(scores[:, 0])
    assert special.logit([low, high]) - special.logit(mean) == pytest.approx(
        most / mean / (1 - mean) * np.array([-1, 1])
    )


def test_the_interval_stays_within_the_limits():
    scores = np.array([0.001, 0.002, 0.3, 0.001, 0.004])[:, None]
    low, high = mean_interval(scores, np.arange(5), 1000, 0)
    assert 0 <= low < high <= 1
    assert mean_interval(20 * scores, np.arange(5), 1000, 0, DISTANCE)[0] >= 0
    with pytest.raises(ValueError, match=r"outside of its limits, 0\.0 and 1\.0"):
        mean_interval(20 * scores, np.arange(5), 1000, 0)
