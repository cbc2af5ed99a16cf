"""Shorten a training: when the user asks for it, after train.finish_after steps, or when validation stops improving."""

from src.archive.project import PlannedSetting, Project
from src.model.training.schedule import Schedule
from src.model.training.state import Training
from src.params import PlannedTrain

STEPS = "train.steps"
FINISH_AFTER, PATIENCE, REQUEST = "train.finish_after", "train.patience", "tools.finish"


def shorten_within_epoch(training: Training, params: PlannedTrain) -> bool:
    """Shorten the training after train.finish_after steps, or if tools.finish asks for it.

    With several machines, the request is read between epochs (`shorten_between_epochs`): all must know of it at the
    same step.

    Args:
        training: the state after a step.
        params: settings of the training.

    Returns:
        Whether the schedule has changed.
    """
    if training.shortened_after:
        return False
    if training.step == params.finish_after:
        return _shorten(training, params, FINISH_AFTER)
    if training.workers.processes == 1 and training.checkpoint.finish_requested():
        return _shorten(training, params, REQUEST)
    return False


def shorten_between_epochs(training: Training, params: PlannedTrain) -> None:
    """Shorten the training if validation has not improved for train.patience epochs, or if tools.finish asks for it.

    Args:
        training: the state after an epoch and its validation.
        params: settings of the training.
    """
    if training.shortened_after:
        return
    workers = training.workers
    requested = workers.chief and training.checkpoint.finish_requested()
    if params.patience and len(training.history) - training.best["epoch"] >= params.patience:
        _shorten(training, params, PATIENCE)
    elif workers.from_chief(b"yes" if requested else b""):
        _shorten(training, params, REQUEST)


def _shorten(training: Training, params: PlannedTrain, by: str) -> bool:
    """Shorten the training after the steps so far, and save a checkpoint, so that this is not forgotten."""
    schedule = Schedule(params, training.step)
    shorter = schedule.steps < params.steps
    if shorter:
        training.shortened_after, training.shortened_by = training.step, by
        place = f"the learning rate falls to 0, and the training ends after step {schedule.steps:,}"
        print(f"shortened after step {training.step:,} by {by}: {place} instead of {params.steps:,}", flush=True)
    else:
        print(f"not shortened by {by}: the training ends as soon as it would then", flush=True)
    if training.workers.chief:
        training.checkpoint.save(training.to_bytes)
        training.checkpoint.forget_request()
    return shorter


def describe_shortened(project: Project, schedule: Schedule) -> Project:
    """Correct the number of steps in the plan of a model file.

    Args:
        project: of the model.
        schedule: of its training.
    """
    if not schedule.shortened_after:
        return project
    why = f"{schedule.params.steps:,} were planned; shortened after step {schedule.shortened_after:,}"
    return project.model_copy(update={"plan": project.plan | {STEPS: PlannedSetting(value=schedule.steps, why=why)}})
