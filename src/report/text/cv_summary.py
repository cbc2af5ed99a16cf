"""A joined sweep in the terminal: a line for each run, then mean, spread, interval and the classes."""

import textwrap
from collections.abc import Mapping
from typing import Any

from src.report.text.summary import aligned, number

TITLES = {"dice": "Dice", "iou": "IoU"}


def joined_text(joined: Mapping[str, Any]) -> str:
    """The text of what `join` in src/evaluation/comparison/cv_summary.py returns."""
    methods = [key for key, value in joined.items() if isinstance(value, Mapping) and key != "runs"]
    columns = [(method, measure) for method in methods for measure in TITLES]
    rows = [[joined["varied"], *(f"{method} {TITLES[measure]}" for method, measure in columns), "images", "experiment"]]
    for value, run in joined["runs"].items():
        scores = [number(run.get(method, {}).get(measure)) for method, measure in columns]
        rows.append([value, *scores, str(run["images"]), run["name"]])
    for key in ("mean", "spread"):
        rows.append([key, *(number(joined[method].get(measure, {}).get(key)) for method, measure in columns), "", ""])
    rows[-2][-2] = str(joined["images"])
    rows.append(["95 % interval", *(_bounds(joined[method].get(measure, {})) for method, measure in columns), "", ""])
    classes = {method: joined[method].get("classes", {}) for method in methods}
    for name in dict.fromkeys(name for method in methods for name in classes[method]):
        means = [number(classes[method].get(name, {}).get(measure)) for method, measure in columns]
        rows.append([f"class {name}", *means, "", ""])
    title = f"{len(joined['runs'])} runs, {joined['images']} test images in {joined['groups']} groups"
    return "\n".join([title, "", *(line.rstrip() for line in aligned(rows)), "", textwrap.fill(joined["note"], 100)])


def _bounds(measure: Mapping[str, float]) -> str:
    return f"{measure['low']:.3f} – {measure['high']:.3f}" if "low" in measure else "–"
