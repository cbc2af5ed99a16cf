"""A device whose speed and scores are given, for tests of the search."""

import math
import zlib
from dataclasses import dataclass, field

import numpy as np

from src.plan.plan import plan_training
from src.search.contest import Contest
from src.search.journal import Journal
from src.search.measured import Measured
from src.search.result import Budget
from src.search.search import search
from src.search.space import SEARCHED, Space
from src.search.trial import Cost, NotPossible, Trial
from tests.conftest import NUMBERS, changed_params
from tests.test_plan import facts

AUTO = dict.fromkeys(NUMBERS, "auto")


def space_of(found=None, encoders=(), searched=None, **changes):
    """All candidates for some facts."""
    params, found = changed_params(**(AUTO | changes)), found or facts(200, 480, 640, validated=40)
    wanted = list(searched or SEARCHED)

    def planner(asked):
        return plan_training(found, asked.data, asked.augment, asked.model, asked.train)

    return Space(params, found, wanted, encoders, planner)


def learning(best, slow=0.0):
    """Dice that rises with the steps; `best`: settings → Dice in the end."""
    return lambda settings, steps: best(settings) * (1 - math.exp(-steps / 60)) - slow


def parallel(width, memory=10**9):
    """A device with so many multipliers that wider networks take no longer, up to `width` filters."""

    def step(plan):
        if plan.model.filters * plan.train.batch * plan.data.crop**2 > memory:
            raise NotPossible("the device ran out of memory")
        return 0.01 * max(1.0, (plan.model.filters / width) ** 2)

    return step


class Clock:
    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@dataclass
class Device:
    """A trainer of which a test says how fast it is and how well each candidate learns.

    Attributes:
        space: All candidates.
        dice: (settings of a candidate, steps) → mean Dice.
        step: (plan of a candidate) → seconds of a step; raises NotPossible if the device cannot carry it.
        start: Seconds of building.
        images: Validation images; each is a group.
        trained: Candidates and steps, in order.
    """

    space: Space
    dice: object
    step: object = lambda plan: 0.05
    start: float = 3.0
    images: int = 40
    noise: float = 0.01
    clock: Clock = field(default_factory=Clock)
    trained: list = field(default_factory=list)
    prepared: list = field(default_factory=list)
    kept: list = field(default_factory=list)

    def prepare(self, candidate):
        self.clock.time += self.start
        self.prepared.append(candidate)
        return Cost(self.start, self.step(self.space.plan(candidate)), 0.02)

    def train(self, candidate, given, steps, images):
        plan = self.space.plan(candidate)
        step = self.step(plan)
        self.clock.time += steps * step + 0.02 * images
        self.trained.append((candidate, steps))
        mean = self.dice(dict(candidate.settings), steps)
        rng = np.random.default_rng(zlib.crc32(repr(candidate.settings).encode()))
        hard = np.random.default_rng(0).normal(0, 0.1, images)  # images are hard for all candidates
        noise = rng.normal(0, self.noise, images)
        scores = np.clip(mean + hard - hard.mean() + noise - noise.mean(), 0, 1)[:, None]
        return Trial(candidate, given, steps, step, 0.02, None if math.isnan(mean) else scores)

    def groups(self, images):
        return [f"group {number % self.images}" for number in range(images)]

    def keep(self, candidates):
        self.kept = list(candidates)


def search_on(device, path, minutes=20, said=None):
    """Run a search with a quarter of the minutes; the journal is at `path`."""
    journal = Journal(path, device.clock.time, device.clock)
    budget = Budget(15 * minutes, 45 * minutes)
    say = (said if said is not None else []).append
    return search(Contest(device.space, Measured(device, journal), budget, say))


__all__ = ["Device", "NotPossible", "search_on", "space_of"]
