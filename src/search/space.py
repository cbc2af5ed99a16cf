"""The candidates of a search: which settings are searched, where it starts, and what is changed from there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

from src.errors import UserError
from src.params import Encoder, Model, Params
from src.plan.facts import Facts
from src.plan.plan import Plan
from src.search.candidate import RULES, Candidate, Value, setting_of, with_settings

RESIZE, ENCODER, CROP, FILTERS = "data.resize", "model.encoder", "data.crop", "model.filters"
BATCH, RATE, FLIP = "train.batch", "train.lr", "augment.flip"
SEARCHED = (RESIZE, ENCODER, CROP, FILTERS, BATCH, RATE, FLIP)
OF_INITIAL = (RESIZE, ENCODER, FILTERS)  # an initial network fixes these
OF_STEPS = ("train.steps", "train.epochs", "train.validation_images", "train.warmup")  # they follow from the time
FLIPS = ("both", "horizontal", "none")
PLAIN = "plain"
SMALLEST_SIDE = 96  # pixels: a patch of this side sees the whole image
PARTS = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # the median shorter side is divided by these
MOST_SIDES = 3  # reduced sizes in the start set, besides that of the rules
DIFFERENT = 1.2  # ratio of two sides below which one of them is enough
LARGEST_CROP, LARGEST_FILTERS = 4096, 1024  # as in params.py

Planner = Callable[[Params], Plan]


def searched_settings(params: Params, keep: Iterable[str], encoders: Sequence[str]) -> list[str]:
    """List the settings that are searched: those that are auto in params.yaml, without those to keep.

    model.encoder has no auto. It is searched if it is plain, the value that the project ships, and other encoders have
    a file of weights.

    Args:
        params: The parameters.
        keep: Names of settings that stay as they are.
        encoders: Encoders with weights, see `available_encoders`.

    Raises:
        UserError: A setting to keep is not one that can be searched.
    """
    if wrong := set(keep) - set(SEARCHED):
        raise UserError(f"--keep: not searched: {', '.join(sorted(wrong))}; searched are {', '.join(SEARCHED)}")
    fixed = {*keep, *(OF_INITIAL if params.train.initial != "none" else ())}
    auto = [key for key in SEARCHED if key not in fixed and setting_of(params, key) == "auto"]
    encoder = ENCODER not in fixed and params.model.encoder == PLAIN and bool(encoders)
    return [*auto, ENCODER] if encoder else auto


def available_encoders(model: Model, exists: Callable[[Path], bool] = Path.exists) -> list[str]:
    """List the encoders whose ImageNet weights are in models/initial.

    Args:
        model: The section `model` of params.yaml. There are none unless its weights are imagenet.
        exists: Tells whether there is a file.
    """
    if model.weights != "imagenet":
        return []
    found = []
    for encoder in get_args(Encoder):
        file = model.model_copy(update={"encoder": encoder}).weights_file
        if file is not None and exists(file):
            found.append(encoder)
    return found


class Space:
    """All candidates of a search.

    Attributes:
        params: The parameters, with auto for the settings that are searched.
        facts: The facts of the training.
        searched: The names of the settings that are searched.
        encoders: The encoders with weights.
    """

    def __init__(
        self, params: Params, facts: Facts, searched: Sequence[str], encoders: Sequence[str], planner: Planner
    ) -> None:
        """Prepare the candidates.

        Args:
            params: The parameters, with auto for the settings that are searched.
            facts: The facts of the training.
            searched: See `searched_settings`.
            encoders: See `available_encoders`.
            planner: Makes the plan of some parameters.
        """
        self.params, self.facts, self.searched, self.encoders = params, facts, list(searched), list(encoders)
        self._planner, self._plans = planner, dict[Candidate, Plan]()

    def plan(self, candidate: Candidate) -> Plan:
        """Return the plan of a candidate.

        Raises:
            UserError: Its settings contradict each other.
        """
        if candidate not in self._plans:
            self._plans[candidate] = self._planner(candidate.applied(self.params))
        return self._plans[candidate]

    def value(self, candidate: Candidate, key: str) -> Value:
        """Return the value that a setting has in the plan of a candidate.

        Args:
            candidate: The candidate.
            key: The name of the setting in params.yaml.
        """
        numbers = self.plan(candidate).numbers
        return numbers[key] if key in numbers else setting_of(candidate.applied(self.params), key)

    def start(self) -> list[Candidate]:
        """List the candidates that the search starts with: sizes of the images, with and without a trained encoder.

        The choice of the rules comes first. A search with little time tries the first candidates only. So the sizes
        are combined with one encoder, and the other encoders follow with the size of the rules. A smaller size is tried
        with the encoder first: it is for photographs of large objects, where an encoder helps most.

        Raises:
            UserError: The settings in params.yaml contradict each other.
        """
        self.plan(RULES)
        encoders = self.encoders if ENCODER in self.searched else []
        rules, *smaller = [RULES if side is None else RULES.changed(RESIZE, side) for side in self.sides()]

        def trained(size: Candidate, encoders: Iterable[str]) -> list[Candidate]:
            return [size.changed(ENCODER, name) for name in encoders]

        found = [rules, *trained(rules, encoders[:1])]
        for size in smaller:
            found += [*trained(size, encoders[:1]), size]
        return [candidate for candidate in [*found, *trained(rules, encoders[1:])] if self._valid(candidate)]

    def sides(self) -> list[int | None]:
        """List the sizes of images to try, best guess first; None stands for that of the rules."""
        if RESIZE not in self.searched:
            return [None]
        ruled = self.plan(RULES).data.resize
        own = self.facts.side
        parts = [round(own / part / 32) * 32 for part in PARTS]
        usable = [side for side in parts if side >= SMALLEST_SIDE]
        spread = {usable[round(at * (len(usable) - 1) / 2)] for at in range(MOST_SIDES)} if usable else set()
        known = [ruled or own]
        others = []
        for side in [*([0] if ruled else []), *sorted(spread, reverse=True)]:
            if all(_differ(side or own, other) for other in known):
                known.append(side or own)
                others.append(side)
        return [None, *others]

    def has_trained_encoder(self, candidate: Candidate) -> bool:
        """Tell whether the encoder of a candidate starts from trained weights.

        Args:
            candidate: The candidate.
        """
        return self.value(candidate, ENCODER) != PLAIN and self.params.model.weights != "none"

    def pixels(self, candidate: Candidate) -> int:
        """Return the number of pixels in the patches of a step.

        Args:
            candidate: The candidate.
        """
        plan = self.plan(candidate)
        return plan.train.batch * plan.data.crop**2

    def doubled(self, candidate: Candidate, key: str) -> Candidate | None:
        """Return the candidate with a number doubled, or None if that exceeds the data or the limits of the setting.

        Args:
            candidate: The candidate.
            key: data.crop, model.filters or train.batch.
        """
        plan = self.plan(candidate)
        wanted = candidate.changed(key, 2 * int(self.value(candidate, key)))
        if not self._valid(wanted):
            return None
        grown = self.plan(wanted)
        within = grown.model.filters <= LARGEST_FILTERS and grown.data.crop <= LARGEST_CROP
        shown = key != CROP or grown.data.crop <= max(plan.facts.side, plan.data.crop)
        filled = self.pixels(wanted) <= max(plan.facts.pixels, self.pixels(candidate))
        return wanted if within and shown and filled else None

    def variants(self, candidate: Candidate, key: str) -> Iterator[Candidate]:
        """Yield the candidate with twice and half the rate, or with other flips.

        Smaller patches, networks and batches are not tried. They make more steps in a short training and lead there,
        but fall behind later: on street photographs, patches of 96 led those of 192 by 0.11 after 18 seconds, and
        had a lower mIoU after four minutes (docs/benchmarks.md).

        Args:
            candidate: The candidate.
            key: train.lr or augment.flip.
        """
        value = self.value(candidate, key)
        if key == FLIP:
            others: list[Value] = [flip for flip in FLIPS if flip != value]
        else:
            others = [float(f"{float(value) * factor:.2g}") for factor in (2, 0.5)]
        for other in others:
            if self._valid(candidate.changed(key, other)):
                yield candidate.changed(key, other)

    def pinned(self, candidate: Candidate) -> dict[str, Value]:
        """Return the settings to write into params.yaml, so that the plan stays that of the candidate.

        These are all that were searched, and those that the rules would choose otherwise once these are fixed.
        """
        settings = {key: self.value(candidate, key) for key in self.searched}
        wanted, found = self.plan(candidate).numbers, self._planner(with_settings(self.params, settings)).numbers
        others = {key: value for key, value in wanted.items() if key not in OF_STEPS and found[key] != value}
        return settings | others

    def _valid(self, candidate: Candidate) -> bool:
        try:
            self.plan(candidate)
        except (UserError, ValueError):
            return False
        return True


def _differ(one: int, other: int) -> bool:
    return max(one, other) >= DIFFERENT * min(one, other)
