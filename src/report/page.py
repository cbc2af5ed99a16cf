"""plots/report.html and the closing words in the terminal: what was trained, how good it is, what to look at."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { padding: .3rem .9rem; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left } img { max-width: 100%; height: auto }
"""


def score(measure: Mapping[str, float]) -> str:
    """A mean with its interval in words: `0.812 (95 % interval 0.790 – 0.831)`."""
    if "mean" not in measure:
        return "not to be told (no test image holds a class that counts)"
    text = f"{measure['mean']:.3f}"
    if "low" not in measure:
        return f"{text} (no interval: fewer than 5 test groups hold a class that counts)"
    return f"{text} (95 % interval {measure['low']:.3f} – {measure['high']:.3f})"


def number(value: float | None) -> str:
    """Three decimals, or a dash for what cannot be told."""
    return "–" if value is None else f"{value:.3f}"


def class_table(test: Mapping[str, Any]) -> list[list[str]]:
    """Header, and a row for each class: the network's Dice and IoU and the colour classifier's Dice."""
    rows = [["class", "Dice", "IoU", "colour alone", "pooled Dice", "pooled IoU", "colour alone", "images"]]
    for name, scores in test["classes"].items():
        pooled, colour = test["pooled"].get(name, {}), test["baseline"]
        values = [scores.get("dice"), scores.get("iou"), colour["classes"].get(name, {}).get("dice")]
        values += [pooled.get("dice"), pooled.get("iou"), colour["pooled"].get(name, {}).get("dice")]
        rows.append([name, *(number(value) for value in values), str(scores["images"])])
    return rows


def sentences(train: Mapping[str, Any], test: Mapping[str, Any]) -> list[str]:
    """What was trained and how good it is, a line each."""
    images = train["images"]
    return [
        f"U-Net with {train['parameters']:,} parameters, trained on {images['train']} images and validated on "
        f"{images['validation']}; kept is epoch {train['best_epoch']} of {train['epochs']}.",
        f"On {test['images']} test images in {test['groups']} groups, mean Dice {score(test.get('dice', {}))},",
        f"mean IoU {score(test.get('iou', {}))}, pixel accuracy {number(test.get('accuracy'))}.",
        f"The colour of a pixel alone reaches mean Dice {number(test['baseline'].get('dice', {}).get('mean'))}.",
    ]


def terminal_summary(train: Mapping[str, Any], test: Mapping[str, Any], page: str) -> str:
    """The closing words of a run."""
    return "\n".join(["", *sentences(train, test), "", *aligned(class_table(test)), "", f"Look at it: {page}", ""])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text: columns as wide as their widest cell, the first one set left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return ["  ".join(line) for line in cells]


def html_page(train: Mapping[str, Any], test: Mapping[str, Any], pictures: Mapping[str, Sequence[str]]) -> str:
    """A page that needs nothing but its pictures beside it: heading → their paths relative to the page."""
    header, *rows = class_table(test)
    table = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    parts = [
        f"<p>{escape(' '.join(sentences(train, test)))}</p>",
        f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>{table}</table>",
        "<p>Dice and IoU are means over the images that hold the class, in truth or prediction; pooled, counts of all "
        "images are added first. “Colour alone” is the Dice of a classifier that sees single pixels.</p>",
    ]
    for heading, paths in pictures.items():
        parts.append(f"<h2>{escape(heading)}</h2>")
        parts += [f'<p><img src="{escape(path)}" alt="{escape(heading)}" loading="lazy"></p>' for path in paths]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Segmentation report</title>\n'
        f"<style>{STYLE}</style>\n<h1>Segmentation report</h1>\n{body}\n</html>\n"
    )
