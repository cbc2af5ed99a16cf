"""Coverage of the 95 % interval of scores on simulated tests, compared with the plain percentile bootstrap.

A test is drawn from a population of segmentation scores whose true mean is known, and its interval is computed as
evaluate does. Of 100 intervals, 93 to 97 should hold the true mean. Wide intervals do so easily, so the mean widths are
printed too.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from src.evaluation.metrics.confusion import Scores, mean_over_classes
from src.evaluation.statistics.bootstrap import difference_interval, mean_interval
from tools import parser, run

SIZES = (5, 10, 20, 50)  # groups of a simulated test
RESAMPLES = 1000  # a tenth of the number in params.yaml: the ends move by some per cent of the width
MANY = 400_000  # groups from which the true mean of a population is computed, to 0.001 at worst
Draw = Callable[[np.random.Generator, int], tuple[Scores, NDArray[np.intp]]]


@dataclass(frozen=True)
class Population:
    """draw: a generator and a number of groups → scores [images, classes] and the group of each image [images].

    limits: of a score. paired: scores are [images, 2 · classes], two tables side by side, and their difference counts.
    """

    name: str
    draw: Draw
    limits: tuple[float, float] = (0.0, 1.0)
    paired: bool = False

    def truth(self, rng: np.random.Generator) -> float:
        return self.mean(self.draw(rng, MANY)[0])

    def mean(self, scores: Scores) -> float:
        tables = np.hsplit(scores, 2) if self.paired else [np.zeros((1, 1)), scores]
        first, second = (mean_over_classes(table, range(table.shape[1])) for table in tables)
        return second - first

    def interval(self, scores: Scores, groups: NDArray[np.intp], seed: int) -> tuple[float, float] | None:
        if self.paired:
            first, second = np.hsplit(scores, 2)
            return difference_interval(first, second, groups, RESAMPLES, seed)
        return mean_interval(scores, groups, RESAMPLES, seed, self.limits)

    def percentile(self, scores: Scores, groups: NDArray[np.intp], drawn: Scores) -> tuple[float, float]:
        """Return the plain percentile bootstrap; drawn: how often each group is in a resample, [resamples, groups]."""
        sums, counts = (np.zeros((drawn.shape[1], scores.shape[1])) for _ in range(2))
        np.add.at(sums, groups, np.nan_to_num(scores))
        np.add.at(counts, groups, ~np.isnan(scores))
        with np.errstate(invalid="ignore"):
            means = (drawn @ sums) / (drawn @ counts)
        means = means[~np.isnan(means).all(axis=1)]
        tables = np.hsplit(means, 2) if self.paired else [np.zeros((1, 1)), means]
        low, high = np.nanquantile(np.nanmean(tables[1], axis=1) - np.nanmean(tables[0], axis=1), [0.025, 0.975])
        return float(low), float(high)


def single(draw: Callable[[np.random.Generator, int], NDArray[np.float64]]) -> Draw:
    """Return a population of groups of one image with one class."""
    return lambda rng, groups: (draw(rng, groups)[:, None], np.arange(groups))


def with_zeros(share: float, a: float, b: float) -> Draw:
    """Return groups of one image with one class and beta(a, b) scores; this fraction of the images scores 0."""
    return single(lambda rng, groups: rng.beta(a, b, groups) * (rng.random(groups) >= share))


def grouped(middles: Sequence[float], counted: Sequence[float], images: tuple[int, int], spread: float = 1.0) -> Draw:
    """Groups of `images` (from, to) images; on the logit scale half of the variance is that of the groups.

    middles: median score of each class; counted: share of the images that count for it. Half of the groups' and of the
    images' part is common to the classes, and so to the tables of a pair.
    """

    def part(rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
        return np.asarray((rng.normal(size=(rows, 1)) + rng.normal(size=(rows, len(middles)))) * np.sqrt(spread / 4))

    def draw(rng: np.random.Generator, groups: int) -> tuple[Scores, NDArray[np.intp]]:
        group = np.repeat(np.arange(groups), rng.integers(images[0], images[1], groups, endpoint=True))
        scores = expit(logit(np.array(middles)) + part(rng, groups)[group] + part(rng, len(group)))
        return np.where(rng.random(scores.shape) < counted, scores, np.nan), group

    return draw


POPULATIONS = (
    Population("good scores, beta(8, 2)", single(lambda rng, groups: rng.beta(8, 2, groups))),
    Population("poor scores, beta(2, 5)", single(lambda rng, groups: rng.beta(2, 5, groups))),
    Population("best scores, beta(20, 1.5)", single(lambda rng, groups: rng.beta(20, 1.5, groups))),
    Population("beta(6, 2), 20 % missed", with_zeros(0.2, 6, 2)),
    Population("beta(6, 2), 30 % missed", with_zeros(0.3, 6, 2)),
    Population("three classes, one in half of 1–8 images", grouped((0.9, 0.75, 0.6), (1, 1, 0.5), (1, 8))),
    Population("groups of 4 alike images", grouped((0.85,), (1,), (4, 4))),
    Population("two classes, one in 15 % of 1–4 images", grouped((0.9, 0.6), (1, 0.15), (1, 4))),
    Population("beta(30, 1.5), 10 % missed", with_zeros(0.1, 30, 1.5)),
    Population(
        "distances, log-normal", single(lambda rng, groups: rng.lognormal(1.0, 0.6, groups)), limits=(0.0, np.inf)
    ),
    Population("pairs, no difference", grouped((0.85, 0.85), (1, 1), (1, 4)), paired=True),
    Population("pairs, 0.03 better", grouped((0.82, 0.852), (1, 1), (1, 4)), paired=True),
    Population(
        "pairs of three classes, 0.03 better",
        grouped((0.9, 0.75, 0.6, 0.92, 0.785, 0.635), (1, 0.9, 0.5, 1, 0.9, 0.5), (1, 4)),
        paired=True,
    ),
)


def covered(population: Population, truth: float, groups: int, sets: int, rng: np.random.Generator) -> dict[str, float]:
    """Simulate `sets` tests of that many groups: the coverage and the mean width of both intervals."""
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES).astype(float)
    ends: list[tuple[tuple[float, float], tuple[float, float]]] = []
    while len(ends) < sets:
        scores, group = population.draw(rng, groups)
        ours = population.interval(scores, group, len(ends))
        if ours:  # rarely, fewer than five groups count
            ends.append((ours, population.percentile(scores, group, drawn)))
    low, high = np.moveaxis(np.array(ends), -1, 0)
    held, width = ((low <= truth) & (truth <= high)).mean(axis=0), (high - low).mean(axis=0)
    return {"ours": held[0], "percentile": held[1], "width": width[0], "percentile_width": width[1]}


def main(arguments: argparse.Namespace) -> None:
    error = 100 * np.sqrt(0.95 * 0.05 / arguments.sets)
    print(f"Share of {arguments.sets:,} simulated tests whose 95 % interval holds the truth, in % (± {error:.1f}), and")
    print("mean width: of this project's interval, and after the stroke of the plain percentile bootstrap.\n")
    print(f"{'groups':40}" + "".join(f"{size:>{wide}}" for wide in (14, 15) for size in SIZES))
    for number, population in enumerate(POPULATIONS):
        rng = np.random.default_rng(number)
        truth = population.truth(rng)
        cells = [covered(population, truth, groups, arguments.sets, rng) for groups in SIZES]
        shares = [f"{100 * cell['ours']:.1f} / {100 * cell['percentile']:.1f}" for cell in cells]
        widths = [f"{cell['width']:.3f} / {cell['percentile_width']:.3f}" for cell in cells]
        line = "".join(f"{share:>14}" for share in shares) + "".join(f"{width:>15}" for width in widths)
        print(f"{population.name:40}{line}", flush=True)


if __name__ == "__main__":
    arguments = parser("coverage", __doc__)
    arguments.prog = "python -m benchmarks.coverage"
    arguments.add_argument("--sets", type=int, default=1000, help="simulated tests of each population and size")
    run(arguments, main)
