"""The report's gallery: a row for every test image, and pictures of the worst, the middle, the best, and more."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.report.figures.panels import ranked
from src.report.figures.pictures import gallery_pictures
from src.report.figures.style import FALSE_ALARM, HIT, IGNORED, MISS
from src.report.page.sources import Sources

MOST_ROWS = 5000  # images; of more, the worst
Scores = Mapping[str, Mapping[str, Mapping[str, str]]]


def gallery(sources: Sources, panels: int, most: int) -> dict[str, Any]:
    """words, classes and colours for the template; data: rows and pictures for the script.

    panels: pictures of each kind; most: characters of all pictures. An image is ranked by its mean Dice.
    """
    dataset = sources.store.dataset
    classes = [dataset.names[label] for label in dataset.foreground]
    scores = _by_image(sources)
    kept = sources.worst[:MOST_ROWS]
    rows = [_row(row, scores[row["id"]], classes) for row in kept]
    means = {row["id"]: float(row["dice"]) for row in sources.worst if row["dice"]}
    chosen = [image for ids in ranked(means, panels).values() for image in ids]
    within = {row["id"] for row in kept}
    order = [image for image in dict.fromkeys([*chosen, *(row["id"] for row in kept)]) if image in within]
    weakest = {image: _weakest(scores[image], classes) for image in order}
    pictures = gallery_pictures(sources.store, sources.predictions, order, weakest, most)
    colours = {name: dataset.class_colours[name] for name in classes} | (
        {"ignored": IGNORED} if _ignores(sources) else {}
    )
    return {
        "words": _words(len(sources.worst), len(rows), len(pictures)),
        "classes": classes,
        "colours": colours | {"errors: hit": HIT, "missed": MISS, "false alarm": FALSE_ALARM},
        "data": {"rows": rows, "pictures": pictures},
    }


def _by_image(sources: Sources) -> dict[str, dict[str, Mapping[str, str]]]:
    """id → class → the network's row."""
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in sources.network:
        found.setdefault(row["id"], {})[row["class"]] = row
    return found


def _row(row: Mapping[str, str], scores: Mapping[str, Mapping[str, str]], classes: Sequence[str]) -> dict[str, Any]:
    """What the script knows of an image; a score that cannot be told is None."""
    return {
        "id": row["id"],
        "group": row["group"],
        "dice": _number(row["dice"]),
        "worst": row["worst_class"],
        "why": row["reasons"],
        "scores": [_number(scores[name]["dice"]) for name in classes],
        "sizes": [int(scores[name]["true"]) for name in classes],
    }


def _number(text: str) -> float | None:
    return round(float(text), 4) if text else None


def _weakest(scores: Mapping[str, Mapping[str, str]], classes: Sequence[str]) -> list[str]:
    """The classes that count for an image, the lowest Dice first."""
    told = [(float(scores[name]["dice"]), name) for name in classes if scores[name]["dice"]]
    return [name for _, name in sorted(told, key=lambda one: one[0])]


def _ignores(sources: Sources) -> bool:
    return sources.store.dataset.ignored_value is not None


def _words(images: int, rows: int, pictures: int) -> str:
    listed = f"All {images} test images" if rows == images else f"The worst {rows:,} of {images:,} test images"
    drawn = (
        "each with its picture"
        if pictures == rows
        else f"{pictures} of them with a picture: of the worst, the middle and the best"
    )
    return f"{listed}, {drawn}."
