"""Many runs are ranked: which of them cannot be told from the best, and which cannot be compared."""

from types import SimpleNamespace

import numpy as np
import pytest

from src.data.source.dataset import Dataset
from src.errors import UserError
from src.evaluation.comparison import best_of_many, comparison
from src.evaluation.comparison.best_of_many import intervals_from_best
from src.evaluation.comparison.ranking import BEST, CORRECTED, INDISTINGUISHABLE, LOWER, SELECTED, rank_runs
from src.evaluation.comparison.verdict import EQUAL, FEW
from src.evaluation.statistics import bootstrap
from src.evaluation.statistics.bootstrap import difference_interval
from src.report.text.ranking import ranking_markdown, ranking_text
from src.reproduction.history.all_runs import _unfinished
from tests.made_scores import make_run
from tests.test_comparison import made

TRIES = 100


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(comparison, "RESAMPLES", 200)


def several(gains, noise=0.01, images=24):
    """Runs `run 0` … that are better than `made` by these gains on average."""
    rng, base = np.random.default_rng(1), made(images)
    scores = [base + gain + rng.normal(0, noise, base.shape) for gain in gains]
    return [make_run(f"run {n}", own, {"train.lr": n / 10}) for n, own in enumerate(scores)]


def test_the_intervals_of_two_runs_are_those_of_their_comparison():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0.3, 0.7, (2, 30, 3))
    first[rng.random(first.shape) < 0.2] = np.nan
    groups = np.arange(30) // 2
    found = intervals_from_best([first, second], groups, 1, 500, 0)
    assert found == [difference_interval(second, first, groups, 500, 0), (0.0, 0.0)]


def test_resamples_without_a_score_do_not_count(monkeypatch):
    for module in (best_of_many, bootstrap):
        monkeypatch.setattr(module, "largest_multiplier", lambda *_: np.inf)  # the cap would hide the quantile
    rng = np.random.default_rng(3)
    first, second = rng.uniform(0.3, 0.7, (2, 10, 1))
    first[5:], second[:5] = np.nan, np.nan  # 0.2 % of the resamples lack a score
    found = intervals_from_best([first, second], np.arange(10), 1, 20000, 0)
    assert found == [difference_interval(second, first, np.arange(10), 20000, 0), (0.0, 0.0)]


def test_a_run_with_few_groups_has_no_interval_and_leaves_the_others_theirs():
    runs = list(np.random.default_rng(0).uniform(0.3, 0.7, (3, 20, 1)))
    few = np.where(np.arange(20)[:, None] < 4, 0.1, np.nan)
    found = intervals_from_best([few, *runs], np.arange(20), 2, 50, 0)
    assert found == [None, *intervals_from_best(runs, np.arange(20), 1, 50, 0)]
    assert intervals_from_best([few, *runs], np.arange(20), 0, 50, 0) == [None] * 4


def test_intervals_of_many_runs_are_wider_than_of_two_and_narrower_than_bonferronis():
    runs = np.random.default_rng(0).normal(0, 0.05, (6, 40, 2)) + 0.5
    groups = np.arange(40)

    def width(bounds):
        return bounds[1] - bounds[0]

    corrected = intervals_from_best(list(runs), groups, 0, 1000, 0)
    plain, bonferroni = (
        [difference_interval(runs[0], other, groups, 1000, 0, level=level) for other in runs[1:]]
        for level in (0.95, 0.99)
    )
    assert all(width(one) > 1.1 * width(other) for one, other in zip(corrected[1:], plain, strict=True))
    assert np.mean([*map(width, corrected[1:])]) < np.mean([*map(width, bonferroni)])


def test_the_best_run_in_truth_is_called_worse_in_5_percent_at_most():
    """All runs are equally good in truth, and the first stands for the best. Plain intervals exclude it more often."""
    rng, groups, excluded, plain = np.random.default_rng(0), np.arange(24), 0, 0
    for _ in range(TRIES):
        base = rng.uniform(0.3, 0.7, (24, 1))
        runs = [base + rng.normal(0, 0.05, base.shape) for _ in range(6)]
        best = int(np.argmax([scores.mean() for scores in runs]))
        excluded += intervals_from_best(runs, groups, best, 100, 0)[0][1] < 0
        plain += difference_interval(runs[best], runs[0], groups, 100, 0)[1] < 0
    assert excluded / TRIES < 0.05 + 2 * np.sqrt(0.05 * 0.95 / TRIES) and plain > excluded


def test_runs_are_ranked_and_those_near_the_best_are_marked():
    ranked = rank_runs(several([0.0, 0.1, 0.101]))
    rows = ranked["ranking"]
    assert set(list(rows)[:2]) == {"run 1", "run 2"} and list(rows)[2] == "run 0"
    assert [row["verdict"] for row in rows.values()] == [BEST, INDISTINGUISHABLE, LOWER]
    assert [row["rank"] for row in rows.values()] == [1, 2, 3] and rows["run 1"]["params"] == {"train.lr": "0.1"}
    last = rows["run 0"]
    assert last["score"]["low"] < last["score"]["mean"] < last["score"]["high"]
    assert last["from_best"]["low"] < last["from_best"]["difference"] < last["from_best"]["high"] < 0
    assert CORRECTED.format(runs=3) in ranked["notes"] and SELECTED.format(runs=3) in ranked["notes"]


def test_the_score_is_that_of_a_class_if_asked_for():
    runs = several([0.0, 0.1])
    for row in runs[1].rows:
        if row["class"] == "debris":
            row["dice"] = "0.1"
    assert list(rank_runs(runs)["ranking"]) == ["run 0", "run 1"]
    assert list(rank_runs(runs, "dice.cell")["ranking"]) == ["run 1", "run 0"]
    with pytest.raises(UserError, match=r"dice\.dust: no such score; scores are dice\.mean, dice\.sky, dice\.cell"):
        rank_runs(runs, "dice.dust")


def test_a_run_that_lacks_the_score_is_left_out_with_the_reason():
    scores = made()
    scores[:, 2] = np.nan
    true = np.where(np.arange(3) == 2, 0, 4)  # no debris in the truth; one run predicts it, so that its Dice is 0
    undefined = make_run("undefined", scores, true=true)
    scores = scores.copy()
    scores[:, 2] = 0
    ranked = rank_runs([undefined, make_run("false", scores, true=true)], "dice.debris")
    assert list(ranked["ranking"]) == ["false"] and "dice.debris is undefined" in ranked["left_out"]["undefined"]
    with pytest.raises(UserError, match="none of the test images"):
        rank_runs([undefined], "dice.debris")


def test_a_class_called_mean_does_not_replace_the_mean():
    dataset = Dataset(classes={0: "sky", 1: "cell", 2: "mean"}, background="sky")
    ranked = rank_runs([make_run("a", np.tile([0.9, 0.2, 0.4], (12, 1)), dataset=dataset)])
    assert ranked["ranking"]["a"]["score"]["mean"] == 0.3


def test_equal_runs_and_too_few_groups_are_not_called_worse():
    runs = several([0.0])
    again = make_run("again", np.zeros((24, 3)))
    again.rows[:] = runs[0].rows
    assert rank_runs([*runs, again])["ranking"]["again"]["verdict"] == EQUAL
    few = rank_runs(several([0.0, 0.1], images=4))
    assert few["ranking"]["run 0"]["verdict"] == FEW and CORRECTED.format(runs=2) not in few["notes"]


def test_runs_that_cannot_be_compared_are_listed_with_the_reason():
    runs = several([0.0, 0.1])
    changed, damaged = make_run("changed", made(), true=5), make_run("damaged", made())
    damaged.rows[0]["dice"] = "much"
    others = [make_run("fewer", made(20)), changed, damaged, make_run("another", made(), method="theirs")]
    ranked = rank_runs([damaged, *others[:2], *runs, *others[3:]], left_out={"lost": "no scores"}, method="unet")
    why = ranked["left_out"]
    assert set(ranked["ranking"]) == {"run 0", "run 1"} and set(why) == {
        "lost",
        "fewer",
        "changed",
        "damaged",
        "another",
    }
    assert why["fewer"] == "tests other images than run 0: 0 more, 4 fewer" and "masks of 24 shared" in why["changed"]
    assert "not as evaluate writes it" in why["damaged"] and "no method 'unet'" in why["another"]
    with pytest.raises(UserError, match=r"no run can be ranked\n  lost: no scores\n  damaged: its scores"):
        rank_runs([damaged], left_out={"lost": "no scores"})


def test_text_and_markdown_show_every_run():
    ranked = rank_runs(several([0.0, 0.1]), left_out={"<b>": "failed"})
    text, page = ranking_text(ranked), ranking_markdown(ranked)
    row = ranked["ranking"]["run 0"]
    parts = f"{row['score']['mean']:.3f}", f"{row['from_best']['difference']:+.4f}", LOWER, "0.0"
    line = next(line for line in text.splitlines() if "run 0" in line)
    assert all(part in line for part in parts) and line.startswith(" 2  run 0") and "train.lr" in text
    line = next(line for line in page.splitlines() if "run 0" in line)
    assert all(part in line for part in parts) and "  <b>: failed" in text and "&#60;b&#62;" in page
    assert max(map(len, text.splitlines())) <= 120 and "<b>" not in page


def test_experiments_that_have_not_ended_are_named_with_what_helps():
    def entry(name, baseline="abc"):
        return SimpleNamespace(name=name, baseline_rev=baseline, stash_rev="1234567890")

    queue = SimpleNamespace(
        iter_failed=lambda: [SimpleNamespace(entry=entry("broken")), SimpleNamespace(entry=entry("old", "def"))],
        iter_queued=lambda: [entry(None)],
        iter_active=lambda: [entry("now")],
    )
    repo = SimpleNamespace(experiments=SimpleNamespace(celery_queue=queue), scm=SimpleNamespace(get_rev=lambda: "abc"))
    found = dict(_unfinished(repo))
    assert set(found) == {"broken", "1234567", "now"} and "dvc queue logs broken" in found["broken"]
