"""The whole verification: a copy, what the revision says of itself, the run, and the comparison."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.errors import UserError
from src.files import read_json
from src.reproduction.verify.claims import check_revision, read_lock
from src.reproduction.verify.compared import compare_outs, compare_scores, first_differing_stages
from src.reproduction.verify.copy import commit_of, has_uncommitted_changes, isolated_copy, reproduce
from src.reproduction.verify.environment import other_libraries
from src.reproduction.verify.tolerances import SCORES


def verify(revision: str, other_hardware: bool, tolerance: float) -> dict[str, Any]:
    """Plain values: revision, commit, hardware, notes and failures in words; after a run, outs and scores.

    outs: as from outs_compared; scores: file → as from scores_compared, on other hardware alone. Nothing is run if
    something is wrong with the revision as it stands. `UserError` if there is no such revision, or no copy of it.
    """
    commit, notes = commit_of(revision), list[str]()
    verified: dict[str, Any] = {"revision": revision, "commit": commit, "notes": notes}
    verified["hardware"] = "other" if other_hardware else "the same"
    if has_uncommitted_changes():
        notes.append("Uncommitted changes in the workspace are no part of what is verified.")
    with isolated_copy(commit) as project:
        files = SCORES if other_hardware else ()
        stages, problems = check_revision(project, files)
        if problems:
            return verified | {"failures": problems}
        if libraries := other_libraries(project / "requirements.txt"):
            notes.append(f"Other libraries are installed than the revision requires: {', '.join(libraries)}.")
        then, before = read_lock(project), _scores(project, files)
        title = f"{revision} ({commit[:12]}): {len(stages)} stage(s) run again in {project}"
        print(title, *notes, "", sep="\n", flush=True)
        if status := reproduce(project):
            return verified | {"failures": [f"the run ended with status {status}; what it printed says why"]}
        now, after = read_lock(project), _scores(project, files)
    outs = compare_outs(then, now, stages, other_hardware)
    scores = {name: compare_scores(before[name], after[name], tolerance) for name in files}
    origins = first_differing_stages(then, now, [row for row in outs if not row["ok"]])
    failures = _outs_in_words(outs, origins, other_hardware) + _scores_in_words(scores)
    return verified | {"outs": outs, "scores": scores, "failures": failures}


def _scores(project: Path, files: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for name in files:
        try:
            found[name] = read_json(project / name)
        except ValueError as error:
            raise UserError(f"{name}: not valid JSON: {error}") from None
        if not isinstance(found[name], dict):
            raise UserError(f"{name}: holds no scores by name")
    return found


def _outs_in_words(outs: list[dict[str, Any]], origins: list[str], other_hardware: bool) -> list[str]:
    wrong = [row["out"] for row in outs if not row["ok"]]
    if not wrong:
        return []
    lines = [f"{out}: differs" for out in wrong]
    lines += [f"it began in stage {stage}: it read equal files and wrote others" for stage in origins]
    if not other_hardware:
        lines.append("made on another machine, or with another number of cores? --other-hardware compares the scores")
    return lines


def _scores_in_words(scores: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    lines = []
    for file, rows in scores.items():
        for row in rows:
            if not row["ok"]:
                said = f"{row.get('then', 'missing')} then, {row.get('now', 'missing')} now"
                lines.append(f"{file}: {row['score']}: {said}, tolerance {row['limit']:.4g}")
    return lines
