"""Training's last step: how probabilities become classes, decided on the validation images alone."""

from collections.abc import Sequence

import numpy as np

from src.data.store.subsets import FEWEST_GROUPS, Subset
from src.evaluation.metrics.confusion import Scores, held
from src.evaluation.statistics.select import Choice, Verdict, choose, unless_worse
from src.model.decisions.postprocess_search import (
    SIZES,
    TEMPERATURES,
    Seen,
    look,
    thresholds,
    try_sizes,
    try_temperatures,
)
from src.model.inference.predictor import Predictor
from src.params import Decide

LARGEST_TIDIED = 2**24  # pixels of an image for which so many sizes can be tried in seconds


def decide(
    predictor: Predictor,
    validated: Subset,
    tried: Decide,
    seed: int,
    *,
    flipped: bool = True,
) -> tuple[Predictor, dict[str, Verdict]]:
    """The predictor with what is kept of the decisions that `tried` asks for, and the verdict on each of them.

    validated: the validation images. With too few groups there is no verdict on anything.
    Mirrored copies are averaged unless validation speaks against it, or training was not `flipped` both ways; all else
    is left out unless validation speaks for it.
    """
    mirror = tried.mirror and flipped
    predictor = predictor.deciding(mirror=mirror)
    if len(set(validated.groups)) < FEWEST_GROUPS:
        mirrored = "mirrored copies are averaged; " if mirror else ""
        print(f"{mirrored}nothing is decided on fewer than {FEWEST_GROUPS} groups of validation images")
        return predictor, {}
    decisions = Deciding(predictor, validated, seed)
    seen = decisions.mirror() if mirror else decisions.look()
    if tried.temperature:
        decisions.temperature(seen)
    if tried.threshold and len(seen.scores) > 1:
        decisions.threshold(seen)
    decisions.tidying(tried)
    return decisions.predictor, decisions.verdicts


class Deciding:
    """The predictor with what was decided so far, and the verdicts: each decision is told, and the next builds on it.

    See `decide` for what it is made of.
    """

    def __init__(self, predictor: Predictor, validated: Subset, seed: int) -> None:
        self.predictor, self.validated, self.seed = predictor, validated, seed
        self.groups, self.verdicts = np.array(validated.groups), dict[str, Verdict]()
        pixels = np.array([record.pixels for record in validated.records])
        self.foreground = held(pixels, validated.store.dataset.foreground)  # the classes that Dice is taken of

    def look(self) -> Seen:
        """What the predictor gives, as decided so far."""
        return look(self.predictor, self.validated, self.foreground, self.seed)

    def mirror(self) -> Seen:
        """Stop averaging mirrored copies if that is worse; what is seen in the way that is kept."""
        mirrored, seen = self.predictor, self.look()
        self.predictor = mirrored.deciding(mirror=False)
        plain = self.look()
        if not self.tell("mirror", unless_worse(plain.usual, seen.usual, self.groups, self.seed), (0, 1), 1):
            return plain
        self.predictor = mirrored
        return seen

    def temperature(self, seen: Seen) -> None:
        """Fit it to the pixels that were sampled."""
        self.judge("temperature", try_temperatures(seen), TEMPERATURES.tolist(), len(TEMPERATURES) // 2)

    def threshold(self, seen: Seen) -> None:
        """Of two classes; at the temperature that was decided."""
        kept, levels = thresholds(self.predictor.project.decisions.temperature)
        self.judge("threshold", seen.scores[kept], levels, len(levels) // 2)

    def tidying(self, tried: Decide) -> None:
        """Small objects and holes, unless an image is so large that all sizes would take too long to try."""
        if max(record.height * record.width for record in self.validated.records) > LARGEST_TIDIED:
            print(f"min_object, fill_holes: not tried, as an image has more than {LARGEST_TIDIED:,} pixels")
            return
        dataset = self.validated.store.dataset
        if tried.min_object:
            self.judge("min_object", self.sizes(dataset.foreground, inside=False), SIZES, 0)
        if tried.fill_holes and dataset.background_index is not None:
            self.judge("fill_holes", self.sizes([dataset.background_index], inside=True), SIZES, 0)

    def sizes(self, labels: Sequence[int], *, inside: bool) -> Scores:
        """See `try_sizes`."""
        return try_sizes(self.predictor, self.validated, labels, self.foreground, inside=inside)

    def judge(self, name: str, scores: Scores, values: Sequence[float], default: int) -> None:
        """Put into force the one of `values` that the scores speak for, else the one at the place `default`."""
        value = self.tell(name, choose(scores, self.groups, default, self.seed), values, default)
        self.predictor = self.predictor.deciding(**{name: value})

    def tell(self, name: str, choice: Choice | None, values: Sequence[float], default: int) -> float:
        """What is chosen of `values`; with its verdict, which is noted and printed, unless there are too few groups."""
        if choice is None:
            few = f"a class counts in fewer than {FEWEST_GROUPS} groups of validation images"
            print(f"{name}: not decided, since {few}")
            return values[default]
        verdict = self.verdicts[name] = Verdict(values[choice.candidate], choice)
        print(verdict.words(name), flush=True)
        return verdict.value
