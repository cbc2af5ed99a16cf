"""The search of a sweep: Optuna suggests settings, an experiment of DVC tells their score (ask and tell)."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from src.errors import UserError
from src.sweep.space import Dimension

INSTALL = "pip install -r requirements-sweep.txt"
PROCESS, REPEATS, STARTED = "process", "repeats", "started"  # user attributes of trials and of the study
Study: TypeAlias = Any  # Any: optuna.Study; Optuna is optional, so its types need not be installed
Run = Callable[[str, Mapping[str, str]], float | None]


def open_study(file: Path, started: Mapping[str, object]) -> Study:
    """Open the study that a file stores, or begin it.

    Args:
        file: Optuna's journal.
        started: What scores depend on besides the search space: plain values, which must stay the same.

    Raises:
        UserError: Optuna is not installed, or the study was started differently.
    """
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage
    except ModuleNotFoundError as error:
        raise UserError(f"Optuna is needed and not installed ({error.name} is missing): {INSTALL}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(file)))
    study = optuna.create_study(storage=storage, study_name=file.stem, direction="maximize", load_if_exists=True)
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))  # a constant would repeat draws in every call
    before = study.user_attrs.get(STARTED)
    if before is None:
        study.set_user_attr(STARTED, dict(started))
    elif differing := [key for key in started if before.get(key) != started[key]]:
        raise UserError(
            f"{file}: this sweep was started with another {' and '.join(differing)}, so that scores would not be "
            f"comparable: choose another --name, or delete the file"
        )
    return study


def search(study: Study, name: str, space: Sequence[Dimension], trials: int, run: Run) -> None:
    """Run experiments until a number of trials is done. A failed experiment counts as a failed trial.

    A trial that is interrupted is repeated first when the sweep continues: its training continues from its checkpoint.

    Args:
        study: The study.
        name: The experiments are called NAME-000, NAME-001 and so on.
        space: The search space.
        trials: Number of trials of the study, those of earlier calls included.
        run: Runs an experiment of this name with these settings; see `run_experiment`.
    """
    for trial in study.trials:
        if trial.state.name == "RUNNING" and not _is_running(trial.user_attrs.get(PROCESS)):
            _repeat(study, trial)
    while (number := _done(study)) < trials:
        trial = study.ask()
        trial.set_user_attr(PROCESS, os.getpid())
        experiment = f"{name}-{trial.number:03}"
        try:
            settings = {dimension.key: dimension.suggest(trial) for dimension in space}
            shown = ", ".join(f"{key}={value}" for key, value in settings.items())
            print(f"trial {number + 1} of {trials}, {experiment}: {shown}", flush=True)
            dice = run(experiment, settings)
        except BaseException:
            _repeat(study, trial)
            raise
        if dice is None:
            study.tell(trial.number, state=_failed())
            print(f"{experiment} failed; the sweep goes on", flush=True)
        else:
            study.tell(trial.number, dice)
            print(f"{experiment}: validation Dice {dice:.4f}", flush=True)


def summary(study: Study, name: str) -> str:
    """Describe the result: the best trial and what to do next.

    Args:
        study: The study.
        name: The name of the experiments.
    """
    scores = {trial.number: trial.value for trial in study.trials if trial.state.name == "COMPLETE"}
    if not scores:
        return "no trial has a score; the messages of the failed experiments are above"
    best = max(scores, key=lambda number: (scores[number], -number))
    return (
        f"best of {len(scores)} trials by validation Dice: {name}-{best:03}, {scores[best]:.4f}. The best of many "
        f"looks better than it is.\n  python -m tools.compare --all      # test scores with intervals\n"
        f"  dvc exp apply {name}-{best:03}         # take its settings and results over"
    )


def _done(study: Study) -> int:
    """The number of trials that have a result or failed, without those that are repeated."""
    ended = sum(trial.state.name in ("COMPLETE", "FAIL") for trial in study.trials)
    return ended - sum(REPEATS in trial.user_attrs for trial in study.trials)


def _repeat(study: Study, trial: Any) -> None:  # Any: optuna's Trial, or FrozenTrial
    study.tell(trial.number, state=_failed())
    study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number})


def _failed() -> Any:  # Any: optuna.trial.TrialState
    from optuna.trial import TrialState

    return TrialState.FAIL


def _is_running(process: int | None) -> bool:
    with suppress(ProcessLookupError):
        if process is not None and process != os.getpid():
            os.kill(process, 0)  # only asks
            return True
    return False
