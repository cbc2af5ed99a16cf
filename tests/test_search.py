"""The search for settings: halving, time and messages, on a device whose speed and scores are given."""

import json
import math

import pytest

from src.errors import UserError
from src.search.candidate import RULES, Candidate
from src.search.halving import JUDGED
from src.search.outcome import table
from src.search.result import BEHIND, CHOSEN, DIVERGED, LATE, NO_TIME, SHORT, TIED, UNJUDGED, WITHIN
from tests.searching import Device, NotPossible, learning, parallel, search_on, space_of
from tests.test_plan import facts

SIZES = ["data.resize"]  # searched alone
LITE0 = "efficientnet_lite0"


def test_the_best_size_and_encoder_are_found(tmp_path):
    def best(settings):
        return 0.5 + 0.2 * ("model.encoder" in settings) + 0.1 * (settings.get("data.resize") == 160)

    device = Device(space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"]), learning(best))
    result = search_on(device, tmp_path / "journal.json")
    assert dict(result.chosen.settings) == {"model.encoder": LITE0, "data.resize": 160}
    assert result.rows[0].verdict == CHOSEN and result.rows[0].candidate == result.chosen
    assert not result.tied and {row.verdict for row in result.rows[1:]} <= {BEHIND, WITHIN}


@pytest.mark.parametrize("minutes", [4, 5, 8, 20, 60, 300])
@pytest.mark.parametrize(("step", "start"), [(0.01, 1), (0.05, 4), (0.3, 8), (0.9, 10)])
def test_a_search_takes_at_most_a_quarter_of_the_time(tmp_path, minutes, step, start):
    space = space_of(encoders=[LITE0, "resnet50"])
    device = Device(space, learning(lambda settings: 0.5), lambda plan: step * plan.train.batch / 8, start)
    began = device.clock.time
    search_on(device, tmp_path / "journal.json", minutes)
    assert device.clock.time - began <= 1.05 * 15 * minutes
    if minutes >= 20:
        assert device.clock.time - began >= 0.3 * 15 * minutes


def test_all_candidates_of_a_round_train_for_the_same_time_and_half_of_them_go_on(tmp_path):
    space = space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"])
    slow = lambda plan: 0.05 if plan.data.resize else 0.1  # noqa: E731
    best = learning(lambda settings: 0.4 + 0.02 * len(settings) + 0.1 * (settings.get("data.resize") == 160))
    device = Device(space, best, slow)
    result = search_on(device, tmp_path / "journal.json", 40)
    given = {}
    for record in json.loads((tmp_path / "journal.json").read_text())["measurements"]:
        if "train" in record["question"]:
            given.setdefault(record["question"]["given"], []).append(record["question"]["steps"])
    rounds = sorted(given.items())
    assert [len(steps) for _, steps in rounds] == [8, 4, 2]
    assert [seconds / rounds[0][0] for seconds, _ in rounds] == [1, 2, 4]
    for seconds, steps in rounds:
        assert {round(seconds / each, 2) for each in steps} <= {0.05, 0.1}
    assert len(result.rows) == 8


def test_what_cannot_be_told_apart_stays_with_the_rules(tmp_path):
    device = Device(space_of(searched=SIZES), learning(lambda settings: 0.6 + 0.004 * len(settings)))
    result = search_on(device, tmp_path / "journal.json")
    assert result.chosen == RULES and result.tied
    assert TIED in [row.verdict for row in result.rows]
    assert "cannot be told apart" in table(result)


def test_of_candidates_that_cannot_be_told_apart_the_cheaper_one_wins(tmp_path):
    """The rules' choice is worse here. Images of their own size take half the time."""

    class Costly(Device):
        def train(self, candidate, *arguments):
            trial = super().train(candidate, *arguments)
            return type(trial)(**{**vars(trial), "image": 0.02 if "data.resize" in dict(candidate.settings) else 0.01})

    settings = ["data.resize", "model.encoder"]
    best = learning(lambda settings: 0.7 if "model.encoder" in settings else 0.4)
    device = Costly(space_of(facts(200, 160, 160, validated=40), encoders=[LITE0, "vgg16"], searched=settings), best)
    result = search_on(device, tmp_path / "journal.json")
    assert result.chosen in [RULES.changed("model.encoder", name) for name in (LITE0, "vgg16")]
    assert result.tied and result.cost.image == 0.01


def test_finalists_that_cannot_be_told_apart_are_trained_longer(tmp_path):
    """The encoder is better from 3000 steps on; the trainings of the last round have fewer."""

    def dice(settings, steps):
        return 0.5 + 0.1 * (settings == {"model.encoder": LITE0} and steps >= 3000) - 0.2 * ("data.resize" in settings)

    space = space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"])
    device = Device(space, dice, lambda plan: 0.01)
    result = search_on(device, tmp_path / "journal.json", 20)
    assert dict(result.chosen.settings) == {"model.encoder": LITE0} and not result.tied
    assert sum(steps >= 3000 for _, steps in device.trained) == 2


ENCODERS = ["data.resize", "model.encoder"]  # searched


def plain_is_better(settings, steps):
    return 0.5 - 0.2 * ("model.encoder" in settings) - 0.2 * ("data.resize" in settings)


def test_a_short_search_compares_trained_encoders_only_with_each_other(tmp_path):
    device = Device(space_of(encoders=[LITE0], searched=ENCODERS), plain_is_better, lambda plan: 0.3)
    result = search_on(device, tmp_path / "journal.json", 20)
    assert dict(result.chosen.settings) == {"model.encoder": LITE0}
    tried = {candidate for candidate, _ in device.trained}
    encoder = RULES.changed("model.encoder", LITE0)
    assert len(tried) >= 2 and all("model.encoder" in dict(candidate.settings) for candidate in tried)
    assert {device.space.pixels(candidate) for candidate in tried} == {device.space.pixels(encoder)}
    left_out = {row.candidate for row in result.rows if row.verdict == SHORT}
    smaller = {each for each in device.space.start() if device.space.pixels(each) < device.space.pixels(encoder)}
    assert left_out == {RULES, *smaller} | {each for each in device.space.start() if "model.encoder" not in str(each)}
    assert any("model.encoder" in str(candidate) for candidate in left_out)


def test_trained_encoders_that_cannot_be_told_apart_see_what_the_rules_choose(tmp_path):
    device = Device(space_of(encoders=[LITE0], searched=ENCODERS), lambda settings, steps: 0.5, lambda plan: 0.3)
    result = search_on(device, tmp_path / "journal.json", 20)
    assert dict(result.chosen.settings) == {"model.encoder": LITE0} and result.tied


def test_a_long_search_finds_that_the_plain_encoder_is_better(tmp_path):
    device = Device(space_of(encoders=[LITE0], searched=ENCODERS), plain_is_better, lambda plan: 0.3)
    result = search_on(device, tmp_path / "journal.json", 240)
    assert result.chosen == RULES
    assert max(steps for candidate, steps in device.trained if candidate != RULES) >= JUDGED


@pytest.mark.parametrize(("minutes", "chosen"), [(40, {"model.encoder": LITE0}), (75, {})])
def test_a_trained_encoder_is_preferred_unless_longer_trials_judge_it(tmp_path, minutes, chosen):
    """In both cases the last round has fewer than 500 steps. Only in the second one there is time for longer trials."""
    device = Device(space_of(encoders=[LITE0], searched=ENCODERS), plain_is_better, lambda plan: 0.3)
    result = search_on(device, tmp_path / "journal.json", minutes)
    assert dict(result.chosen.settings) == chosen
    judged = [steps for candidate, steps in device.trained if candidate != RULES and steps >= JUDGED]
    assert bool(judged) == (not chosen)
    assert ({row.candidate: row.verdict for row in result.rows}[RULES] == UNJUDGED) == bool(chosen)


class Diverging(Device):
    """A device on which candidates with an encoder diverge after 12 steps."""

    def train(self, candidate, given, steps, images):
        trial = super().train(candidate, given, steps, images)
        failed = {"steps": 12, "scores": None} if "model.encoder" in dict(candidate.settings) else {}
        return type(trial)(**(vars(trial) | failed))


@pytest.mark.parametrize("minutes", [40, 240])
def test_a_trained_encoder_that_diverges_does_not_win(tmp_path, minutes):
    device = Diverging(space_of(encoders=[LITE0], searched=ENCODERS), plain_is_better, lambda plan: 0.1)
    assert search_on(device, tmp_path / "journal.json", minutes).chosen == RULES


def test_variants_of_a_leader_that_diverged_get_all_steps(tmp_path):
    class AtFirst(Device):
        def train(self, candidate, given, steps, images):
            trial = super().train(candidate, given, steps, images)
            return type(trial)(**(vars(trial) | ({} if candidate.settings else {"steps": 12, "scores": None})))

    device = AtFirst(space_of(searched=["train.lr"]), learning(lambda settings: 0.5))
    result = search_on(device, tmp_path / "journal.json")
    assert "train.lr" in dict(result.chosen.settings) and result.rows[0].trial.steps > 100
    assert {row.candidate: row.verdict for row in result.rows}[RULES] in (BEHIND, DIVERGED)


def test_an_encoder_alone_that_the_device_cannot_train_gives_way_to_the_rules(tmp_path):
    class Small(Device):
        def train(self, candidate, *arguments):
            if candidate.settings:
                raise NotPossible("the device ran out of memory")
            return super().train(candidate, *arguments)

    device = Small(space_of(encoders=[LITE0], searched=["model.encoder"]), plain_is_better, lambda plan: 0.3)
    assert search_on(device, tmp_path / "journal.json").chosen == RULES


@pytest.mark.parametrize(("late", "chosen"), [(0.7, True), (0.62, False)])
def test_a_slow_starter_that_will_probably_be_ahead_is_preferred(tmp_path, late, chosen):
    """It is behind in all rounds, and the gap becomes smaller in each. Only with the higher value is that enough."""

    def dice(settings, steps):
        slow = late - 2 / (steps / 5) ** 0.5 if settings == {"data.resize": 160} else 0.2
        return slow if settings else 0.65

    space = space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"])
    result = search_on(Device(space, dice, lambda plan: 0.02), tmp_path / "journal.json", 60)
    rows = {row.candidate: row for row in result.rows}
    slow = RULES.changed("data.resize", 160)
    assert (result.chosen == slow) == chosen and rows[slow].trial.dice < rows[RULES].trial.dice
    assert rows[RULES].verdict == (LATE if chosen else CHOSEN)


def test_nothing_is_built_when_the_time_is_used_up(tmp_path):
    device = Device(space_of(encoders=[LITE0]), lambda *_: 0.5, start=400)
    result = search_on(device, tmp_path / "journal.json", 20)
    assert device.prepared == [RULES] and NO_TIME in [row.verdict for row in result.rows]
    assert len({row.candidate for row in result.rows}) == len(result.rows)


def test_a_search_with_little_time_tries_the_first_candidates_only(tmp_path):
    space = space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"])
    device = Device(space, learning(lambda settings: 0.5), lambda plan: 0.01, start=8)
    result = search_on(device, tmp_path / "journal.json", 5)
    tried = {candidate for candidate, _ in device.trained}
    assert RULES in tried and 2 <= len(tried) < len(space.start())
    assert {row.candidate for row in result.rows if row.verdict == NO_TIME} == set(space.start()) - tried


def test_rules_that_the_device_cannot_carry_are_an_error(tmp_path):
    device = Device(space_of(), learning(lambda settings: 0.5), parallel(16, 1))
    with pytest.raises(UserError, match="out of memory"):
        search_on(device, tmp_path / "journal.json")


def test_a_search_in_which_every_loss_becomes_infinite_names_the_remedy(tmp_path):
    for number, searched in enumerate((["train.lr"], SIZES)):
        device = Device(space_of(searched=searched), lambda *_: math.nan)
        with pytest.raises(UserError, match=r"infinite in the trials of all \d+ candidates, .* set train\.lr"):
            search_on(device, tmp_path / f"{number}.json")


def test_scored_images_without_foreground_are_said_instead_of_a_dice(tmp_path):
    class Empty(Device):
        def train(self, *arguments):
            trial = super().train(*arguments)
            return type(trial)(**{**vars(trial), "scores": trial.scores[:, :0]})

    said = []
    device = Empty(space_of(searched=["data.resize", "train.lr"]), lambda *_: 0.5)
    result = search_on(device, tmp_path / "journal.json", said=said)
    assert result.chosen == RULES and "no scored image has foreground, so the trials tell nothing" in table(result)
    assert said and all(line.endswith(": no scored image has foreground") for line in said)
    assert "0.000" not in table(result) and "-1" not in table(result)


def test_a_candidate_whose_loss_becomes_infinite_loses(tmp_path):
    device = Device(space_of(searched=SIZES), lambda settings, steps: 0.5 if settings else math.nan)
    result = search_on(device, tmp_path / "journal.json")
    assert result.chosen != RULES and "the loss became infinite" in table(result)


def test_too_few_groups_leave_out_the_intervals(tmp_path):
    device = Device(space_of(facts(20, 480, 640, validated=3), searched=SIZES), learning(lambda settings: 0.5))
    device.images = 3
    result = search_on(device, tmp_path / "journal.json")
    assert result.images == 3 and result.chosen == RULES and "no intervals: fewer than 5 groups" in table(result)
    assert all(row.difference is None or row.difference.bounds is None for row in result.rows)


def test_a_candidate_is_shown_by_its_changes():
    assert str(Candidate()) == "as the rules choose"
    assert str(RULES.changed("train.lr", 0.1).changed("data.crop", 64)) == "data.crop 64, train.lr 0.1"


def test_a_search_in_which_no_candidate_is_left_says_why(tmp_path):
    """The rules' choice is dropped, and then the memory does not suffice for the others."""
    space = space_of(encoders=[LITE0], searched=["data.resize", "model.encoder"])

    class Full(Device):
        def train(self, candidate, given, steps, images):
            if len(self.trained) == 8:
                raise NotPossible("the device ran out of memory")
            return super().train(candidate, given, steps, images)

    device = Full(space, learning(lambda settings: 0.3 + 0.4 * bool(settings)))
    with pytest.raises(UserError, match="ran out of memory"):
        search_on(device, tmp_path / "journal.json", 40)
