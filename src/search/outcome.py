"""What a search prints and remembers: the table of what was tried, and the settings that it wrote."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

from src.data.store.subsets import FEWEST_GROUPS
from src.files import write_json
from src.params import Params
from src.search.candidate import Value, setting_of, with_settings
from src.search.compare import WITHOUT_INTERVAL
from src.search.result import Result, Row
from src.search.space import ENCODER, PLAIN

HEADER = ("tried", "seconds", "steps", "Dice", "difference (95 % interval)", "verdict")
WRITTEN = "written.json"  # in the folder of the journals: what searches wrote into params.yaml
WIDEST = 80  # characters of a verdict: a device may have much to say


def table(result: Result) -> str:
    """Return what was tried as a table, and sentences on what it cannot tell."""
    cells = [HEADER, *map(_cells, result.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.append(f"Dice: mean of {result.images} validation image(s); differences are between trainings of equal time")
    if not any(row.trial.counts for row in result.rows if row.trial):
        lines.append(
            "no scored image has foreground, so the trials tell nothing: raise split.validation, or use more images"
        )
    elif not result.enough_groups:
        counts = f"a difference counts from {WITHOUT_INTERVAL:g}"
        lines.append(f"no intervals: fewer than {FEWEST_GROUPS} groups of validation images; {counts}")
    if result.tied:
        others = "; ".join(map(str, result.tied))
        lines.append(f"cannot be told apart from what was chosen, which is the rules' choice or cheaper: {others}")
    if result.untried:
        lines.append(f"there was no time to try all values of {', '.join(result.untried)}")
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    trial, found, shown = row.trial, row.difference, ""
    verdict = textwrap.shorten(row.verdict, WIDEST, placeholder=" …")
    if found is not None and trial is not None and trial.counts:
        shown = f"{found.value:+.3f}"
        shown += f" ({found.bounds[0]:+.3f} – {found.bounds[1]:+.3f})" if found.bounds else ""
    if trial is None:
        return str(row.candidate), "", "", "", "", verdict
    dice = f"{trial.dice:.3f}" if trial.counts else ""
    return str(row.candidate), f"{trial.given:.1f}", str(trial.steps), dice, shown, verdict


class Written:
    """The settings that searches wrote into params.yaml, so that another search may change them again.

    Attributes:
        path: The file in which they are remembered.
    """

    def __init__(self, path: Path) -> None:
        """Remember settings in the file at `path`."""
        self.path = path

    def unchanged(self, params: Params) -> dict[str, Value]:
        """Return the settings that still have the value that a search wrote; a value set by hand is left out."""
        return {key: value for key, value in self._read().items() if setting_of(params, key) == value}

    def remember(self, settings: Mapping[str, Value]) -> None:
        """Replace what is remembered."""
        write_json(self.path, dict(settings))

    def _read(self) -> dict[str, Value]:
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


def automatic_again(params: Params, settings: Mapping[str, Value]) -> Params:
    """Set settings back to what they were before a search: auto, or for the encoder plain.

    Args:
        params: The parameters.
        settings: The settings, by their names in params.yaml.
    """
    return with_settings(params, {key: PLAIN if key == ENCODER else "auto" for key in settings})
