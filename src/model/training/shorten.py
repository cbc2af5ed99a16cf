"""Shorten a training: when the user asks for it, after train.finish_after steps, or when validation stops improving."""

from src.archive.project import PlannedSetting, Project
from src.errors import UserError
from src.model.training.schedule import Schedule
from src.model.training.state import Training
from src.params import PlannedTrain

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

    The first machine decides for all, since validation scores can differ in the last digit between machines.

    Args:
        training: the state after an epoch and its validation.
        params: settings of the training.
    """
    if training.shortened_after:
        return
    workers, by = training.workers, ""
    if workers.chief and params.patience and len(training.history) - training.best["epoch"] >= params.patience:
        by = PATIENCE
    elif workers.chief and training.checkpoint.finish_requested():
        by = REQUEST
    by = workers.from_chief(by.encode()).decode()
    if by == REQUEST or (by and Schedule(params, training.step).steps < params.steps):
        _shorten(training, params, by)


def refuse_request(training: Training) -> None:
    """Say that a request came too late, if there is one, and forget it.

    Args:
        training: the state after all epochs.
    """
    if training.workers.chief and training.checkpoint.finish_requested():
        print(f"not shortened by {REQUEST}: the training is at its end", flush=True)
        training.checkpoint.forget_request()


def _shorten(training: Training, params: PlannedTrain, by: str) -> bool:
    """Shorten the training after the steps so far, and save a checkpoint, so that this is not forgotten."""
    schedule = Schedule(params, training.step)
    shorter = schedule.steps < params.steps
    if shorter:
        training.shortened_after, training.shortened_by = training.step, by
        place = f"the learning rate falls to 0, and the training ends after step {schedule.steps:,}"
        print(f"shortened after step {training.step:,} by {by}: {place} instead of {params.steps:,}", flush=True)
    else:
        print(f"not shortened by {by}: the planned end at step {params.steps:,} comes no later", flush=True)
    if training.workers.chief:
        training.checkpoint.save(training.to_bytes)
        training.checkpoint.forget_request()
    return shorter


def describe_shortened(project: Project, schedule: Schedule) -> Project:
    """Correct the numbers of steps and epochs in the plan of a model file.

    Args:
        project: of the model.
        schedule: of its training.
    """
    if not schedule.shortened_after:
        return project
    planned, after = schedule.params, f"shortened after step {schedule.shortened_after:,}"
    corrected = {
        "train.steps": PlannedSetting(value=schedule.steps, why=f"{planned.steps:,} were planned; {after}"),
        "train.epochs": PlannedSetting(value=schedule.epochs, why=f"{planned.epochs} were planned; {after}"),
    }
    return project.model_copy(update={"plan": project.plan | corrected})


def check_shortening(params: PlannedTrain) -> None:
    """Refuse settings that would never shorten the training.

    Args:
        params: settings of the training.

    Raises:
        UserError: train.finish_after or train.patience has no effect with the planned steps and epochs.
    """
    problems = []
    if params.finish_after and Schedule(params, params.finish_after).steps >= params.steps:
        latest = f"with train.steps {params.steps}, a tenth of it in further steps must come before the end"
        problems.append(f"train.finish_after ({params.finish_after}) has no effect: {latest}; lower it, or set 0")
    if params.patience >= params.epochs:
        problems.append(f"train.patience ({params.patience}) has no effect with train.epochs {params.epochs}: lower it")
    if problems:
        raise UserError("\n".join(problems))
