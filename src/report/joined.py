"""A joined sweep in the terminal: a line for each run, then mean, spread, interval and the classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.report.page import aligned, number

TITLES = {"dice": "Dice", "iou": "IoU"}


def joined_text(joined: Mapping[str, Any]) -> str:
    """The text of what `join` in src/evaluation/joined.py returns."""
    columns = [(method, measure) for method in joined if "classes" in _object(joined[method]) for measure in TITLES]
    rows = [[joined["varied"], *(f"{method} {TITLES[measure]}" for method, measure in columns), "images", "experiment"]]
    for value, run in joined["runs"].items():
        scores = [number(run.get(method, {}).get(measure)) for method, measure in columns]
        rows.append([value, *scores, str(run["images"]), run["name"]])
    for key in ("mean", "spread"):
        rows.append([key, *(number(joined[method][measure].get(key)) for method, measure in columns), "", ""])
    rows[-2][-2] = str(joined["images"])
    rows.append(["95 % interval", *(_bounds(joined[method][measure]) for method, measure in columns), "", ""])
    for name in joined[columns[0][0]]["classes"]:
        means = [number(joined[method]["classes"].get(name, {}).get(measure)) for method, measure in columns]
        rows.append([f"of it {name}", *means, "", ""])
    title = f"{len(joined['runs'])} runs, {joined['images']} test images in {joined['groups']} groups"
    return "\n".join([title, "", *(line.rstrip() for line in aligned(rows)), "", joined["note"]])


def _object(value: Any) -> Mapping[str, Any] | Sequence[str]:
    return value if isinstance(value, Mapping) else ()


def _bounds(measure: Mapping[str, float]) -> str:
    return f"{measure['low']:.3f} – {measure['high']:.3f}" if "low" in measure else "–"
