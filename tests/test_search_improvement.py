"""The search improves single settings: rates, flips, and sizes that grow until the device is busy."""

import math

import pytest

from src.search.candidate import RULES
from src.search.contest import FEWEST_STEPS
from src.search.outcome import table
from src.search.result import CHOSEN, SLOW
from tests.searching import Device, learning, parallel, search_on, space_of


def test_other_rates_and_flips_are_tried_with_equal_steps_even_if_the_device_is_busy(tmp_path):
    class Busy(Device):
        def train(self, candidate, given, steps, images):
            trial = super().train(candidate, given, steps, images)
            return type(trial)(**{**vars(trial), "step": trial.step * (1 + 0.1 * (len(self.trained) % 3))})

    device = Busy(space_of(searched=["train.lr", "augment.flip"]), learning(lambda settings: 0.5))
    search_on(device, tmp_path / "journal.json")
    assert len(device.trained) >= 4 and len({steps for _, steps in device.trained}) == 1


def test_one_setting_after_the_other_is_improved(tmp_path):
    def best(settings):
        return 0.5 + 0.05 * (settings.get("data.crop") == 192) + 0.05 * (settings.get("train.lr") == 0.004)

    device = Device(space_of(searched=["data.crop", "train.lr"]), learning(best))
    result = search_on(device, tmp_path / "journal.json")
    assert dict(result.chosen.settings) == {"data.crop": 192, "train.lr": 0.004}
    assert device.kept == [result.chosen]


@pytest.mark.parametrize(("key", "usual"), [("data.crop", 96), ("model.filters", 16), ("train.batch", 8)])
def test_smaller_patches_networks_and_batches_are_not_tried(tmp_path, key, usual):
    """They make more steps and lead in short trainings."""
    device = Device(space_of(searched=[key]), learning(lambda settings: 0.5))
    search_on(device, tmp_path / "journal.json")
    values = [dict(candidate.settings)[key] for candidate in device.prepared[1:]]
    assert values and min(values) > usual


def test_a_small_gain_changes_no_setting(tmp_path):
    device = Device(space_of(searched=["train.lr"]), learning(lambda settings: 0.6 + 0.005 * len(settings)), noise=0)
    assert search_on(device, tmp_path / "journal.json").chosen == RULES


def wider_is_better(settings, steps):
    return min(0.5 + 0.05 * math.log2(settings.get("model.filters", 16) / 16), 0.9) * (1 - math.exp(-steps / 60))


def test_networks_grow_until_the_device_is_busy(tmp_path):
    device = Device(space_of(searched=["model.filters"]), wider_is_better, parallel(64))
    result = search_on(device, tmp_path / "journal.json", 60)
    assert dict(result.chosen.settings)["model.filters"] >= 64
    tried = [dict(candidate.settings)["model.filters"] for candidate in device.prepared[1:]]
    assert tried[:3] == [32, 64, 128]
    assert dict(device.trained[1][0].settings)["model.filters"] == 64  # 32 is skipped


def test_networks_grow_until_memory_says_no(tmp_path):
    device = Device(space_of(searched=["model.filters"]), wider_is_better, parallel(1024, 64 * 8 * 96**2))
    result = search_on(device, tmp_path / "journal.json", 60)
    assert dict(result.chosen.settings) == {"model.filters": 64}
    assert ("the device ran out of memory" in table(result)) and result.rows[0].verdict == CHOSEN


def test_networks_do_not_grow_on_a_busy_processor(tmp_path):
    device = Device(space_of(searched=["model.filters"]), wider_is_better, lambda plan: 0.05 * plan.model.filters / 16)
    device.dice = learning(lambda settings: 0.5)
    result = search_on(device, tmp_path / "journal.json", 60)
    assert result.chosen == RULES
    assert [dict(candidate.settings)["model.filters"] for candidate, _ in device.trained[1:]] == [32]


def test_patches_and_batches_grow_with_the_device_but_not_beyond_the_images(tmp_path):
    device = Device(space_of(searched=["data.crop", "train.batch"]), lambda settings, steps: 0.5, parallel(10**6))
    search_on(device, tmp_path / "journal.json", 300)
    crops = {dict(candidate.settings).get("data.crop", 96) for candidate in device.prepared}
    assert max(crops) == 384  # the images have 480 pixels
    pixels = [plan.train.batch * plan.data.crop**2 for plan in map(device.space.plan, device.prepared)]
    assert max(pixels) <= device.space.facts.pixels


def test_a_setting_with_which_steps_take_too_long_is_not_tried(tmp_path):
    steps = lambda plan: 0.05 if plan.data.crop <= 96 else 2.0  # noqa: E731
    device = Device(space_of(searched=["data.crop"]), learning(lambda settings: 0.5), steps)
    result = search_on(device, tmp_path / "journal.json", 5)
    assert SLOW in [row.verdict for row in result.rows]
    assert all(steps >= FEWEST_STEPS for _, steps in device.trained)


def test_a_search_ends_in_time_if_building_a_candidate_takes_much_longer_than_the_others(tmp_path):
    class Slow(Device):
        def prepare(self, candidate):
            cost = super().prepare(candidate)
            self.clock.time += 200 * ("model.filters" in dict(candidate.settings))
            return type(cost)(cost.start + 200 * ("model.filters" in dict(candidate.settings)), cost.step, cost.image)

    device = Slow(space_of(searched=["model.filters", "train.lr"]), lambda *_: 0.5, parallel(64))
    began = device.clock.time
    result = search_on(device, tmp_path / "journal.json", 20)
    assert "no time to try all values of model.filters, train.lr" in table(result)
    assert not any("model.filters" in dict(candidate.settings) for candidate, _ in device.trained)
    assert device.clock.time - began <= 15 * 20 + 200  # no training after the slow building
