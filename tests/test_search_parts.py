"""The parts of the search: candidates, comparisons, arithmetic of halving, the journal, what is written."""

import numpy as np
import pytest

from src.errors import UserError
from src.evaluation.statistics.bootstrap import difference_interval
from src.params import PlannedModel
from src.plan.initial import Initial
from src.plan.plan import plan_training
from src.search.candidate import RULES, setting_of, with_settings
from src.search.compare import SEEDS, difference, overtakes, told_apart
from src.search.halving import first_round, rounds
from src.search.journal import Journal
from src.search.outcome import Written, automatic_again
from src.search.space import available_encoders, searched_settings
from src.search.trial import Trial
from tests.conftest import changed_params
from tests.searching import AUTO, space_of
from tests.test_plan import facts


def trial(scores, given=10.0):
    return Trial(RULES, given, 100, 0.1, 0.01, np.array(scores, float))


def of_mean(mean, given, images=20):
    return trial(np.full((images, 1), mean), given)


GROUPS = [f"group {number // 2}" for number in range(20)]


def test_differences_are_paired_over_groups():
    rng = np.random.default_rng(0)
    hard, gain = rng.uniform(0, 0.6, (20, 2)), rng.normal(0.03, 0.02, (20, 2))
    first, second = trial(hard + 0.2 + gain), trial(hard + 0.2)
    found = difference(first, second, GROUPS)
    assert found.value == pytest.approx(gain.mean()) and found.better
    expected = difference_interval(second.scores, first.scores, np.array(GROUPS), 2000, 0, limits=(-np.inf, np.inf))
    assert found.bounds == expected and expected[0] < gain.mean() < expected[1]
    assert not difference(second, first, GROUPS).better
    unpaired = trial(rng.permutation(hard) + 0.2 + gain)
    assert not difference(unpaired, second, GROUPS).better  # as wide as images differ


def test_a_class_in_few_groups_has_no_part_in_the_difference():
    scores = np.random.default_rng(0).uniform(0.2, 0.8, (20, 2))
    rare = scores.copy()
    rare[6:, 1] = np.nan  # three groups
    better = difference(trial(rare + np.array([0.1, -0.05])), trial(rare), GROUPS)
    assert better.bounds == pytest.approx((0.1, 0.1)) and better.value == pytest.approx(0.1)
    rare[:, 0] = np.nan
    assert difference(trial(rare + 0.1), trial(rare), GROUPS).bounds is None


def test_without_intervals_a_difference_must_be_twice_the_noise_of_seeds():
    for gain, better in ((1.9 * SEEDS, False), (2.1 * SEEDS, True)):
        assert difference(of_mean(0.5 + gain, 10, 2), of_mean(0.5, 10, 2), ["one", "two"]).better == better


def test_differences_within_the_noise_of_seeds_are_not_told_apart():
    for gain, better in ((0.9 * SEEDS, False), (1.1 * SEEDS, True)):
        assert difference(of_mean(0.5 + gain, 10), of_mean(0.5, 10), GROUPS).better == better


@pytest.mark.parametrize(("before", "apart"), [(0.0, False), (0.005, False), (0.012, True), (0.1, True)])
def test_two_rounds_must_agree(before, apart):
    first = [of_mean(0.3 + before, 10), of_mean(0.4 + 1.2 * SEEDS, 20)]
    assert told_apart(first, [of_mean(0.3, 10), of_mean(0.4, 20)], GROUPS) == apart
    assert told_apart(first[1:], [of_mean(0.4, 20)], GROUPS)


@pytest.mark.parametrize(
    ("gaps", "horizon", "expected"),
    [
        ((0.3, 0.2, 0.1), 160, True),  # two doublings at 0.1 each
        ((0.3, 0.2, 0.1), 70, False),  # less than one
        ((0.3, 0.2, 0.1), 10**9, True),
        ((0.9, 0.7, 0.5), 10**9, True),  # three doublings at most
        ((0.9, 0.75, 0.6), 10**9, False),
        ((0.3, 0.25, 0.1), 10**9, True),
        ((0.3, 0.29, 0.1), 10**9, False),  # the smallest step counts
        ((0.1, 0.2, 0.1), 10**9, False),
        ((0.2, 0.1), 10**9, False),
    ],
)
def test_a_trend_is_continued_if_all_rounds_agree(gaps, horizon, expected):
    lengths = [10, 20, 40]
    leader = [of_mean(0.95, given) for given, _ in zip(lengths, gaps, strict=False)]
    other = [of_mean(0.95 - gap, given) for given, gap in zip(lengths, gaps, strict=False)]
    assert overtakes(leader, other, horizon) == expected


@pytest.mark.parametrize(
    ("candidates", "numbers"), [(1, [1]), (2, [2]), (3, [3, 2]), (5, [5, 3, 2]), (8, [8, 4, 2]), (9, [9, 5, 3, 2])]
)
def test_the_better_half_goes_on(candidates, numbers):
    assert rounds(candidates) == numbers
    seconds = first_round(candidates, 1000, 3)
    used = sum(number * (seconds * 2**turn + 3) for turn, number in enumerate(numbers))
    assert used == pytest.approx(1000)


def test_the_start_set_holds_the_rules_and_sizes_that_make_sense():
    def sizes(height, width, **changes):
        found = space_of(facts(60, height, width, **changes), searched=["data.resize"]).start()
        return [dict(candidate.settings).get("data.resize", "rules") for candidate in found]

    assert sizes(360, 480) == ["rules", 192, 128, 96]
    assert sizes(256, 256) == ["rules", 128, 96]
    assert sizes(128, 128) == sizes(16, 16) == ["rules"]
    assert sizes(4000, 6000) == ["rules", 1984, 512, 128]
    assert sizes(600, 800, parts={"polyp": 1 / 3}) == ["rules", 0, 288, 96]  # 144 is that of the rules


def test_sizes_are_combined_with_one_encoder_and_the_others_follow():
    space = space_of(facts(60, 256, 256), encoders=["mobilenet_v2", "vgg16"])
    found = [dict(candidate.settings) for candidate in space.start()]
    names = [(settings.get("data.resize"), settings.get("model.encoder")) for settings in found]
    assert names == [
        (None, None),
        (None, "mobilenet_v2"),
        (128, "mobilenet_v2"),
        (128, None),
        (96, "mobilenet_v2"),
        (96, None),
        (None, "vgg16"),
    ]


def test_only_automatic_settings_are_searched():
    every = changed_params(**AUTO)
    assert set(searched_settings(every, [], [])) >= {"data.resize", "data.crop", "model.filters", "train.lr"}
    assert "model.encoder" not in searched_settings(every, [], [])
    assert "model.encoder" in searched_settings(every, [], ["vgg16"])
    by_hand = changed_params(**(AUTO | {"data.crop": 64, "model.encoder": "vgg16"}))
    assert not {"data.crop", "model.encoder"} & set(searched_settings(by_hand, [], ["vgg16"]))
    assert not {"data.crop", "model.encoder"} & set(searched_settings(every, ["data.crop", "model.encoder"], ["vgg16"]))
    tuned = changed_params(**(AUTO | {"train.initial": "models/initial/a.keras"}))
    assert not {"data.resize", "model.filters", "model.encoder"} & set(searched_settings(tuned, [], ["vgg16"]))
    with pytest.raises(UserError, match=r"--keep: not searched: train\.epochs; searched are data\.resize, "):
        searched_settings(every, ["train.epochs"], [])


def test_encoders_need_a_file_of_weights():
    section = changed_params().model
    assert available_encoders(section, lambda path: False) == []
    assert available_encoders(section, lambda path: "vgg16" in path.name) == ["vgg16"]
    assert "plain" not in available_encoders(section, lambda path: True)
    assert available_encoders(section.model_copy(update={"weights": "none"}), lambda path: True) == []


@pytest.mark.parametrize("side", [50, 95, 100, 256, 333])
def test_the_plan_stays_that_of_the_candidate_when_its_settings_are_written(side):
    """With a crop that is set, the rule of the depth can come to another depth."""
    space = space_of(facts(60, side, side, validated=20))
    for candidate in space.start():
        settings = space.pinned(candidate)
        assert settings.keys() >= {"data.resize", "data.crop", "model.filters", "train.lr", "train.batch"}
        fixed = with_settings(space.params, settings)
        planned = plan_training(space.facts, fixed.data, fixed.augment, fixed.model, fixed.train)
        assert planned.numbers == space.plan(candidate).numbers


def test_an_initial_network_keeps_its_size():
    found = facts(60, 256, 256)
    fixed = type(found)(**{**vars(found), "initial": Initial(PlannedModel(filters=24, depth=3), 0)})
    assert space_of(fixed, searched=["data.crop", "train.lr"]).start() == [RULES]


class Watch:
    time = 100.0

    def __call__(self):
        return self.time


def test_the_journal_answers_what_was_asked_before_in_the_same_order(tmp_path):
    path, watch = tmp_path / "search/journal.json", Watch()
    first = Journal(path, 98.0, watch)
    assert first.measure({"a": (1,)}, lambda: {"found": 1}) == {"found": 1} and first.spent == 2
    watch.time = 105
    first.measure({"b": 2}, lambda: {"found": 2})
    watch.time = 1000
    again = Journal(path, 1000, watch)
    assert again.known == 2 and again.now == 7
    assert again.measure({"a": [1]}, lambda: pytest.fail()) == {"found": 1} and again.spent == 2
    watch.time = 1003
    assert again.measure({"c": 3}, lambda: {"found": 3}) == {"found": 3} and again.spent == 10  # another question
    assert Journal(path, 0, watch).known == 2
    again.discard()
    assert Journal(path, 0, watch).known == 0


def test_a_setting_that_a_search_wrote_is_searched_again_unless_it_was_changed_by_hand(tmp_path):
    written = Written(tmp_path / "search/written.json")
    assert written.unchanged(changed_params()) == {}
    written.remember({"train.lr": 0.001, "data.crop": 192, "model.encoder": "vgg16"})
    params = changed_params(**{"train.lr": 0.001, "data.crop": 64, "model.encoder": "vgg16"})
    found = written.unchanged(params)
    assert found == {"train.lr": 0.001, "model.encoder": "vgg16"}
    again = automatic_again(params, found)
    assert [setting_of(again, key) for key in ("train.lr", "data.crop", "model.encoder")] == ["auto", 64, "plain"]
