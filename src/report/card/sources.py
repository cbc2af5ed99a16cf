"""Which content does the model card show? Files of one run, the settings in dvc.lock, and the state of Git."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError, listing
from src.report.run.run_files import RunFiles
from src.report.run.run_results import RunResults, read_results
from src.report.text.format import Scores
from src.reproduction.history.lock import Lock
from src.reproduction.history.provenance import (
    changed_since,
    parameters,
    read_stages,
    require_same_run,
    revision,
)


@dataclass(frozen=True, kw_only=True)
class CardSources(RunResults):
    """The content of a run's files, and what only the card shows of it.

    Attributes:
        stages: The stages in dvc.lock.
        params: The settings that the stages ran with.
        commit: The current Git commit; "" if there is none.
        uncommitted: Files that differ from the commit.
        changed: Code and settings that have changed since the stages ran.
    """

    stages: Lock
    params: Scores
    commit: str
    uncommitted: Sequence[str]
    changed: Sequence[str]


def required_files(files: RunFiles) -> list[Path]:
    """The files that a card is made from."""
    index = files.prepared / "index.json"
    return [files.model, files.train, files.test, index, files.checks, files.splits, files.classes, files.worst]


def read_card_sources(root: Path, files: RunFiles, out: Path) -> CardSources:
    """Read what the card shows.

    Args:
        root: Root of the project.
        files: Where the files of the run are, relative to `root`.
        out: The card's own path; it does not count as an uncommitted file.

    Raises:
        UserError: A file is missing, or the files are not of one run.
    """
    if missing := [path.as_posix() for path in required_files(files) if not (root / path).is_file()]:
        raise UserError(f"files that a model card needs are missing: run dvc repro\n{listing(missing)}")
    stages = read_stages(root)
    require_same_run(root, stages)
    commit, uncommitted = revision(root, out)
    return CardSources(
        **vars(read_results(files, root)),
        stages=stages,
        params=parameters(stages),
        commit=commit,
        uncommitted=uncommitted,
        changed=changed_since(root, stages),
    )
