"""How do the experiments of a sweep score together? One line for each run, then mean, spread, interval and classes."""

import textwrap
from collections.abc import Mapping

from src.report.text.format import Scores, aligned, interval, number

TITLES = {"dice": "Dice", "iou": "IoU"}


def joined_text(joined: Scores) -> str:
    """Write the result of `join` in src/evaluation/comparison/cv_summary.py as text for the terminal."""
    methods = [key for key, value in joined.items() if isinstance(value, Mapping) and key != "runs"]
    columns = [(method, measure) for method in methods for measure in TITLES]
    rows = [[joined["varied"], *(f"{method} {TITLES[measure]}" for method, measure in columns), "images", "experiment"]]
    for value, run in joined["runs"].items():
        scores = [number(run.get(method, {}).get(measure)) for method, measure in columns]
        rows.append([value, *scores, str(run["images"]), run["name"]])
    for key in ("mean", "spread"):
        rows.append([key, *(number(joined[method].get(measure, {}).get(key)) for method, measure in columns), "", ""])
    rows[-2][-2] = str(joined["images"])  # in the row of the means
    rows.append(["95 % interval", *(interval(joined[method].get(measure, {})) for method, measure in columns), "", ""])
    classes = {method: joined[method].get("classes", {}) for method in methods}
    for name in dict.fromkeys(name for method in methods for name in classes[method]):
        means = [number(classes[method].get(name, {}).get(measure)) for method, measure in columns]
        rows.append([f"class {name}", *means, "", ""])
    title = f"{len(joined['runs'])} runs, {joined['images']} test images in {joined['groups']} groups"
    return "\n".join([title, "", *(line.rstrip() for line in aligned(rows)), "", textwrap.fill(joined["note"], 100)])
