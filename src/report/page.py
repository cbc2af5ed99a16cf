"""plots/report.html and the closing words in the terminal: what was trained, how good it is, what to look at."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { padding: .3rem .9rem; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left } img { max-width: 100%; height: auto }
"""


def score(measure: Mapping[str, float], digits: int = 3) -> str:
    """A mean with its interval in words: `0.812 (95 % interval 0.790 – 0.831)`."""
    if "mean" not in measure:
        return "not to be told (no image counts for it)"
    text = f"{measure['mean']:.{digits}f}"
    if "low" not in measure:
        return f"{text} (no interval: a class counts in fewer than 5 groups, or all groups score alike)"
    return f"{text} (95 % interval {measure['low']:.{digits}f} – {measure['high']:.{digits}f})"


def number(value: float | None, digits: int = 3) -> str:
    """Some decimals, or a dash for what cannot be told."""
    return "–" if value is None else f"{value:.{digits}f}"


def class_table(test: Mapping[str, Any]) -> list[list[str]]:
    """Header, and a row for each class; beside its Dice the colour classifier's, where that was scored, too."""
    colour = test.get("baseline")
    beside, pooled = (["colour alone"], ["colour pooled"]) if colour else ([], [])
    rows = [["class", "Dice", *beside, "IoU", "surface Dice", "HD95", "pooled Dice", *pooled, "images"]]
    for name, scores in test["classes"].items():
        alone, added = (
            [number(colour[kind].get(name, {}).get("dice"))] if colour else [] for kind in ("classes", "pooled")
        )
        row = [name, number(scores.get("dice")), *alone, number(scores.get("iou")), number(scores.get("surface_dice"))]
        row += [number(scores.get("hd95"), 1), number(test["pooled"].get(name, {}).get("dice")), *added]
        rows.append([*row, str(scores["images"])])
    return rows


def sentences(train: Mapping[str, Any], test: Mapping[str, Any], unit: str = "pixels") -> list[str]:
    """What was trained and how good it is, a line each; unit: of distances."""
    images, baseline = train["images"], test["baseline"]
    lines = [
        f"U-Net with {train['parameters']:,} parameters, trained on {images['train']} images and validated on "
        f"{images['validation']}; kept is epoch {train['best_epoch']} of {train['epochs']}.",
        *measured(test, unit, "test images"),
    ]
    if "mean" in baseline.get("dice", {}):
        lines.append(f"The colour of a pixel alone reaches mean Dice {number(baseline['dice']['mean'])}.")
    for name, share in baseline.get("largest_class", {}).items():
        lines.append(f"Answering {name} everywhere would be right on {share:.1%} of the pixels.")
    return [*lines, *decisions(test)]


def measured(test: Mapping[str, Any], unit: str, what: str = "images") -> list[str]:
    """How good it is, a line for each of regions, boundaries and false alarms; unit: of distances; what: was scored."""
    groups = f"{test['groups']} group{'s' if test['groups'] != 1 else ''}"
    lines = [
        f"On {test['images']} {what} in {groups}, mean Dice {score(test.get('dice', {}))},",
        f"mean IoU {score(test.get('iou', {}))}, pixel accuracy {number(test.get('accuracy'))}.",
    ]
    few = [
        f"{name} in {scores['groups']}" for name, scores in test["classes"].items() if 0 < scores.get("groups", 9) < 5
    ]
    if few and "low" not in test.get("dice", {}):
        lines.append(f"Too few groups for intervals of such means: {', '.join(few)}; five can tell how much they vary.")
    if "mean" in test.get("surface_dice", {}):
        lines.append(f"Boundaries: surface Dice {score(test['surface_dice'])},")
        lines.append(f"95 % Hausdorff distance {score(test.get('hd95', {}), 1)} {unit}.")
    if test.get("left_out"):
        lines.append(f"Boundaries and objects leave out {test['left_out']} {what} of more than 64 megapixels.")
    alarms = [
        f"{name} on {found['false_alarms']} of {found['images']}" for name, found in test.get("empty", {}).items()
    ]
    return [*lines, *([f"False alarms on {what} without the class: {', '.join(alarms)}."] if alarms else [])]


def decisions(test: Mapping[str, Any]) -> list[str]:
    """What was decided on validation images, and what that brought on the test images; nothing if nothing was."""
    decided = dict(test.get("decisions", {}))
    gained, calibration = decided.pop("dice", {}), test.get("calibration", {})
    if not decided:
        return []
    named = ", ".join(f"{name} {value:.4g}" for name, value in decided.items())
    between = f" ({gained['low']:+.3f} – {gained['high']:+.3f})" if "low" in gained else ""
    changes = [f"mean Dice by {gained['gain']:+.3f}{between}"] if "gain" in gained else []
    before, after = (number(calibration.get(name)) for name in ("ece_undecided", "ece"))
    changes.append(f"the calibration error from {before} to {after}")
    return [f"Added to the plain network: {named}; on the test images that changes {', '.join(changes)}."]


def terminal_summary(train: Mapping[str, Any], test: Mapping[str, Any], page: str, unit: str = "pixels") -> str:
    """The closing words of a run."""
    lines = ["", *sentences(train, test, unit), "", *aligned(class_table(test)), "", f"Look at it: {page}", ""]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text: columns as wide as their widest cell, the first one set left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return ["  ".join(line) for line in cells]


def html_page(
    train: Mapping[str, Any],
    test: Mapping[str, Any],
    pictures: Mapping[str, Sequence[str]],
    worst: Sequence[Mapping[str, str]] = (),
    unit: str = "pixels",
) -> str:
    """A page that needs nothing but its pictures beside it.

    pictures: heading → their paths relative to the page; worst: rows of src/evaluation/worst.py; unit: of distances.
    """
    parts = [
        f"<p>{escape(' '.join(sentences(train, test, unit)))}</p>",
        _table(class_table(test)),
        "<p>Dice, IoU, surface Dice and HD95 (95 % Hausdorff distance) are means over the images that hold the class, "
        "in truth or prediction; pooled, counts of all images are added first. “Colour alone” is the Dice of a "
        "classifier that sees single pixels, beside each of the two.</p>",
    ]
    if worst:
        rows = [["image", "mean Dice", "worst class", "what is unusual about it"]]
        rows += [[row["id"], number(float(row["dice"])), row["worst_class"], row["reasons"]] for row in worst]
        parts += ["<h2>Where it fails</h2>", _table(rows)]
    for heading, paths in pictures.items():
        parts.append(f"<h2>{escape(heading)}</h2>")
        parts += [f'<p><img src="{escape(path)}" alt="{escape(heading)}" loading="lazy"></p>' for path in paths]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Segmentation report</title>\n'
        f"<style>{STYLE}</style>\n<h1>Segmentation report</h1>\n{body}\n</html>\n"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the header."""
    lines = []
    for place, row in enumerate(rows):
        tag = "td" if place else "th"
        lines.append(f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>")
    return f"<table>{''.join(lines)}</table>"
