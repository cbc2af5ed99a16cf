"""How many steps of training fit into a time, given what a step and a validation take."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from src.params import Train
from src.plan.plan import Plan
from src.plan.rules import training as rules


@dataclass(frozen=True)
class Timing:
    """Seconds that the parts of a training take.

    Attributes:
        start: the first step and the first validated image, which build the graphs.
        step: every later step.
        validation: every later image of a validation.
    """

    start: float
    step: float
    validation: float

    def seconds(self, steps: int, epochs: int, images: int) -> float:
        """Seconds of a training.

        Args:
            steps: in all.
            epochs: each ends with a validation.
            images: in each validation.
        """
        return self.start + steps * self.step + epochs * images * self.validation

    def most_steps(self, seconds: float, validations: Callable[[int], tuple[int, int]]) -> int:
        """The largest number of steps that fits.

        Args:
            seconds: for the whole training.
            validations: number of steps → epochs, and images in each validation; neither falls when steps are added.

        Returns:
            At least one step for each epoch, even if that takes longer.
        """
        candidates = range(1, int(seconds / self.step) + 2)
        steps = bisect_right(candidates, seconds, key=lambda steps: self.seconds(steps, *validations(steps)))
        return max(steps, validations(1)[0])


@dataclass(frozen=True)
class Fitting:
    """The number of steps that fits into a time.

    Attributes:
        steps: the number.
        words: a sentence with the durations and the numbers.
    """

    steps: int
    words: str


def fitting_steps(timing: Timing, minutes: float, plan: Plan, train: Train) -> Fitting:
    """Find how many steps fit into a time with their validations.

    Args:
        timing: what was measured.
        minutes: time for training and its validations.
        plan: the plan with any number of steps.
        train: the section `train` of params.yaml: epochs and validation_images count.
    """
    facts = plan.facts

    def validations(steps: int) -> tuple[int, int]:
        pixels = steps * plan.train.batch * plan.data.crop**2
        images = (
            rules.validation_images(facts, pixels, train.epochs)[0]
            if train.validation_images == "auto"
            else train.validation_images
        )
        images = min(images, len(facts.validation_sizes))
        epochs = rules.most_epochs(facts, pixels, steps, images) if train.epochs == "auto" else train.epochs
        return epochs, images

    steps = timing.most_steps(60 * minutes, validations)
    epochs, images = validations(steps)
    durations = f"a step takes {1000 * timing.step:.0f} ms, an image of validation {1000 * timing.validation:.0f} ms"
    fit = timing.seconds(steps, epochs, images) <= 60 * minutes
    words = "fit into" if fit else "are the smallest possible number, but take longer than"
    number = f"{steps} steps and {epochs} validations of {images} image(s) {words} {minutes:.3g} minutes"
    return Fitting(steps, f"{durations}: {number}")
