"""Comparisons with a known result: verdicts, which images are compared, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from src.data.source.dataset import Dataset
from src.errors import UserError
from src.evaluation.comparison import comparison
from src.evaluation.comparison.comparison import STALE, TWO_MODELS, TWO_SEEDS, UNCHANGED, UNKNOWN, compare, judge
from src.evaluation.comparison.shared_images import SharedImages, shared_images
from src.evaluation.comparison.verdict import BETTER, EQUAL, FEW, NONE, SAME, UNTOLD, WORSE, additional_needed
from src.report.text.comparison import about
from tests.made_scores import DATASET, make_run

OTHER = {"train.lr": 0.001}


def made(images=24, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 0.8, (images, 3))


def pair(gain=0.05, noise=0.02, images=24):
    """B is better than A by about `gain` on every image."""
    first = made(images)
    second = first + gain + np.random.default_rng(1).normal(0, noise, first.shape)
    return first, second


def every_row(compared):
    return [row for m in ("dice", "iou") for row in (compared[m]["mean"], *compared[m]["classes"].values())]


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(comparison, "RESAMPLES", 1000)


@pytest.mark.parametrize(("gain", "said"), [(0.05, BETTER), (-0.05, WORSE), (0.0, UNTOLD)])
def test_the_verdict_fits_scores_with_a_known_gain(gain, said):
    first, second = pair(gain)
    if not gain:
        second[:, 1:] -= (second - first)[:, 1:].mean(axis=0) - 0.0004
    compared = compare(make_run("a", first), make_run("b", second, OTHER))
    row = compared["dice"]["mean"]
    assert row["verdict"] == said and row["low"] < row["difference"] < row["high"]
    assert all(compared[m]["classes"][c]["verdict"] == said for m in ("dice", "iou") for c in ("cell", "debris"))
    assert ("more_images" in row) == (said == UNTOLD)
    assert compared["images"] == compared["groups"] == 24 and compared["notes"][-1 - (not gain)] == TWO_MODELS
    assert compared["params"] == {"train.lr": {"first": "0.002", "second": "0.001"}}


def test_differences_equal_those_of_plain_means_with_missing_scores():
    first, second = pair()
    rng = np.random.default_rng(2)
    for scores in (first, second):  # not the same images: a class may be predicted by one alone
        scores[rng.random(scores.shape) < 0.3] = np.nan
    compared = compare(make_run("a", first), make_run("b", second, OTHER))
    means = [pd.DataFrame(scores, columns=DATASET.names).mean() for scores in (first, second)]
    for name in DATASET.names:
        row = compared["dice"]["classes"][name]
        assert [row["first"], row["second"]] == pytest.approx([m[name] for m in means], abs=2e-6)
        assert row["difference"] == pytest.approx(means[1][name] - means[0][name], abs=2e-6)
    expected = (means[1] - means[0])[["cell", "debris"]].mean()
    assert compared["dice"]["mean"]["difference"] == pytest.approx(expected, abs=2e-6)


def test_swapping_the_runs_reverses_the_result():
    first, second = (make_run(name, scores, {"train.lr": name}) for name, scores in zip("ab", pair(), strict=True))
    there, back = (every_row(compare(*runs)) for runs in ((first, second), (second, first)))
    for one, other in zip(there, back, strict=True):
        assert one["difference"] == -other["difference"] and (one["verdict"], other["verdict"]) == (BETTER, WORSE)
        assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]), abs=2e-3)


def test_pairing_finds_differences_that_are_smaller_than_the_spread():
    first = np.random.default_rng(3).uniform(0, 0.9, (20, 3))
    second = first + np.random.default_rng(4).uniform(0.01, 0.03, first.shape)
    row = compare(make_run("a", first), make_run("b", second, OTHER))["dice"]["mean"]
    assert row["verdict"] == BETTER and row["high"] - row["low"] < 0.01


def test_images_of_one_group_are_no_independent_evidence():
    rng = np.random.default_rng(5)
    first, shift = made(60), np.repeat(rng.normal(0.008, 0.02, 6), 10)[:, None]
    groups = [f"patient {number // 10}" for number in range(60)]
    widths = []
    for own in (None, groups):
        row = compare(make_run("a", first, groups=own), make_run("b", first + shift, OTHER, groups=own))["dice"]["mean"]
        widths.append(row["high"] - row["low"])
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("panels", [4, 8])
def test_two_seeds_of_one_setting_claim_nothing(panels):
    first, second = pair(0.2)
    compared = compare(make_run("a", first), make_run("b", second, {"seed": 1, "report.panels": panels}))
    assert {row["verdict"] for row in every_row(compared)} == {SAME} and TWO_SEEDS in compared["notes"]
    assert not any("more_images" in row for row in every_row(compared))
    other = compare(make_run("a", first), make_run("b", second, {"seed": 1, "split.seed": 1}))
    assert other["dice"]["mean"]["verdict"] == BETTER


def test_notes_name_unknown_and_unchanged_parameters():
    first, second = pair()
    assert UNKNOWN in compare(make_run("a", first), make_run("b", second, None))["notes"]
    assert UNKNOWN not in (notes := compare(make_run("a", first, {}), make_run("b", second, {}))["notes"])
    assert UNCHANGED in notes


def test_equal_runs_and_too_few_groups():
    first, second = pair()
    same = compare(make_run("a", first, {}), make_run("b", first, {}))
    assert {row["verdict"] for row in every_row(same)} == {EQUAL} and STALE not in same["notes"]
    assert STALE in compare(make_run("a", first), make_run("b", first, OTHER))["notes"]
    few = compare(make_run("a", first[:4], {}), make_run("b", second[:4], OTHER))
    assert {row["verdict"] for row in every_row(few)} == {FEW} and "low" not in few["dice"]["mean"]
    first[4:, 1] = second[4:, 1] = np.nan
    some = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]
    assert some["classes"]["cell"]["verdict"] == FEW and some["classes"]["debris"]["verdict"] == BETTER
    first[:, 1] = np.nan
    none = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]["classes"]["cell"]
    assert none["verdict"] == NONE and "difference" not in none and "first" not in none


def test_one_setting_of_equal_luck_claims_a_difference_in_5_percent():
    """The parameters are unknown here, so that nothing but the intervals keeps it from claiming one."""
    rng, groups, claimed = np.random.default_rng(0), np.repeat(np.arange(40), 2), 0
    for _ in range(300):
        base = rng.beta(8, 3, (80, 3))
        runs = [
            np.clip(base + rng.normal(0, 0.05, (40, 3))[groups] + rng.normal(0, 0.05, base.shape), 0, 1) for _ in "ab"
        ]
        shared = SharedImages(
            DATASET, DATASET.foreground, groups, ["unet"] * 2, [0, 0], False, [{"dice": scores} for scores in runs]
        )
        claimed += judge(shared, "dice", [1, 2], 0.95, same=False).verdict != UNTOLD
    assert claimed / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_classes_are_corrected_for_their_number_but_a_single_one_is_the_mean():
    first, second = pair()
    compared = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]
    assert compared["mean"]["level"] == 0.95 and compared["classes"]["cell"]["level"] == 0.975
    binary = Dataset(classes={0: "sky", 1: "cell"})
    runs = [make_run(n, s[:, :2], p, dataset=binary) for n, s, p in (("a", first, {}), ("b", second, OTHER))]
    assert (one := compare(*runs)["dice"])["mean"] == one["classes"]["cell"]


def test_the_additional_images_would_make_the_interval_exclude_0():
    assert additional_needed(10, 0.01, 0.02) == pytest.approx(30)  # half the width: four times as many
    assert additional_needed(10, 0.02, 0.019) == 1  # an interval that is not symmetric may hold 0 all the same
    assert additional_needed(10, 0.0, 0.02) is None and additional_needed(10, 0.01, 0.02, fixed=0.01) is None
    assert additional_needed(10, 0.05, 0.08, fixed=0.03) == pytest.approx(30)
    assert [about(value) for value in (1, 7.2, 30, 120.5, 123_456)] == [
        "1", "about 8", "30", "about 130", "more than 100,000",
    ]  # fmt: skip
    first, second = pair(0.003, 0.1)
    row = compare(make_run("a", first), make_run("b", second, OTHER))["dice"]["mean"]
    needed = 24 * ((row["high"] - row["low"]) / 2 / row["difference"]) ** 2
    assert row["more_images"] == pytest.approx(needed - 24, rel=0.01)


def test_only_shared_images_are_compared():
    first, second = pair(images=30)
    ids = [f"i{number:02}" for number in range(30)]
    a, b = make_run("a", first[:24], ids=ids[:24]), make_run("b", second[6:], OTHER, ids=ids[6:])
    compared = compare(a, b)
    assert compared["images"] == 18 and "left out are 6 of A and 6 of B" in compared["notes"][0]
    assert compared["dice"]["mean"]["first"] == pytest.approx(first[6:24, 1:].mean(), abs=2e-6)
    assert compared["dice"]["mean"]["second"] == pytest.approx(second[6:24, 1:].mean(), abs=2e-6)
    with pytest.raises(UserError, match=r"share none\n  a: 6 images, such as 'i00'\n  b: 24 images"):
        compare(make_run("a", first[:6], ids=ids[:6]), b)


def test_changed_masks_are_refused_and_listed():
    first, second = pair()
    true = np.full(first.shape, 4)
    true[3, 1], true[5, 2] = 7, 0
    with pytest.raises(UserError, match="masks of 2 shared") as error:
        compare(make_run("a", first), make_run("b", second, OTHER, true=true))
    assert "image 003, cell: 4, 7" in str(error.value) and "image 005, debris: 4, 0" in str(error.value)


def test_classes_are_matched_by_name():
    first, second = pair()
    turned = Dataset(classes={0: "debris", 1: "sky", 2: "cell"}, background="sky")
    straight = compare(make_run("a", first), make_run("b", second, OTHER))
    assert straight == compare(make_run("a", first), make_run("b", second[:, [2, 0, 1]], OTHER, dataset=turned))
    for other in (
        Dataset(classes={0: "sky", 1: "cell", 2: "dust"}, background="sky"),
        Dataset(classes=DATASET.classes),
    ):
        with pytest.raises(UserError, match="different classes") as error:
            compare(make_run("a", first), make_run("b", second, OTHER, dataset=other))
        assert "a: cell, debris, sky; left out of means: sky\n  b: cell, d" in str(error.value)


def test_overlapping_classes_are_compared_with_each_other_alone():
    first, second = pair()
    kinds = [Dataset(classes=DATASET.classes, background="none", overlap=overlap) for overlap in (False, True)]
    apart, together = (make_run(name, first, dataset=kind) for name, kind in zip("ab", kinds, strict=True))
    with pytest.raises(UserError, match=r"different classes.*\n.*\n  b: .*; they overlap; left out of means: none"):
        compare(apart, together)
    assert compare(together, make_run("c", second, OTHER, dataset=kinds[1]))["dice"]["mean"]["verdict"] == BETTER


def test_images_that_share_a_group_in_either_are_one_group():
    first, second = pair(images=6)
    a = make_run("a", first, groups=list("aabbcc"))
    assert shared_images([a, make_run("b", second, groups=list("xxyyzz"))]).regrouped is False
    shared = shared_images([a, make_run("b", second, groups=list("xyyzww"))])
    assert shared.regrouped and pd.factorize(shared.groups)[0].tolist() == [0, 0, 0, 0, 1, 1]
    told = compare(a, make_run("b", second, OTHER, groups=list("xyyzww")))
    assert told["groups"] == 2 and any("group these images differently" in note for note in told["notes"])


def test_the_method_is_the_named_one_or_the_only_one():
    first, second = pair()
    a, b = make_run("a", first), make_run("b", second, OTHER, method="theirs")
    assert [compare(a, b)[side]["method"] for side in ("first", "second")] == ["unet", "theirs"]
    both = make_run("a", first)
    both.rows.extend(make_run("a", second, method="colour").rows)
    assert compare(both, b)["first"]["method"] == "unet"
    gain = compare(both, make_run("b", second, OTHER, method="colour"), "colour")["dice"]["mean"]
    assert gain["verdict"] == EQUAL
    with pytest.raises(UserError, match=r"no method 'colour'; methods of each run:\n  b: theirs"):
        compare(both, b, "colour")
    b.rows.extend(make_run("b", second, method="third").rows)
    with pytest.raises(UserError, match=r"choose by --method; methods of each run:\n  b: theirs, third"):
        compare(a, b)


def test_an_invalid_table_is_refused_with_every_row():
    run = make_run("a", made(4))
    spoilt = [("dice", "1.5"), ("iou", "much"), ("true", "-1"), ("class", "dust"), ("group", "x"), ("id", "\x1b[")]
    for number, (key, value) in enumerate(spoilt):
        run.rows[number][key] = value
    with pytest.raises(UserError) as error:
        shared_images([run, run])
    said = str(error.value)
    for words in (
        "row 2: dice is '1.5'",
        "row 3: iou is 'much'",
        "row 4: true is '-1'",
        "row 5: not a class of",
        "in group",
        "\\x1b",
    ):
        assert words in said
    assert "\x1b" not in said
    short = make_run("a", made(4))
    del short.rows[3]
    short.rows.append(dict(short.rows[0]))
    with pytest.raises(UserError) as error:
        shared_images([short, short])
    assert "unet, image 000, sky: 2 rows" in str(error.value) and "unet, image 001, sky: 0 rows" in str(error.value)
    for row in short.rows:
        del row["true"], row["iou"]
    with pytest.raises(UserError, match="no column true\n  no column iou"):
        shared_images([short, short])
