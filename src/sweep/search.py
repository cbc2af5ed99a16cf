"""The search of a sweep: Optuna suggests settings, and an experiment of DVC returns their score (ask and tell)."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from src.errors import UserError
from src.sweep.study import Study, Sweep

PROCESS, REPEATS = "process", "repeats"  # user attributes of trials
MOST_FAILURES = 3  # in a row, before any trial has a score: the cause is then hardly the settings
Trial: TypeAlias = Any  # Any: optuna.Trial or FrozenTrial, see `Study`
Run = Callable[[str, Mapping[str, str]], float | None]


def search(sweep: Sweep, trials: int, run: Run, check: Callable[[], None] = lambda: None) -> None:
    """Run experiments until a number of trials is done. A failed experiment counts as a failed trial.

    A trial that is interrupted is repeated first when the sweep continues: its training continues from its checkpoint.

    Args:
        sweep: The sweep.
        trials: Number of trials, those of earlier calls and of other processes included.
        run: Runs an experiment of this name with these settings and returns its score; None if it failed.
        check: Called before each trial; it raises `UserError` if another one would not be comparable.

    Raises:
        UserError: The first `MOST_FAILURES` experiments failed.
    """
    failures = 0
    while (trial := _ask(sweep, trials, check)) is not None:
        dice = _score(sweep, trial, f"trial {_taken(sweep.study)} of {trials}", run)
        failures = failures + 1 if dice is None else 0
        if failures == MOST_FAILURES and not sweep.scores:
            raise UserError(
                f"the first {MOST_FAILURES} experiments failed, see their messages above. After a change of the "
                "project, commit it and choose another --name; else the same command continues"
            )


def _ask(sweep: Sweep, trials: int, check: Callable[[], None]) -> Trial | None:
    """Begin a trial, unless there are enough of them."""
    with sweep.lock:
        for trial in sweep.study.trials:
            if trial.state.name == "RUNNING" and not _is_running(trial.user_attrs.get(PROCESS)):
                _repeat(sweep, trial)
        if _taken(sweep.study) >= trials:
            return None
        check()
        trial = sweep.study.ask()
        trial.set_user_attr(PROCESS, os.getpid())
        return trial


def _score(sweep: Sweep, trial: Trial, place: str, run: Run) -> float | None:
    """Run the experiment of a trial, and store its score. place: the number of the trial, in words."""
    experiment = f"{sweep.name}-{trial.number:03}"
    try:
        with sweep.lock:
            settings = {dimension.key: dimension.suggest(trial) for dimension in sweep.space}
        print(f"{place}, {experiment}: {', '.join(f'{key}={value}' for key, value in settings.items())}", flush=True)
        equal = _equal(sweep.study, trial)
        dice = run(experiment, settings) if equal is None else equal.value
    except BaseException:
        _repeat(sweep, trial)
        raise
    _tell(sweep, trial, dice)
    how = "" if equal is None else f", that of {sweep.name}-{equal.number:03}, which has the same settings"
    print(f"{experiment} failed" if dice is None else f"{experiment}: validation Dice {dice:.4f}{how}", flush=True)
    return dice


def _equal(study: Study, trial: Trial) -> Trial | None:
    """Return an earlier trial of the same settings with a score, which equal trainings would repeat."""
    same = (other for other in study.trials if other.state.name == "COMPLETE" and other.params == trial.params)
    return next(same, None)


def _tell(sweep: Sweep, trial: Trial, dice: float | None) -> bool:
    """Store the end of a trial; False if it has ended already, since another process took this one for dead."""
    with sweep.lock, suppress(ValueError):
        if dice is None:
            sweep.study.tell(trial.number, state=_failed())
        else:
            sweep.study.tell(trial.number, dice)
        return True
    return False


def _repeat(sweep: Sweep, trial: Trial) -> None:
    with sweep.lock:
        if _tell(sweep, trial, None):
            sweep.study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number})


def _taken(study: Study) -> int:
    """The number of trials that run, have a score, or failed, without those that are repeated."""
    begun = sum(trial.state.name in ("RUNNING", "COMPLETE", "FAIL") for trial in study.trials)
    return begun - sum(REPEATS in trial.user_attrs for trial in study.trials)


def _failed() -> Any:  # Any: optuna.trial.TrialState
    from optuna.trial import TrialState

    return TrialState.FAIL


def _is_running(process: int | None) -> bool:
    """Ask whether another process with this number exists."""
    if process is None or process == os.getpid():
        return False
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def summary(sweep: Sweep) -> str:
    """Describe the result: the best trial and what to do next.

    Args:
        sweep: The sweep.

    Raises:
        UserError: No trial has a score.
    """
    running = sum(trial.state.name == "RUNNING" for trial in sweep.study.trials)
    others = f"; {running} trial(s) run in other terminals" if running else ""
    scores = sweep.scores
    if not scores:
        raise UserError(f"no trial has a score, see the messages of the experiments{others}")
    best = max(scores, key=lambda number: (scores[number], -number))
    name = f"{sweep.name}-{best:03}"
    return (
        f"best of {len(scores)} trials by validation Dice: {name}, {scores[best]:.4f}{others}. The best of many looks "
        f"better than it is.\n  python -m tools.compare --all      # test scores with intervals\n"
        f"  dvc exp apply {name}         # apply its settings and results"
    )
