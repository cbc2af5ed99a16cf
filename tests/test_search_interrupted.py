"""A search that is interrupted continues from its journal and ends with the same choice."""

import json

import pytest

from src.search.candidate import RULES
from tests.searching import Device, learning, search_on, space_of

SIZES = ["data.resize"]  # searched alone


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 3, 6, 9, 12, 16])
def test_an_interrupted_search_goes_on_and_ends_with_the_same_choice(tmp_path, after):
    def best(settings):
        return 0.5 + 0.1 * (settings.get("data.resize") == 160) + 0.05 * (settings.get("train.lr") == 0.004)

    def device():
        return Device(space_of(searched=["data.resize", "train.lr"]), learning(best))

    whole = device()
    expected = search_on(whole, tmp_path / "whole.json")
    done = []

    class Interrupted(Device):
        def prepare(self, candidate):
            return self._one("prepare", super().prepare, candidate)

        def train(self, candidate, *arguments):
            return self._one("train", super().train, candidate, *arguments)

        def _one(self, name, work, *arguments):
            if len(done) == after:
                raise Stopped
            done.append((name, *arguments))
            return work(*arguments)

    stopped = Interrupted(whole.space, whole.dice)
    if after < len(whole.prepared) + len(whole.trained):
        with pytest.raises(Stopped):
            search_on(stopped, tmp_path / "journal.json")
    again = device()
    found = search_on(again, tmp_path / "journal.json")
    assert found.chosen == expected.chosen and len(found.rows) == len(expected.rows)
    assert len(again.trained) + len(again.prepared) + len(done) == len(whole.trained) + len(whole.prepared)


def test_time_before_an_interruption_counts(tmp_path):
    space = space_of(searched=["data.resize"])
    one = Device(space, learning(lambda settings: 0.5))
    search_on(one, tmp_path / "journal.json")
    again = Device(space, learning(lambda settings: 0.5))
    again.clock.time = 50.0
    search_on(again, tmp_path / "journal.json")
    assert again.trained == [] and again.clock.time == 50.0


def test_a_damaged_journal_is_not_used(tmp_path):
    path = tmp_path / "journal.json"
    device = Device(space_of(searched=SIZES), learning(lambda settings: 0.5))
    path.write_text('{"measurements": [{"que')
    assert search_on(device, path).chosen == RULES and device.trained


def test_the_journal_holds_steps_seconds_and_scores(tmp_path):
    device = Device(space_of(searched=SIZES), learning(lambda settings: 0.5))
    search_on(device, tmp_path / "journal.json")
    records = json.loads((tmp_path / "journal.json").read_text())["measurements"]
    trained = [record for record in records if "train" in record["question"]]
    assert [record["question"]["steps"] for record in trained] == [steps for _, steps in device.trained]
    assert all(len(record["answer"]["scores"]) == record["question"]["images"] for record in trained)
    spent = [record["spent"] for record in records]
    assert spent == sorted(spent) and spent[0] > 0


def test_progress_names_every_trial(tmp_path):
    device, said = Device(space_of(searched=SIZES), learning(lambda settings: 0.5)), []
    search_on(device, tmp_path / "journal.json", said=said)
    assert len(said) == len(device.trained) and "as the rules choose: Dice 0." in said[0]
