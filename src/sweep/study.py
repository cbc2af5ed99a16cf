"""The study of a sweep: Optuna's journal of the trials, and what their scores depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import SEEK_END, getpid
from pathlib import Path
from typing import Any, TypeAlias

import filelock

from src.errors import UserError
from src.sweep.space import Dimension

INSTALL = "pip install -r requirements-sweep.txt"
STARTED = "started"  # user attribute of the study
DAMAGED = (ValueError, LookupError, TypeError, AttributeError, AssertionError)  # Optuna raises all of these
Study: TypeAlias = Any  # Any: optuna.Study; Optuna is optional, so its types need not be installed


@dataclass(frozen=True)
class Sweep:
    """A search that several processes may share.

    Attributes:
        study: Optuna's study; all processes see the same trials.
        lock: Only the process that holds it begins or ends trials.
        name: The experiments are called NAME-000, NAME-001 and so on.
        space: The search space.
    """

    study: Study
    lock: filelock.BaseFileLock
    name: str
    space: Sequence[Dimension]

    @property
    def scores(self) -> dict[int, float]:
        """Number → score of the trials that have one."""
        return {trial.number: trial.value for trial in self.study.trials if trial.state.name == "COMPLETE"}


def open_sweep(file: Path, started: Mapping[str, object], space: Sequence[Dimension]) -> Sweep:
    """Open the study that a file stores, or begin it.

    Args:
        file: Optuna's journal, NAME.journal.
        started: What scores depend on besides the search space: plain values, which must stay the same.
        space: The search space.

    Raises:
        UserError: Optuna is not installed, the file is damaged, or the study was started differently.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise UserError(f"Optuna is needed and not installed ({error.name} is missing): {INSTALL}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(file.with_suffix(".lock"))
    with lock:
        try:
            study = _read(file)
            before = dict(study.user_attrs.get(STARTED, started))
        except DAMAGED:
            raise UserError(f"{file}: damaged; delete it, or choose another --name") from None
        if differing := [key for key in started if before.get(key) != started[key]]:
            raise UserError(
                f"{file}: this sweep was started with another {' and '.join(differing)}, so that scores would not be "
                f"comparable: choose another --name, or delete the file"
            )
        if STARTED not in study.user_attrs:
            study.set_user_attr(STARTED, dict(started))
    # A constant seed would repeat draws in every call, and the number of trials alone in every process.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials) + getpid())
    return Sweep(study, lock, file.stem, space)


def _read(file: Path) -> Study:
    """Raise one of `DAMAGED` if the file is not a journal."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    if file.exists() and file.stat().st_size:
        with file.open("rb") as stream:
            stream.seek(-1, SEEK_END)
            if stream.read() != b"\n":  # Optuna would append to the incomplete line
                raise ValueError(file)
    storage = JournalStorage(JournalFileBackend(str(file)))
    return optuna.create_study(storage=storage, study_name=file.stem, direction="maximize", load_if_exists=True)
