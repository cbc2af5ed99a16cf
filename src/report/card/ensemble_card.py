"""Write the card of an ensemble: its members, its decisions, and the images on which scores are valid."""

from pathlib import Path

from src.archive.ensemble import EnsembleArchive
from src.report.card.card import assigns, intended_use, licence_section
from src.report.text.ensemble import HEADER, images_sentence, model_rows
from src.report.text.format import setting
from src.report.text.markdown import code, markdown_table, names, prose
from src.reproduction.history.provenance import hash_of, versions


def ensemble_card(path: Path, found: EnsembleArchive, use: str | None = None, licence: str | None = None) -> str:
    """Write the card of an ensemble in Markdown.

    Args:
        path: The file of the ensemble.
        found: What it holds.
        use: What the ensemble is meant for, in Markdown; to be filled in if it is missing.
        licence: The licence of the ensemble, in Markdown; to be filled in if it is missing.
    """
    installed = [[name, version] for name, version in versions().items()]
    parts = [
        "# Model card",
        _description(path, found),
        "## Intended use",
        intended_use(found.project, path.as_posix(), use, of_run=False),
        "## Members",
        _members(found),
        "## Decisions",
        _decisions(found),
        "## Scores",
        _scores(path, found),
        "## Licence",
        licence_section(licence),
        "## Installed here",
        markdown_table(["package", "version"], installed, left=2),
    ]
    return "\n\n".join(parts) + "\n"


def _description(path: Path, found: EnsembleArchive) -> str:
    classes = found.project.classes
    return (
        f"An ensemble of {len(found.archives)} U-Nets that {assigns(found.project)}: {names(classes)}. "
        "The probability of a class is the mean of the members' probabilities. It is one "
        f"file, {code(path.as_posix())}, MD5 `{hash_of(path)}`.\n\nWritten by `python -m tools.card`."
    )


def _members(found: EnsembleArchive) -> str:
    rows = model_rows(found.ensemble, [archive.project for archive in found.archives])
    cells = [[*map(prose, row), f"`{digest}`"] for row, digest in zip(rows, found.digests, strict=True)]
    words = "The MD5 of a member is that of its file, as in the dvc.lock of its run. A dash: its file does not say."
    return f"{markdown_table([*HEADER, 'MD5'], cells, left=2)}\n\n{words}"


def _decisions(found: EnsembleArchive) -> str:
    rows = [[code(name), setting(value)] for name, value in found.project.decision_values.items()]
    return f"{prose(found.ensemble.decided)}\n\n{markdown_table(['', 'in force'], rows)}"


def _scores(path: Path, found: EnsembleArchive) -> str:
    command = f"python -m tools.score --model {path.as_posix()} --data FOLDER"
    return (
        f"This card has none. Scores are only valid on images that no member was trained or validated on: {command}. "
        f"{prose(images_sentence(found.ensemble))}."
    )
