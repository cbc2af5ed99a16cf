"""Runs that make one sweep: the same settings but for split.fold, or but for one of the two seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.data.source.dataset import Dataset
from src.errors import UserError, listing

FOLD, SEED, SPLIT_SEED, FOLDS = "split.fold", "seed", "split.seed", "split.folds"
SWEPT = (FOLD, SEED, SPLIT_SEED)  # in one of which the runs of a sweep differ
IDLE = ("report.", "evaluate.")  # what no Dice or IoU of an image depends on
Parameters = Mapping[str, Any]  # "train.lr" → 0.002


@dataclass(frozen=True)
class Run:
    """What one experiment left behind.

    name: of the experiment, revision or folder; params: its parameters by their dotted keys, none if they are not
    known; dataset: the resolved one; rows: those of its scores.csv.
    """

    name: str
    params: Parameters
    dataset: Dataset
    rows: Sequence[Mapping[str, str]]


def find_sweeps(params: Mapping[str, Parameters]) -> list[list[str]]:
    """The names of runs that differ in one of `SWEPT` alone: a list for each such sweep of two or more.

    params: name → parameters. Where there is none, single runs of a cross-validation.
    """
    folded = {name: values for name, values in params.items() if values.get(FOLDS)}
    by_fold = _alike(folded, FOLD)
    swept = [(names, FOLD) for names in by_fold]
    swept += [(names, key) for key in (SEED, SPLIT_SEED) for names in _alike(params, key)]
    several = [names for names, key in swept if len({params[name].get(key) for name in names}) > 1]
    return several or by_fold


def _alike(params: Mapping[str, Parameters], key: str) -> list[list[str]]:
    """The names in lists of those whose parameters are equal but for `key`."""
    lists: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, values in params.items():
        others = tuple(sorted((other, repr(value)) for other, value in values.items() if other != key))
        lists.setdefault(others, []).append(name)
    return list(lists.values())


def differing(params: Sequence[Parameters]) -> list[str]:
    """The keys in which these parameters differ, or which only some of them have."""
    keys = dict.fromkeys(key for values in params for key in values)
    return [key for key in keys if len({repr(values.get(key)) for values in params}) > 1]


def scoring_changes(params: Sequence[Parameters]) -> list[str] | None:
    """The keys in which they differ and on which Dice and IoU depend; None if those of any run are not known."""
    return [key for key in differing(params) if not key.startswith(IDLE)] if all(params) else None


def order_sweep(runs: Sequence[Run]) -> tuple[str, list[Run]]:
    """The parameter in which the runs differ, one of `SWEPT`, and the runs in its order.

    `UserError` names every other parameter that differs, every fold that is missing, and every value that two runs
    have.
    """
    changed = differing([run.params for run in runs])
    if len(changed) > 1 or not set(changed) <= set(SWEPT):
        lines = [f"{key}: {', '.join(f'{r.params.get(key)} ({r.name})' for r in runs)}" for key in changed]
        raise UserError(
            f"a sweep differs in {', '.join(SWEPT[:-1])} or {SWEPT[-1]} alone; these runs do in\n{listing(lines)}"
        )
    if len({(tuple(run.dataset.names), tuple(run.dataset.foreground)) for run in runs}) > 1:
        raise UserError("the runs have different classes: the data set has changed between them; repeat the older ones")
    folds = runs[0].params.get(FOLDS, 0)
    varied = changed[0] if changed else FOLD if folds else SEED
    named: dict[int, list[str]] = {fold: [] for fold in range(folds if varied == FOLD else 0)}
    for run in runs:
        named.setdefault(run.params.get(varied, 0), []).append(run.name)
    problems = [f"{varied}={value} is missing" for value, names in named.items() if not names]
    problems += [f"{varied}={value} twice: {', '.join(names)}" for value, names in named.items() if len(names) > 1]
    if len(named) < 2:
        problems.append(f"one value of {varied} is no sweep")
    if problems:
        raise UserError(
            f"the runs {', '.join(run.name for run in runs)} are no whole sweep; run what is missing (dvc exp run "
            f"--queue), remove what is double (dvc exp remove), or name those to join\n{listing(problems)}"
        )
    return varied, sorted(runs, key=lambda run: run.params.get(varied, 0))
