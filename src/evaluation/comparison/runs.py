"""Runs, and which of them form a sweep: equal settings except split.fold or one of the two seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.data.source.dataset import Dataset
from src.errors import UserError, listing

FOLD, SEED, SPLIT_SEED, FOLDS = "split.fold", "seed", "split.seed", "split.folds"
SWEPT = (FOLD, SEED, SPLIT_SEED)  # the runs of a sweep differ in one of them
NO_EFFECT = ("report.", "evaluate.")  # settings on which no Dice or IoU of an image depends
Parameters = Mapping[str, Any]  # Any: values of params.yaml by their dotted keys, such as "train.lr" → 0.002


@dataclass(frozen=True)
class Run:
    """The results of one experiment.

    Attributes:
        name: The name of the experiment, revision or folder.
        params: Its parameters by their dotted keys; empty if they are not known.
        dataset: The resolved data set.
        rows: The rows of its scores.csv.
    """

    name: str
    params: Parameters
    dataset: Dataset
    rows: Sequence[Mapping[str, str]]


def find_sweeps(params: Mapping[str, Parameters]) -> list[list[str]]:
    """Find the sweeps among runs: two or more that differ in one of `SWEPT` alone.

    `params` is name → parameters. The result is a list of names for each sweep. If there is none, it holds the single
    runs of a cross-validation.
    """
    folded = {name: values for name, values in params.items() if values.get(FOLDS)}
    by_fold = _equal_but(folded, FOLD)
    swept = [(names, FOLD) for names in by_fold]
    swept += [(names, key) for key in (SEED, SPLIT_SEED) for names in _equal_but(params, key)]
    several = [names for names, key in swept if len({params[name].get(key) for name in names}) > 1]
    return several or by_fold


def _equal_but(params: Mapping[str, Parameters], key: str) -> list[list[str]]:
    """The names, grouped by equal parameters except `key`."""
    lists: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, values in params.items():
        others = tuple(sorted((other, repr(value)) for other, value in values.items() if other != key))
        lists.setdefault(others, []).append(name)
    return list(lists.values())


def differing(params: Sequence[Parameters]) -> list[str]:
    """Return the keys in which parameters differ, or which only some of them have."""
    keys = dict.fromkeys(key for values in params for key in values)
    return [key for key in keys if len({repr(values.get(key)) for values in params}) > 1]


def scoring_changes(params: Sequence[Parameters]) -> list[str] | None:
    """Return the `differing` keys on which Dice and IoU depend; None if the parameters of a run are not known."""
    return [key for key in differing(params) if not key.startswith(NO_EFFECT)] if all(params) else None


def order_sweep(runs: Sequence[Run]) -> tuple[str, list[Run]]:
    """Return the parameter in which the runs of a sweep differ, one of `SWEPT`, and the runs ordered by it.

    Raises:
        UserError: Other parameters or the classes differ, a fold is missing, or two runs have the same value. The
            message lists all of that.
    """
    changed = differing([run.params for run in runs])
    if len(changed) > 1 or not set(changed) <= set(SWEPT):
        lines = [f"{key}: {', '.join(f'{r.params.get(key)} ({r.name})' for r in runs)}" for key in changed]
        raise UserError(
            f"a sweep differs in {', '.join(SWEPT[:-1])} or {SWEPT[-1]} alone; these runs differ in\n{listing(lines)}"
        )
    if len({(*run.dataset.names, *run.dataset.foreground, run.dataset.overlap) for run in runs}) > 1:
        raise UserError("the runs have different classes: the data set has changed between them; repeat the older ones")
    folds = runs[0].params.get(FOLDS, 0)
    varied = changed[0] if changed else FOLD if folds else SEED
    named: dict[int, list[str]] = {fold: [] for fold in range(folds if varied == FOLD else 0)}
    for run in runs:
        named.setdefault(run.params.get(varied, 0), []).append(run.name)
    problems = [f"{varied}={value} is missing" for value, names in named.items() if not names]
    problems += [f"{varied}={value} twice: {', '.join(names)}" for value, names in named.items() if len(names) > 1]
    if len(named) < 2:
        problems.append(f"a sweep needs at least two values of {varied}")
    if problems:
        raise UserError(
            f"the runs {', '.join(run.name for run in runs)} are not a complete sweep; run what is missing (dvc exp "
            f"run --queue), remove duplicates (dvc exp remove), or name the runs to join\n{listing(problems)}"
        )
    return varied, sorted(runs, key=lambda run: run.params.get(varied, 0))
