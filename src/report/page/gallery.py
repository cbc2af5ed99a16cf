"""Which test images does the report page show? A row for each, and pictures of the worst, the middle and the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from src.data.drawing.drawing import IGNORED
from src.report.figures.panels import ranked
from src.report.figures.pictures import Picture, gallery_pictures
from src.report.figures.style import FALSE_ALARM, HIT, MISS
from src.report.page.sources import PageSources

MOST_ROWS = 5000  # images; of a larger test set, those with the lowest mean Dice
ClassScores = Mapping[str, Mapping[str, str]]  # class → its row of scores.csv


class ImageRow(TypedDict):
    """An image as the page's script reads it. A score that does not exist is None."""

    id: str
    group: str
    dice: float | None  # mean over the classes
    worst: str  # the class with the lowest Dice
    why: str  # what is unusual about the image
    scores: list[float | None]  # Dice of each class
    sizes: list[int]  # pixels of each class in the truth


@dataclass(frozen=True)
class Gallery:
    """The part of the page that shows single test images.

    Attributes:
        words: A sentence on how many images are listed and pictured.
        classes: The foreground classes.
        colours: The legend: what a colour stands for → "#RRGGBB".
        data: `rows` and `pictures`, for the page's script.
    """

    words: str
    classes: list[str]
    colours: dict[str, str]
    data: Mapping[str, list[ImageRow] | dict[str, Picture]]


def make_gallery(sources: PageSources, panels: int, most: int) -> Gallery:
    """Choose the images, and draw their pictures. Images are ranked by their mean Dice.

    Args:
        sources: Content of the run's files.
        panels: Number of pictures for each of the worst, middle and best images; they are drawn first.
        most: Largest number of characters of all pictures together.
    """
    dataset = sources.store.dataset
    classes = [dataset.names[label] for label in dataset.foreground]
    scores = _by_image(sources)
    listed = sources.worst[:MOST_ROWS]
    rows = [_row(row, scores[row["id"]], classes) for row in listed]
    means = {row["id"]: float(row["dice"]) for row in sources.worst if row["dice"]}
    chosen = [image for ids in ranked(means, panels).values() for image in ids]
    ids = {row["id"] for row in listed}
    order = [image for image in dict.fromkeys([*chosen, *(row["id"] for row in listed)]) if image in ids]
    weakest = {image: _weakest(scores[image], classes) for image in order}
    pictures = gallery_pictures(sources.store, sources.predictions, order, weakest, most)
    colours = {name: dataset.class_colours[name] for name in classes}
    colours |= {"ignored": IGNORED} if dataset.ignored_value is not None else {}
    return Gallery(
        words=_words(len(sources.worst), len(rows), len(pictures)),
        classes=classes,
        colours=colours | {"errors: hit": HIT, "missed": MISS, "false alarm": FALSE_ALARM},
        data={"rows": rows, "pictures": pictures},
    )


def _by_image(sources: PageSources) -> dict[str, dict[str, Mapping[str, str]]]:
    """Image → class → the network's scores."""
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in sources.network:
        found.setdefault(row["id"], {})[row["class"]] = row
    return found


def _row(row: Mapping[str, str], scores: ClassScores, classes: Sequence[str]) -> ImageRow:
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


def _weakest(scores: ClassScores, classes: Sequence[str]) -> list[str]:
    """The classes that have a Dice in this image, lowest first."""
    scored = [(float(scores[name]["dice"]), name) for name in classes if scores[name]["dice"]]
    return [name for _, name in sorted(scored, key=lambda pair: pair[0])]


def _words(images: int, rows: int, pictures: int) -> str:
    listed = f"All {images} test images" if rows == images else f"The worst {rows:,} of {images:,} test images"
    drawn = (
        "each with its picture"
        if pictures == rows
        else f"{pictures} of them with a picture: of the worst, the middle and the best"
    )
    return f"{listed}, {drawn}."
