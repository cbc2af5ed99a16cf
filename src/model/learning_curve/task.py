"""The trainings of a learning curve: what they share, how long they take, and how many steps fit into a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.data.store.subsets import Subset
from src.errors import UserError
from src.learning_curve.fractions import Fraction
from src.params import Params
from src.plan.plan import Plan
from src.search.trial import Cost

FEWEST_STEPS = 50  # of a training
LONGER = 2  # times the steps, in the trainings that more labels are compared with


@dataclass(frozen=True)
class Task:
    """The trainings of a learning curve.

    Attributes:
        params: The parameters.
        plan: The plan of the full data, which all trainings share.
        fractions: For each seed the fractions of the training images, ascending.
        validated: The validation images; all of them are scored.
        steps: The steps of each training.
        folder: Where finished trainings are kept.
        compare_longer: Whether all images are trained on with `LONGER` times the steps, too.
    """

    params: Params
    plan: Plan
    fractions: Mapping[int, Sequence[Fraction]]
    validated: Subset
    steps: int
    folder: Path
    compare_longer: bool = True

    @property
    def passes(self) -> int:
        """Trainings of one seed, in trainings of `steps` steps."""
        return len(next(iter(self.fractions.values()))) + LONGER * self.compare_longer

    def seconds(self, cost: Cost, steps: int) -> float:
        """Estimate how long all trainings take.

        Args:
            cost: What a step and a scored image cost.
            steps: The steps of each training.
        """
        graphs, trainings = self.passes - LONGER * self.compare_longer, self.passes - self.compare_longer
        scored = trainings * len(self.validated) * cost.image
        return len(self.fractions) * (graphs * cost.start + scored + self.passes * steps * cost.step)

    def fitted_to(self, minutes: float, cost: Cost) -> "Task":
        """Return the task with the number of steps that fits into a time.

        Args:
            minutes: The time for all trainings.
            cost: What a step and a scored image cost.

        Raises:
            UserError: Fewer than `FEWEST_STEPS` steps fit.
        """
        each = len(self.fractions) * self.passes * cost.step
        steps = int((60 * minutes - self.seconds(cost, 0)) / each)
        if steps < FEWEST_STEPS:
            needed = math.ceil(self.seconds(cost, FEWEST_STEPS) / 60)
            remedy = f"give {needed} or more, or fewer --fractions or --seeds"
            raise UserError(f"--minutes {minutes:g}: too few for trainings of {FEWEST_STEPS} steps: {remedy}")
        return replace(self, steps=steps)
