"""The dvc.lock and the scores of a revision, compared with those of the run that repeated it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from src.files import flatten
from src.reproduction.history.lock import Lock, hashes
from src.reproduction.verify.tolerances import MAY_DIFFER, tolerance_rule


@dataclass(frozen=True)
class OutRow:
    """An output of a stage, compared.

    Attributes:
        stage: Name of the stage.
        out: Path of the output.
        same: Whether the hashes are equal.
        ok: Whether they are equal or need not be.
    """

    stage: str
    out: str
    same: bool
    ok: bool


@dataclass(frozen=True)
class ScoreRow:
    """A value of a file of scores, compared.

    Attributes:
        score: Its key, joined by dots.
        then: The value at the revision; None if there is none.
        now: The value of the run; None if there is none.
        limit: By how much the two may differ; None if that is not judged.
        difference: now - then; None unless both are numbers.
        ok: Whether the difference is within the limit; other values must be equal.
    """

    score: str
    then: object
    now: object
    limit: float | None
    difference: float | None
    ok: bool


def compare_outs(then: Lock, now: Lock, stages: Sequence[str], other_hardware: bool) -> list[OutRow]:
    """Compare the hashes of all outputs.

    Args:
        then: dvc.lock of the revision.
        now: dvc.lock of the run.
        stages: Names of the stages to compare.
        other_hardware: Outputs of the stages in `MAY_DIFFER` need not be equal.
    """
    rows = []
    for stage in stages:
        before, after = _hashes(then, stage, "outs"), _hashes(now, stage, "outs")
        may_differ = other_hardware and stage.partition("@")[0] in MAY_DIFFER
        for out in before | after:
            same = before.get(out) == after.get(out)
            rows.append(OutRow(stage, out, same, same or may_differ))
    return rows


def first_differing_stages(then: Lock, now: Lock, rows: Sequence[OutRow]) -> list[str]:
    """Return the stages that wrote different outputs from equal inputs; stages after them differ as a consequence.

    Args:
        then: dvc.lock of the revision.
        now: dvc.lock of the run.
        rows: The outputs to consider.
    """
    stages = dict.fromkeys(row.stage for row in rows if not row.same)
    return [stage for stage in stages if _hashes(then, stage, "deps") == _hashes(now, stage, "deps")]


def _hashes(lock: Lock, stage: str, kind: Literal["deps", "outs"]) -> dict[str, str]:
    return hashes(lock.get(stage, {}), kind)


def compare_scores(then: Mapping[str, object], now: Mapping[str, object], tolerance: float) -> list[ScoreRow]:
    """Compare all values of two files of scores by the rules of tolerances.py.

    Args:
        then: The nested scores of the revision.
        now: The nested scores of the run.
        tolerance: By how much mean scores may differ, from 0 to 1.
    """
    before, after = flatten(then), flatten(now)
    rows = []
    for key in before | after:
        old, new = before.get(key), after.get(key)
        limit = tolerance_rule(key).limit(tolerance)
        difference = new - old if isinstance(old, int | float) and isinstance(new, int | float) else None
        ok = limit is None or _within(difference, limit) or (difference is None and old is not None and old == new)
        rows.append(ScoreRow(key, old, new, limit, difference, ok))
    return rows


def _within(difference: float | None, limit: float) -> bool:
    if difference is None:
        return False
    return abs(difference) <= limit or math.isclose(abs(difference), limit, abs_tol=1e-9)  # files hold six decimals
