"""The verification of a revision: copy it, check what it states of itself, run it again, and compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from src.errors import UserError
from src.files import read_json
from src.reproduction.history.lock import read_lock
from src.reproduction.verify.claims import check_revision, shortened_otherwise
from src.reproduction.verify.compared import OutRow, ScoreRow, compare_outs, compare_scores, first_differing_stages
from src.reproduction.verify.copy import commit_of, has_uncommitted_changes, isolated_copy, reproduce
from src.reproduction.verify.environment import other_libraries
from src.reproduction.verify.tolerances import SCORES


@dataclass(frozen=True)
class Verified:
    """The outcome of a verification.

    Attributes:
        revision: The revision as it was named.
        commit: Its commit.
        hardware: "the same" or "other".
        notes: What a reader must know, in words.
        failures: What is wrong, in words; empty if the revision is reproduced.
        outs: The compared outputs; None if the pipeline was not run to its end.
        scores: File → its compared scores, on other hardware only.
    """

    revision: str
    commit: str
    hardware: str
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    outs: list[OutRow] | None = None
    scores: dict[str, list[ScoreRow]] = field(default_factory=dict)


def verify(revision: str, other_hardware: bool, tolerance: float) -> Verified:
    """Verify a revision in a temporary copy. The pipeline is not run if something is wrong with the revision already.

    Args:
        revision: A branch, a tag, a commit or an experiment.
        other_hardware: It was made on other hardware, so scores are compared within tolerances.
        tolerance: By how much mean scores may then differ, from 0 to 1.

    Raises:
        UserError: There is no such revision, or it cannot be copied.
    """
    verified = Verified(revision, commit_of(revision), "other" if other_hardware else "the same")
    if has_uncommitted_changes():
        verified.notes.append("Uncommitted changes in the workspace are no part of what is verified.")
    with isolated_copy(verified.commit) as project:
        files = SCORES if other_hardware else ()
        stages, problems = check_revision(project, files)
        problems += shortened_otherwise(project, other_hardware)
        if problems:
            return replace(verified, failures=problems)
        if libraries := other_libraries(project / "requirements.txt"):
            verified.notes.append(f"Other libraries are installed than the revision requires: {', '.join(libraries)}.")
        then, before = read_lock(project), _scores(project, files)
        title = f"{revision} ({verified.commit[:12]}): {len(stages)} stage(s) run again in {project}"
        print(title, *verified.notes, "", sep="\n", flush=True)
        if status := reproduce(project):
            failure = f"the run ended with status {status}; what it printed says why"
            return replace(verified, failures=[failure])
        now, after = read_lock(project), _scores(project, files)
    outs = compare_outs(then, now, stages, other_hardware)
    scores = {name: compare_scores(before[name], after[name], tolerance) for name in files}
    origins = first_differing_stages(then, now, [row for row in outs if not row.ok])
    failures = _out_failures(outs, origins, other_hardware) + _score_failures(scores)
    return replace(verified, outs=outs, scores=scores, failures=failures)


def _scores(project: Path, files: tuple[str, ...]) -> dict[str, dict[str, object]]:
    found = {}
    for name in files:
        try:
            content = read_json(project / name)
        except ValueError as error:
            raise UserError(f"{name}: not valid JSON: {error}") from None
        if not isinstance(content, dict):
            raise UserError(f"{name}: holds no scores by name")
        found[name] = content
    return found


def _out_failures(outs: list[OutRow], origins: list[str], other_hardware: bool) -> list[str]:
    wrong = [row.out for row in outs if not row.ok]
    if not wrong:
        return []
    lines = [f"{out}: differs" for out in wrong]
    lines += [f"it began in stage {stage}: it read equal files and wrote different ones" for stage in origins]
    if not other_hardware:
        lines.append("if it was made with another machine or number of cores, --other-hardware compares the scores")
    return lines


def _score_failures(scores: Mapping[str, list[ScoreRow]]) -> list[str]:
    return [
        f"{file}: {row.score}: {_shown(row.then)} then, {_shown(row.now)} now, tolerance {row.limit:.4g}"
        for file, rows in scores.items()
        for row in rows
        if not row.ok
    ]


def _shown(value: object) -> object:
    return "missing" if value is None else value
