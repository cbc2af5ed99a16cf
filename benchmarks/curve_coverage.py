"""Coverage of the intervals of tools.learning_curve on simulated curves that follow a known power law.

A curve is drawn as trainings would measure it: images of groups that are alike, some hard for all fractions and some
for single ones, and noise of seeds. Of 100 intervals, 95 or more should hold the true gain of twice the labels, the
score that new trainings on twice the labels would have on the same images, and the true advantage of twice the labels
over twice the steps. Wide intervals do so easily, so the mean widths are printed too.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from src.learning_curve.curve import Curve, Point
from src.learning_curve.estimate import Range, estimate, predict
from tools import parser, run

SHARES = ((0.25, 0.5, 1.0), (0.125, 0.25, 0.5, 1.0), (0.0625, 0.125, 0.25, 0.5, 1.0))
ALIKE, HARD, APART = 0.08, 0.06, 0.02  # standard deviations: of groups, of images, of an image between fractions
IMAGES = 3  # of a group
LONGER = 0.01  # true gain of twice the steps


@dataclass(frozen=True)
class Law:
    """A true law, Dice(n) = 1 - floor - loss · n^-exponent, and how it is measured.

    Attributes:
        loss: What more labels could bring at n = 1.
        exponent: Of the law.
        floor: What no labels bring.
        groups: Groups of validation images.
        seeds: Trainings of each point.
        noise: Standard deviation between seeds.
    """

    loss: float
    exponent: float
    floor: float
    groups: int = 30
    seeds: int = 3
    noise: float = 0.005

    def dice(self, size: float) -> float:
        return float(1 - self.floor - self.loss * size**-self.exponent)

    @property
    def gain(self) -> float:
        return self.dice(2) - self.dice(1)

    def __str__(self) -> str:
        form = f"0.{round(100 * self.floor):02d} + {self.loss:g} n^-{self.exponent:g}"
        return f"{form}, {self.groups} groups, {self.seeds} seed(s), noise {self.noise:g}"


LAWS = (
    Law(0.2, 0.2, 0.0),
    Law(0.1, 0.5, 0.1),
    Law(0.1, 0.3, 0.2),
    Law(0.02, 1.0, 0.2),
    Law(0.005, 1.5, 0.2),
    Law(0.2, 0.05, 0.1),
    Law(0.0, 0.5, 0.3),
    Law(0.1, 0.5, 0.1, groups=6),
    Law(0.1, 0.5, 0.1, groups=100),
    Law(0.1, 0.5, 0.1, noise=0.02),
    Law(0.1, 0.5, 0.1, seeds=1),
    Law(0.1, 0.5, 0.1, seeds=2),
)


def simulate(law: Law, shares: tuple[float, ...], rng: np.random.Generator) -> tuple[Curve, float]:
    """Draw a curve, and the score of new trainings on twice the labels on the same images.

    The curve has trainings with twice the steps, which gain `LONGER`.
    """
    group = np.repeat(np.arange(law.groups), IMAGES)
    hard = (rng.normal(0, ALIKE, law.groups)[group] + rng.normal(0, HARD, len(group)))[:, None]
    tables = []
    truths = [*map(law.dice, (*shares, 2.0)), law.dice(1) + LONGER]
    for truth in truths:
        apart = rng.normal(0, APART, (len(group), 1))
        noise = rng.normal(0, law.noise, law.seeds)
        tables.append([truth + hard + apart + each for each in noise])
    *fractions, later, longer = tables
    points = [
        Point(share, 0, [round(960 * share)] * law.seeds, 100, scores)
        for share, scores in zip(shares, fractions, strict=True)
    ]
    twice = replace(points[-1], steps=200, scores=longer)
    return Curve(points, twice, range(law.seeds), [str(number) for number in group]), float(np.mean(later))


def covered(law: Law, shares: tuple[float, ...], sets: int, rng: np.random.Generator) -> dict[str, float]:
    """Simulate `sets` curves: coverage and mean width of the intervals, and the mean error of the gain."""
    held = defaultdict[str, list[float]](list)
    for number in range(sets):
        curve, later = simulate(law, shares, rng)
        found, score = estimate(curve, number), predict(curve, 2.0, number)
        ranges = {"gain": found.labels, "score": score, "advantage": found.advantage}
        truths = {"gain": law.gain, "score": later, "advantage": law.gain - LONGER}
        for name, truth in truths.items():
            low, high = ends(ranges[name])
            held[name].append(low <= truth <= high)
            held[f"{name}_width"].append(high - low)
        held["error"].append(found.labels.value - law.gain)
    return {name: float(np.mean(values)) for name, values in held.items()}


def ends(found: Range | None) -> tuple[float, float]:
    return found.bounds if found and found.bounds else (-np.inf, np.inf)


def main(arguments: argparse.Namespace) -> None:
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.sets)
    print(f"Share of {arguments.sets:,} simulated curves whose 95 % interval holds the truth, in % (± {error:.1f}):")
    print("the gain from twice the labels / the score with twice the labels / the advantage over twice the steps. Then")
    print("the mean width of the interval of the gain, and the mean error of the estimated gain.\n")
    print(f"{'1 - Dice':52}{'gain':>8}" + "".join(f"{f'{len(shares)} fractions':>42}" for shares in SHARES))
    for number, law in enumerate(LAWS):
        cells = [covered(law, shares, arguments.sets, np.random.default_rng(number)) for shares in SHARES]
        line = "".join(
            f"{100 * one['gain']:9.1f} / {100 * one['score']:5.1f} / {100 * one['advantage']:5.1f}"
            f"{one['gain_width']:7.3f}{one['error']:+10.4f}"
            for one in cells
        )
        print(f"{law!s:52}{law.gain:8.4f}{line}", flush=True)


if __name__ == "__main__":
    arguments = parser("curve_coverage", __doc__)
    arguments.prog = "python -m benchmarks.curve_coverage"
    arguments.add_argument("--sets", type=int, default=400, help="simulated curves of each law")
    run(arguments, main)
