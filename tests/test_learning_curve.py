"""Learning curves: nested fractions, fits against SciPy, coverage of the intervals, and what is said about them."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import curve_fit

import src.learning_curve.estimate as estimates
from benchmarks.curve_coverage import Law, covered, simulate
from benchmarks.learning_curve import verdict
from src.data.splits.divide import split
from src.data.store.subsets import Subset, write_splits
from src.errors import UserError
from src.evaluation.statistics.group_sums import group_sums
from src.learning_curve.curve import COLUMNS, Curve, Point, counted_classes
from src.learning_curve.estimate import Range, estimate, fitted, predict
from src.learning_curve.fractions import nested_fractions
from src.learning_curve.images import read_images
from src.learning_curve.law import EXPONENTS, Laws, draw_laws
from src.learning_curve.noise import ASSUMED, Replicates, Spread, Spreads, replicate, resampled_means
from src.report.learning_curve.chart import draw_learning_curve
from src.report.learning_curve.text import answer, curve_text
from tests.test_bootstrap import loops, table
from tests.test_splits import grouped_store

SHARES = (0.25, 0.5, 1.0)


def curve_of(law, seed=0, shares=SHARES, longer=None):
    """A simulated curve; longer: the gain of twice the steps."""
    curve, _ = simulate(law, shares, np.random.default_rng(seed))
    if longer is None:
        return replace(curve, longer=None)
    last = curve.points[-1]
    return replace(curve, longer=replace(last, steps=200, scores=[scores + longer for scores in last.scores]))


@pytest.fixture
def images():
    """Twenty groups of two images, of which the last one alone holds the class rare."""
    records = [SimpleNamespace(id=f"case {n // 2}-{n}", pixels=[100, 10 + n, 5 if n >= 38 else 0]) for n in range(40)]
    dataset = SimpleNamespace(foreground=[1, 2], names=["background", "cell", "rare"])
    rows = [{"id": each.id, "group": each.id.split("-")[0]} for each in records]
    return Subset(SimpleNamespace(records=records, dataset=dataset), range(40), [row["group"] for row in rows]), rows


def test_fractions_are_nested_whole_groups_and_hold_every_class(images):
    trained, rows = images
    for seed in range(5):
        found = nested_fractions(trained, rows, (0.1, 0.35, 1.0), "classes", seed)
        assert [one.groups for one in found] == [2, 7, 20] and found[-1].images == trained.only(list(range(40)))
        for smaller, larger in pairwise(found):
            assert set(smaller.images.indices) < set(larger.images.indices)
        assert all(len(one.images) == 2 * one.groups for one in found) and "case 19" in found[0].images.groups
    again = nested_fractions(trained, rows, (0.1, 0.35, 1.0), "classes", 4)
    assert again == found != nested_fractions(trained, rows, (0.1, 0.35, 1.0), "classes", 5)


def test_fractions_that_cannot_be_drawn_are_refused(images):
    trained, rows = images
    few = trained.only(list(range(36, 40)))
    with pytest.raises(UserError, match=r"2 training group\(s\) cannot make 3 fractions"):
        nested_fractions(few, rows, SHARES, "classes", 0)
    for number, record in enumerate(trained.store.records):  # one more class of a single group
        record.pixels[:2] = [0, 9] if number < 2 else [9, 0]
    with pytest.raises(UserError, match=r"--fractions 0\.05: 1 group\(s\) .* hold no .*raise the smallest fraction"):
        nested_fractions(trained, rows, (0.05, 0.5, 1.0), "classes", 0)


def test_a_stale_split_is_refused_and_seeds_draw_other_fractions(tmp_path, params):
    store, path, wanted = grouped_store(tmp_path), tmp_path / "splits.csv", params().split
    with pytest.raises(UserError, match="there is no split yet; run `dvc repro split`"):
        read_images(store, path, wanted, SHARES, [0])
    write_splits(path, split(store, wanted, wanted.seed))
    found = read_images(store, path, wanted, SHARES, range(5))
    assert len({tuple(found.fractions[seed][0].images.indices) for seed in range(5)}) > 1
    assert all(found.fractions[seed][-1].images == found.trained for seed in range(5))
    with pytest.raises(UserError, match=r"is not what .* give now; run `dvc repro split`"):
        read_images(store, path, wanted.model_copy(update={"validation": 0.4}), SHARES, [0])


def test_classes_of_few_groups_are_left_out_by_their_names(images):
    found = counted_classes(images[0])
    assert found.columns == [0] and found.left_out == ["rare"]
    alone = counted_classes(images[0].only([38, 39]))
    assert list(alone.columns) == [0, 1] and not alone.left_out


def test_the_fit_without_noise_is_the_law_itself_and_that_of_scipy():
    sizes = np.array([0.1, 0.2, 0.4, 0.7, 1.0])
    exponent = EXPONENTS[71]
    exact = 0.8 - 0.1 * sizes**-exponent
    laws = draw_laws(sizes, exact[None], 0.0, np.random.default_rng(0))
    assert (laws.limit[0], laws.loss[0], laws.exponent[0]) == pytest.approx((0.8, 0.1, exponent))
    noisy = exact + np.random.default_rng(1).normal(0, 0.003, 5)
    fitted = draw_laws(sizes, noisy[None], 0.0, np.random.default_rng(0))
    reference, _ = curve_fit(lambda n, limit, loss, b: limit - loss * n**-b, sizes, noisy, (0.8, 0.1, 0.5))
    expected = reference[0] - reference[1] * np.array([0.5, 2.0]) ** -reference[2]
    np.testing.assert_allclose(fitted.dice(np.array([0.5, 2.0]))[0], expected, atol=5e-4)


def test_exponents_are_drawn_by_their_likelihood():
    sizes, noise = np.array([0.125, 0.25, 0.5, 1.0]), 0.01
    dice = np.tile(0.8 - 0.1 * sizes**-0.5, (4000, 1))
    drawn = draw_laws(sizes, dice, noise, np.random.default_rng(0)).exponent
    residuals = []
    for exponent in EXPONENTS:
        design = np.stack([np.ones(4), sizes**-exponent], axis=1)
        residuals.append(np.sum((dice[0] - design @ np.linalg.lstsq(design, dice[0], rcond=None)[0]) ** 2))
    likelihood = np.exp(-np.array(residuals) / (2 * noise**2))
    expected = likelihood @ EXPONENTS / likelihood.sum()
    assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / np.sqrt(4000))


@pytest.mark.parametrize("law", [Law(0.1, 0.5, 0.1), Law(0.0, 0.5, 0.2, groups=6)], ids=str)
def test_intervals_hold_the_truth_of_simulated_curves(law):
    found = covered(law, SHARES, 4, np.random.default_rng(0))  # `python -m benchmarks.curve_coverage` simulates more
    assert found["gain"] >= 0.75 and found["score"] >= 0.75 and found["advantage"] >= 0.75
    assert found["gain_width"] < 0.06 and found["score_width"] < 0.07


def test_the_noise_of_seeds_is_pooled_over_like_points_and_assumed_for_one():
    curve = curve_of(Law(0.1, 0.5, 0.1), longer=0.0)
    other = curve_of(Law(0.1, 0.5, 0.1, noise=0.05), seed=1)
    curve = replace(curve, points=[*other.points[:2], curve.points[2]])  # fractions differ more
    spreads = Spreads.of(curve)
    for found, points in ((spreads.parts, curve.columns[:2]), (spreads.whole, curve.columns[2:])):
        means = np.array([point.means for point in points])
        assert found == Spread(pytest.approx(np.sqrt(means.var(axis=1, ddof=1).mean())), 4)
    noise = spreads.draw(curve, 20_000, np.random.default_rng(0))
    middle = np.quantile(np.abs(noise), 0.5, axis=0) * np.sqrt(3) / 0.7407  # Student's t of 4 degrees of freedom
    assert middle == pytest.approx([spreads.parts.deviation] * 2 + [spreads.whole.deviation] * 2, rel=0.05)
    below = Spreads.of(replace(curve, points=curve.points[:2], longer=None))
    assert below.parts == below.whole == spreads.parts
    alone = Spreads.of(curve_of(Law(0.1, 0.5, 0.1, seeds=1)))
    assert alone.parts == alone.whole == Spread(ASSUMED, 0)
    drawn = Spread(0.01, 6).draw(100_000, 1, 4, np.random.default_rng(0))
    assert drawn.std() == pytest.approx(0.005 * np.sqrt(6 / 4), rel=0.03)  # Student's t of 6 degrees of freedom


def test_joint_resamples_draw_the_same_groups_for_all_tables():
    first, group = table(1)
    second = np.random.default_rng(0).permutation(first) ** 2
    weights = np.random.default_rng(3).multinomial(7, [1 / 7] * 7, size=50).tolist()
    expected = [[loops([one], group, drawn)[0] for one in (first, second, first)] for drawn in weights]
    tables = group_sums([first, second, first], group, [1.0] * 3)
    np.testing.assert_allclose(resampled_means(tables, 50, seed=3), expected)


def test_more_noise_and_fewer_groups_make_wider_intervals():
    def width(**changes):
        low, high = estimate(curve_of(replace(Law(0.1, 0.5, 0.1), **changes))).labels.bounds
        return high - low

    assert width(noise=0.02) > 1.5 * width() and width(groups=6) > width()


def test_what_helps_more_is_said_with_its_interval():
    told = answer(estimate(curve_of(Law(0.2, 0.5, 0.0, groups=60), longer=0.001)))
    assert told.startswith("Twice the labels: Dice +0.0") and "; twice the steps: Dice +0.001 (95 %" in told
    assert ". More labels help more: difference +0.0" in told and "includes 0" not in told
    told = answer(estimate(curve_of(Law(0.0, 0.5, 0.2), longer=0.1)))
    assert ". A longer training helps more: difference -0." in told
    assert "The interval of twice the labels includes 0" in told
    told = answer(estimate(curve_of(Law(0.0, 0.5, 0.2), longer=0.0)))
    assert ". Which helps more is not known: difference " in told


def test_too_few_groups_have_no_interval_and_notes_say_what_is_missing():
    curve = replace(curve_of(Law(0.1, 0.5, 0.1, groups=4, seeds=1), longer=0.01), left_out=["rare"])
    found = estimate(curve)
    assert found.labels.bounds is found.longer.bounds is found.advantage.bounds is None and found.labels.value > 0
    told = " ".join(curve_text(curve, found, planned=1000).split())
    for words in (
        "There are no intervals, since a class counts in fewer than 5 groups",
        "Which helps more is not known",
        "the noise of seeds is not measured but assumed (standard deviation 0.005)",
        "Left out of Dice: rare:",
        "The trainings have 100 steps, the plan has 1000.",
        "no test image is read",
    ):
        assert words in told, words
    falling = replace(
        curve, points=[replace(one, scores=curve.points[-1 - n].scores) for n, one in enumerate(curve.points)]
    )
    assert "The score did not grow" in curve_text(falling, estimate(falling), 100)
    assert "The score did not grow" not in told


def test_the_verdict_of_the_benchmark_is_on_the_last_point():
    curve = curve_of(Law(0.1, 0.5, 0.1), shares=(0.125, 0.25, 0.5, 1.0))
    words, holds = verdict(curve)
    found = predict(replace(curve, points=curve.points[:3]), 2.0)
    assert holds and f"predicted {found.value:.4f}" in words and words.endswith(": held")
    worse = replace(curve.points[3], scores=[scores - 0.1 for scores in curve.points[3].scores])
    words, holds = verdict(replace(curve, points=[*curve.points[:3], worse]))
    assert not holds and words.endswith(": not held")


def test_the_table_has_a_row_for_each_training_and_the_chart_is_drawn(tmp_path):
    curve = curve_of(Law(0.1, 0.5, 0.1, seeds=2), longer=0.01)
    rows = list(curve.rows())
    assert len(rows) == 8 and list(rows[0]) == COLUMNS
    assert [row["steps"] for row in rows] == [100] * 6 + [200] * 2 and [row["seed"] for row in rows] == [0, 1] * 4
    assert rows[0]["dice"] == pytest.approx(curve.points[0].scores[0].mean(), abs=1e-6)
    found = estimate(curve)
    assert found.band.images[[0, -1]] == pytest.approx([240, 1920])
    assert (found.band.low < found.band.middle).all() and (found.band.middle < found.band.high).all()
    draw_learning_curve(tmp_path / "chart.png", curve, found)
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_false_alarms_of_one_seed_do_not_count_for_the_others():
    """Images without the class are NaN without a false alarm, and 0 with one."""
    empty = [[np.nan] * 5, [np.nan] * 5, [0.0] * 5]
    point = Point(1.0, 10, [10] * 3, 100, [np.array([[0.8] * 10 + alarms]).T for alarms in empty])
    assert point.means == pytest.approx([0.8, 0.8, 0.8 * 10 / 15]) and point.mean == pytest.approx(0.7111, abs=1e-4)
    groups = [str(number) for number in range(15)]
    below = [replace(point, share=share) for share in (0.25, 0.5)]
    drawn = replicate(Curve([*below, point], None, [0, 1, 2], groups), np.random.default_rng(0))
    assert drawn.measured == pytest.approx([point.mean] * 3)
    assert drawn.of_groups.mean(axis=0) == pytest.approx(drawn.measured, abs=0.01)


def test_the_number_of_images_is_that_of_each_seed():
    scores = [np.array([[0.5]])] * 2
    points = [Point(0.5, 2, [20, 80], 100, scores), Point(1.0, 4, [100, 100], 100, scores)]
    curve = Curve(points, None, [0, 1], ["a"])
    assert curve.sizes == pytest.approx([0.4, 1.0])  # the geometric mean
    assert [row["images"] for row in curve.rows()] == [20, 80, 100, 100]


def test_the_bootstrap_of_few_groups_is_as_wide_as_students_interval():
    curve = curve_of(Law(0.1, 0.5, 0.1, groups=6))
    drawn = replicate(curve, np.random.default_rng(0))
    for number, point in enumerate(curve.points):
        means = np.mean(point.scores, axis=0)[:, 0].reshape(6, -1).mean(axis=1)
        expected = means.std(ddof=1) / np.sqrt(6) * 2.5706 / 1.9600  # quantiles of Student's t (5) and of the normal
        assert drawn.of_groups[:, number].std() == pytest.approx(expected, rel=0.07)


def test_exponents_are_weighted_by_the_noise_that_points_do_not_share(monkeypatch):
    rng, noises = np.random.default_rng(0), []
    dice = 0.8 + rng.normal(0, 0.1, (20_000, 1)) + rng.normal(0, 0.01, (20_000, 3))  # shared, and independent
    monkeypatch.setattr(estimates, "draw_laws", lambda sizes, dice, noise, rng: noises.append(noise))
    spreads = Spreads(Spread(0.01, 4), Spread(0.01, 4))
    fitted(curve_of(Law(0.1, 0.5, 0.1)), Replicates(dice[0], dice, dice, True, spreads), rng)
    assert noises == [pytest.approx(0.01, rel=0.03)]


def test_no_predicted_score_is_above_1():
    laws = Laws(np.array([1.3]), np.array([0.4]), np.array([1.0]))
    assert laws.dice(np.array([1.0, 2.0]))[0] == pytest.approx([0.9, 1.0])
    steep = [
        replace(one, scores=[scores + 0.16 for scores in one.scores]) for one in curve_of(Law(0.2, 0.5, 0.0)).points
    ]
    curve = replace(curve_of(Law(0.2, 0.5, 0.0)), points=steep)
    assert estimate(curve).band.high.max() <= 1 and predict(curve, 2.0).bounds[1] <= 1


def test_the_values_of_the_gains_add_up():
    found = estimate(curve_of(Law(0.1, 0.5, 0.1), longer=0.01))
    assert found.advantage.value == found.labels.value - found.longer.value
    assert found.advantage.bounds[0] < found.advantage.value < found.advantage.bounds[1]


def test_the_sign_of_a_range_is_that_of_its_whole_interval():
    signs = [Range(0.1, bounds).sign for bounds in ((0.01, 0.2), (-0.01, 0.2), (-0.3, -0.2), None)]
    assert signs == [1, 0, -1, 0]
