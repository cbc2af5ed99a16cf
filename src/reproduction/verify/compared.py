"""A revision's dvc.lock and scores beside those of the run that repeated it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from src.files import flatten
from src.reproduction.verify.tolerances import MAY_DIFFER, tolerance_rule


def compare_outs(
    then: Mapping[str, Any], now: Mapping[str, Any], stages: Sequence[str], other_hardware: bool
) -> list[dict[str, Any]]:
    """A row for every out of these stages; then, now: stage → its entry in dvc.lock.

    same: whether the hashes are equal; ok: whether that is as it must be.
    """
    rows = []
    for stage in stages:
        before, after = _hashes(then, stage, "outs"), _hashes(now, stage, "outs")
        free = other_hardware and stage.partition("@")[0] in MAY_DIFFER
        for out in before | after:
            same = before.get(out) == after.get(out)
            rows.append({"stage": stage, "out": out, "same": same, "ok": same or free})
    return rows


def first_differing_stages(
    then: Mapping[str, Any], now: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The stages that wrote something else from equal files: there it began, the others follow."""
    stages = dict.fromkeys(row["stage"] for row in rows if not row["same"])
    return [stage for stage in stages if _hashes(then, stage, "deps") == _hashes(now, stage, "deps")]


def _hashes(lock: Mapping[str, Any], stage: str, kind: str) -> dict[str, str]:
    """path → hash; a folder's is over all that it holds."""
    entries = lock.get(stage, {}).get(kind, [])
    return {entry["path"]: str(entry.get("md5") or sorted(entry.items(), key=str)) for entry in entries}


def compare_scores(then: Mapping[str, Any], now: Mapping[str, Any], tolerance: float) -> list[dict[str, Any]]:
    """A row for every number of two nested objects, by the rules of tolerances.py.

    then and now are missing where one side has no such key; limit: how far it may be off, missing if it is not judged;
    ok: whether it is not farther off. What is no number must be equal.
    """
    before, after = flatten(then), flatten(now)
    rows: list[dict[str, Any]] = []
    for key in before | after:
        values = {name: side[key] for name, side in (("then", before), ("now", after)) if key in side}
        limit = tolerance_rule(key).limit(tolerance)
        row = {"score": key, **values} | ({} if limit is None else {"limit": limit})
        if all(isinstance(values.get(name), int | float) for name in ("then", "now")):
            row["difference"] = values["now"] - values["then"]
        rows.append(row | {"ok": limit is None or _close(row, limit)})
    return rows


def _close(row: Mapping[str, Any], limit: float) -> bool:
    if "difference" not in row:
        return "then" in row and "now" in row and bool(row["then"] == row["now"])
    off = abs(row["difference"])
    return off <= limit or math.isclose(off, limit, abs_tol=1e-9)  # files hold six decimals
