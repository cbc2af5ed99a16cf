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
        return "not to be told (no test image holds a class that counts)"
    text = f"{measure['mean']:.{digits}f}"
    if "low" not in measure:
        return f"{text} (no interval: fewer than 5 test groups hold a class that counts)"
    return f"{text} (95 % interval {measure['low']:.{digits}f} – {measure['high']:.{digits}f})"


def number(value: float | None, digits: int = 3) -> str:
    """Some decimals, or a dash for what cannot be told."""
    return "–" if value is None else f"{value:.{digits}f}"


def class_table(test: Mapping[str, Any]) -> list[list[str]]:
    """Header, and a row for each class; beside its Dice the colour classifier's, where that was scored, too."""
    colour = test.get("baseline")
    beside = ["colour alone"] if colour else []
    rows = [["class", "Dice", *beside, "IoU", "surface Dice", "HD95", "pooled Dice", *beside, "images"]]
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
        *measured(test, unit),
    ]
    lines.append(f"The colour of a pixel alone reaches mean Dice {number(baseline.get('dice', {}).get('mean'))}.")
    for name, share in baseline.get("largest_class", {}).items():
        lines.append(f"Answering {name} everywhere would be right on {share:.1%} of the pixels.")
    return [*lines, *decisions(test), *few_groups(test)]


def few_groups(test: Mapping[str, Any]) -> list[str]:
    """A warning of classes that occur in so few groups that an interval cannot know how much they vary."""
    few = [
        f"{name} in {scores['groups']}" for name, scores in test["classes"].items() if 0 < scores.get("groups", 9) < 5
    ]
    if not few or "low" not in test.get("dice", {}):
        return []
    return [f"Too few groups hold {', '.join(few)}: the intervals of means over classes may be too narrow."]


def measured(test: Mapping[str, Any], unit: str) -> list[str]:
    """How good it is, a line for regions and, if they were scored, two for boundaries; unit: of distances."""
    lines = [
        f"On {test['images']} test images in {test['groups']} groups, mean Dice {score(test.get('dice', {}))},",
        f"mean IoU {score(test.get('iou', {}))}, pixel accuracy {number(test.get('accuracy'))}.",
    ]
    if "mean" in test.get("surface_dice", {}):
        lines.append(f"Boundaries: surface Dice {score(test['surface_dice'])},")
        lines.append(f"95 % Hausdorff distance {score(test.get('hd95', {}), 1)} {unit}.")
    return lines


def decisions(test: Mapping[str, Any]) -> list[str]:
    """What was decided on validation images, and what that brought on the test images; nothing if nothing was."""
    decided = dict(test.get("decisions", {}))
    gained, calibration = decided.pop("dice", {}), test.get("calibration", {})
    if not decided:
        return []
    named = ", ".join(f"{name} {value:.4g}" for name, value in decided.items())
    between = f" ({gained['low']:+.3f} – {gained['high']:+.3f})" if "low" in gained else ""
    before, after = (number(calibration.get(name)) for name in ("ece_undecided", "ece"))
    return [
        f"Decided on validation: {named}; on the test images that changes mean Dice by {gained.get('gain', 0):+.3f}"
        f"{between}, the calibration error from {before} to {after}."
    ]


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
        "classifier that sees single pixels.</p>",
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
