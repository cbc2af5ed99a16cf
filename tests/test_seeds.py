"""Seeds of a setting: the two parts of its uncertainty against hand calculations, SciPy and simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from src.errors import UserError
from src.evaluation.comparison.seeds import (
    ONE_SETTING,
    UNKNOWN,
    _judge,
    _spread,
    compare_seeds,
    degrees_of_freedom,
    summarize_seeds,
    welch_quantile,
)
from src.evaluation.comparison.shared_images import SharedImages
from src.evaluation.comparison.verdict import BETTER, FEW, FEW_SEEDS, SAME, UNTOLD
from src.report.text.comparison import comparison_markdown, comparison_text
from tests.made_scores import DATASET, make_run

OTHER = {"train.lr": 0.001}


def seeds(count=3, spread=0.02, gain=0.0, images=24, start=0, **changes):
    """Runs of one setting, each of its own luck: on the same images, of scores that vary from image to image."""
    base = np.random.default_rng(9).uniform(0.4, 0.8, (images, 3))
    scores = []
    for seed in range(start, start + count):
        rng = np.random.default_rng((seed, len(changes)))
        scores.append(base + gain + rng.normal(0, spread) + rng.normal(0, 0.01, base.shape))
    named = [f"{changes or 'run'} {seed}" for seed in range(start, start + count)]
    params = [{"seed": seed} | changes for seed in range(start, start + count)]
    return scores, [make_run(*of) for of in zip(named, scores, params, strict=True)]


def test_spreads_equal_a_hand_calculation():
    scores, runs = seeds(4)
    told = summarize_seeds(runs)
    row, means = told["dice"]["mean"], [of_run[:, 1:].mean() for of_run in scores]
    assert row["mean"] == pytest.approx(np.mean(means), abs=2e-6)
    assert row["seeds"] == pytest.approx(pd.Series(means).std(), abs=2e-6)
    assert row["images"] == pytest.approx(stats.sem(np.mean(scores, axis=0)[:, 1:].mean(axis=1)), abs=2e-6)
    needed = row["seeds_needed"]
    assert row["seeds"] ** 2 / needed < row["images"] ** 2 <= row["seeds"] ** 2 / max(needed - 1, 1e-9)
    assert [run["seed"] for run in told["runs"].values()] == [0, 1, 2, 3]
    assert [run["dice"] for run in told["runs"].values()] == pytest.approx(means, abs=2e-6)
    cell = told["dice"]["classes"]["cell"]
    assert cell["seeds"] == pytest.approx(np.std([of_run[:, 1].mean() for of_run in scores], ddof=1), abs=2e-6)


def test_without_image_error_the_interval_is_welchs():
    first, second = [0.61, 0.64, 0.60, 0.63], [0.66, 0.67, 0.70]
    runs = [
        [make_run(f"{side}{k}", np.full((8, 3), mean), {"seed": k, **more}) for k, mean in enumerate(means)]
        for side, means, more in (("a", first, {}), ("b", second, OTHER))
    ]
    row = compare_seeds(*runs)["dice"]["mean"]
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(expected, abs=2e-6) and row["images"] == 0
    assert row["difference"] == pytest.approx(np.mean(second) - np.mean(first), abs=2e-6) and row["verdict"] == BETTER
    assert row["seeds"] == pytest.approx(np.hypot(stats.sem(first), stats.sem(second)), abs=2e-6)


def test_without_seed_error_the_interval_is_students_paired_test():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0.4, 0.8, (2, 20, 3))
    runs = [[make_run(f"{n}{k}", s, {"seed": k, "train.lr": n}) for k in (0, 1)] for n, s in enumerate((first, second))]
    row = compare_seeds(*runs)["dice"]["mean"]
    expected = stats.ttest_rel(second[:, 1:].mean(axis=1), first[:, 1:].mean(axis=1)).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(expected, abs=2e-6) and row["seeds"] == 0


def test_the_squares_of_both_errors_add_up():
    a_scores, a = seeds(3)
    b_scores, b = seeds(4, gain=0.01, **OTHER)
    row = compare_seeds(a, b)["dice"]["mean"]
    of_a, of_b = ([of_run[:, 1:].mean() for of_run in scores] for scores in (a_scores, b_scores))
    paired = (np.mean(b_scores, axis=0) - np.mean(a_scores, axis=0))[:, 1:].mean(axis=1)
    parts = np.array([stats.sem(paired), stats.sem(of_a), stats.sem(of_b)]) ** 2
    degrees_of_freedom = parts.sum() ** 2 / (parts**2 / [23, 2, 3]).sum()
    half = stats.t.ppf(0.975, degrees_of_freedom) * np.sqrt(parts.sum())
    gain = np.mean(of_b) - np.mean(of_a)
    assert (row["low"], row["high"]) == pytest.approx((gain - half, gain + half), abs=3e-6)


def test_the_image_error_is_over_groups():
    rng = np.random.default_rng(1)
    scores, groups = rng.uniform(0, 0.7, (300, 2)) + rng.uniform(0, 0.3, (60, 1)).repeat(5, axis=0), np.arange(300) // 5
    scores[rng.random(scores.shape) < 0.3] = np.nan
    values = [{measure: scores for measure in ("dice", "iou")}] * 2
    shared = SharedImages(DATASET, DATASET.foreground, groups, ["unet"] * 2, [0] * 2, False, values)
    drawn = [rng.integers(0, 60, 60) for _ in range(2000)]
    means = [np.nanmean(scores.reshape(60, 5, 2)[own].reshape(-1, 2), axis=0).mean() for own in drawn]
    assert _spread(shared, "dice", [0, 1], 0.95).images == pytest.approx(np.std(means), rel=0.06)


def test_an_image_that_counts_in_some_seeds_only_is_not_averaged_over_these():
    """Each third image lacks debris. Seed 1 has false alarms there, which count in its own mean alone."""
    scores = np.random.default_rng(2).uniform(0.5, 0.9, (2, 18, 3))
    scores[0, ::3, 2], scores[1, ::3, 2] = np.nan, 0
    named = [("quiet", scores[0], {"seed": 0}), ("alarms", scores[1], {"seed": 1})]
    told = summarize_seeds([make_run(*of) for of in named])["dice"]
    left_out = np.array(  # a jackknife over images of the mean over seeds of their means
        [np.mean([np.nanmean(one, axis=0)[1:].mean() for one in np.delete(scores, k, axis=1)]) for k in range(18)]
    )
    assert told["mean"]["images"] == pytest.approx(np.sqrt(np.var(left_out) * 17), rel=0.03)
    better = [make_run(f"{name} B", one + 0.01, params | OTHER) for name, one, params in named]
    row = compare_seeds([make_run(*of) for of in named], better)["dice"]["mean"]
    assert row["difference"] == pytest.approx(0.01, abs=2e-6) and row["images"] == pytest.approx(0, abs=2e-6)


def test_groups_without_scores_give_no_degrees_of_freedom():
    first, second = np.full((2, 12, 2), np.nan)
    first[:5, 0], second[3:9, 1] = 0.5, 0.5
    assert degrees_of_freedom([first], np.arange(12)) == 4 and degrees_of_freedom([first, second], np.arange(12)) == 8
    assert (
        degrees_of_freedom([first], np.arange(12) // 2) == degrees_of_freedom([first, second], np.arange(12) // 2) == 0
    )
    assert welch_quantile([0.0, 0.0], [4, 1], 0.95) == 0 and np.isnan(welch_quantile([np.nan, 0.1], [0, 1], 0.95))


def test_one_setting_claims_nothing_and_many_claim_a_difference_in_5_percent():
    told = compare_seeds(seeds(3)[1], seeds(3, gain=0.1, start=3)[1])
    assert told["dice"]["mean"]["verdict"] == SAME and ONE_SETTING in told["notes"]
    rng, groups, claimed = np.random.default_rng(0), np.arange(30), 0
    for _ in range(400):
        base = rng.uniform(0.4, 0.8, (30, 3))
        values = [{"dice": base + rng.normal(0, 0.02) + rng.normal(0, 0.05, base.shape)} for _ in range(6)]
        shared = SharedImages(DATASET, DATASET.foreground, groups, ["unet"] * 6, [0] * 6, False, values)
        claimed += _judge(shared, 3, "dice", [1, 2], 0.95, same=False).verdict != UNTOLD
    assert claimed / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_additional_seeds_and_images_are_estimated():
    row = compare_seeds(seeds(3, 0.05)[1], seeds(3, 0.05, gain=0.01, **OTHER)[1])["dice"]["mean"]
    assert row["verdict"] == UNTOLD and "more_images" not in row  # the seeds alone hide the difference
    assert row["more_seeds"] > 3
    few = compare_seeds(seeds(2, images=4)[1], seeds(2, images=4, **OTHER)[1])["dice"]["mean"]
    assert few["verdict"] == FEW and "low" not in few
    runs = seeds(2)[1], seeds(2, **OTHER)[1]
    for row in runs[0][0].rows:
        row |= {"dice": "", "iou": ""} if row["class"] == "cell" else {}
    told = compare_seeds(*runs)["dice"]
    assert told["classes"]["cell"]["verdict"] == FEW_SEEDS and told["classes"]["debris"]["verdict"] != FEW_SEEDS


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (seeds(1)[1], seeds(2, **OTHER)[1], ["A must be two", "one run alone: run 0"]),
        (seeds(2)[1], seeds(1, **OTHER)[1], ["B must be two"]),
        ([*seeds(2)[1], *seeds(1, start=5, **OTHER)[1]], [], ["train.lr: 0.002 (run 0), 0.002 (run 1), 0.001"]),
        ([seeds(1)[1][0], seeds(1)[1][0]], seeds(2, **OTHER)[1], ["seed 0 twice: run 0, run 0"]),
        (seeds(3)[1], seeds(2)[1], ["in A and in B", "run 0\n  run 1"]),
    ],
)  # fmt: skip
def test_runs_that_are_not_seeds_of_one_setting_are_refused(first, second, words):
    with pytest.raises(UserError) as error:
        compare_seeds(first, second)
    assert all(word in str(error.value) for word in words), error.value


def test_a_note_says_that_parameters_are_not_known():
    runs = [make_run(name, np.full((6, 3), 0.5), None) for name in "ab"]
    assert UNKNOWN in summarize_seeds(runs)["notes"]
    with pytest.raises(UserError, match="run a twice"):
        summarize_seeds([runs[0], runs[0]])


@pytest.mark.parametrize("show", [comparison_text, comparison_markdown])
def test_text_and_markdown_show_both_errors(show):
    told = compare_seeds(seeds(3)[1], seeds(3, **OTHER)[1])
    text, row = show(told), told["dice"]["mean"]
    line = next(line for line in text.splitlines() if "Dice mean" in line)
    assert all(f"± {row[key]:.4f}" in line for key in ("seeds", "images")) and row["verdict"] in line
    told = summarize_seeds(seeds(3)[1])
    text, row = show(told), told["iou"]["mean"]
    line = next(line for line in text.splitlines() if "IoU mean" in line)
    assert f"± {row['seeds']:.4f}" in line and "there are 3" in " ".join(text.split()) and "run 2" in text
