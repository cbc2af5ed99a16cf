"""The trainings of folds: what they share, how long they take, and how many steps fit into a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.errors import UserError
from src.model.learning_curve.task import FEWEST_STEPS
from src.params import Params
from src.plan.plan import Plan
from src.search.trial import Cost
from src.suspects.folds import Fold


@dataclass(frozen=True)
class FoldTask:
    """The trainings of folds.

    Attributes:
        params: The parameters.
        plan: The plan of the pipeline's training, which all folds share.
        folds: The folds.
        steps: The steps of each training.
        folder: Where predictions of finished folds are kept.
    """

    params: Params
    plan: Plan
    folds: Sequence[Fold]
    steps: int
    folder: Path

    def seconds(self, cost: Cost, folds: Sequence[Fold] | None = None) -> float:
        """Estimate how long folds take.

        Args:
            cost: What a step and a scored image cost.
            folds: The folds; None: all.
        """
        counted = self.folds if folds is None else folds
        return sum(cost.start + self.steps * cost.step + len(fold.held_out) * cost.image for fold in counted)

    def fitted_to(self, minutes: float, cost: Cost) -> "FoldTask":
        """Return the task with the number of steps that fits into a time.

        Args:
            minutes: The time for all folds.
            cost: What a step and a scored image cost.

        Raises:
            UserError: Fewer than `FEWEST_STEPS` steps fit.
        """
        fixed = replace(self, steps=0).seconds(cost)
        steps = int((60 * minutes - fixed) / (len(self.folds) * cost.step))
        if steps < FEWEST_STEPS:
            needed = math.ceil(replace(self, steps=FEWEST_STEPS).seconds(cost) / 60)
            remedy = f"give {needed} or more, or fewer --folds"
            raise UserError(f"--minutes {minutes:g}: too few for trainings of {FEWEST_STEPS} steps: {remedy}")
        return replace(self, steps=steps)
