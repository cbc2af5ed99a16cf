"""How are single images drawn? Images, masks, overlays, errors, and panels that compare truth and prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.drawing.drawing import Drawing, Image, painted, rgb, shown
from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.files import atomic
from src.report.figures.style import FALSE_ALARM, HIT, MISS, save

LONGEST = 768  # pixels of a picture's longer side: of larger images, every second, third … row and column is drawn
MOST_OVERLAYS = 3  # classes whose errors are drawn: those with the lowest Dice; of overlapping classes all


@dataclass(frozen=True)
class Comparison:
    """A test image with its masks and scores.

    Attributes:
        image: [height, width, channels].
        truth: Labels, uint8 [height, width].
        prediction: Labels, uint8 [height, width].
        scores: Class → Dice; each class becomes one panel of errors, up to `most_overlays`.
    """

    image: Image
    truth: Drawing
    prediction: Drawing
    scores: Mapping[str, float]


def errors_over(
    image: Drawing, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], label: int, form: LabelFormat
) -> Drawing:
    """Lay the true positives, false negatives and false positives of one class over the darkened, grey image.

    Args:
        image: uint8 [height, width, 3].
        truth: Labels, uint8 [height, width].
        prediction: Labels, uint8 [height, width].
        label: The class.
        form: The meaning of the labels.

    Returns:
        uint8 [height, width, 3].
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2) * 0.5
    counted = form.counted(truth)
    true, found = form.of_class(truth, label), form.of_class(prediction, label) & counted
    for where, colour in ((true & found, HIT), (true & ~found, MISS), (~true & found, FALSE_ALARM)):
        grey[where] = 0.25 * grey[where] + 0.75 * rgb(colour)
    return grey.astype(np.uint8)


def most_overlays(dataset: Dataset) -> int:
    """Return of how many classes errors are drawn. The colours of overlapping classes mix, so each has a picture."""
    return len(dataset.names) if dataset.overlap else MOST_OVERLAYS


def draw_comparisons(
    folder: Path, store: Store, scores: Path, predictions: Path, each: int, *, method: str
) -> dict[str, list[str]]:
    """Draw the worst, median and best test images as NN.png, worst first.

    Images are ranked by the mean Dice of their foreground classes.

    Args:
        folder: Where the pictures are written; the folder is replaced as a whole.
        store: The prepared data set.
        scores: The table scores.csv, which src/evaluation/scoring/tables.py writes.
        predictions: File of the predicted test masks.
        each: Number of pictures of each kind.
        method: The method in scores.csv whose scores rank the images.

    Returns:
        "worst", "median" and "best" → paths of the pictures, below the folder's parent.
    """
    dataset = store.dataset
    table = pd.read_csv(scores, dtype={"id": str, "class": str}, keep_default_na=False, na_values={"dice": [""]})
    foreground = [dataset.names[label] for label in dataset.foreground]
    table = table[(table["method"] == method) & table["class"].isin(foreground)].dropna(subset="dice")
    means = {str(image): float(mean) for image, mean in table.groupby("id")["dice"].mean().items()}
    drawn: dict[str, list[str]] = {}
    with atomic(folder) as temporary, np.load(predictions) as saved:
        temporary.mkdir()
        for kind, ids in ranked(means, each).items():
            for image in ids:
                name = f"{sum(map(len, drawn.values())):02d}.png"
                rows, position = table[table["id"] == image], store.position[image]
                dice = dict(zip(rows["class"], rows["dice"], strict=True))
                comparison = Comparison(store.image(position), store.mask(position), saved[str(position)], dice)
                title = f"{kind}: {image}, mean Dice {means[image]:.3f}"
                _draw_comparison(temporary / name, title, comparison, dataset)
                drawn.setdefault(kind, []).append(f"{folder.name}/{name}")
    return drawn


def ranked(scores: Mapping[str, float], each: int) -> dict[str, list[str]]:
    """Choose the worst, median and best images. No image is chosen twice.

    Args:
        scores: Image → score.
        each: Number of images of each kind; at most a third of all, rounded up.

    Returns:
        "worst", "median" and "best" → images; a kind without images is missing.
    """
    order = sorted(scores, key=lambda image: (scores[image], image))
    each = min(each, -(-len(order) // 3))
    worst, best = order[:each], order[max(len(order) - each, each) :]
    rest = order[len(worst) : len(order) - len(best)]
    start = max(0, (len(rest) - each + 1) // 2)
    kinds = {"worst": worst, "median": rest[start : start + each], "best": best[::-1]}
    return {kind: ids for kind, ids in kinds.items() if ids}


def _draw_comparison(path: Path, title: str, comparison: Comparison, dataset: Dataset) -> None:
    """Draw image | truth | prediction | one panel of errors for each class."""
    step = max(1, -(-max(comparison.truth.shape) // LONGEST))
    image = shown(comparison.image[::step, ::step])
    truth, prediction = (mask[::step, ::step] for mask in (comparison.truth, comparison.prediction))
    drawings = {"image": image, "truth": painted(truth, dataset), "prediction": painted(prediction, dataset)}
    for name, value in sorted(comparison.scores.items(), key=lambda item: item[1])[: most_overlays(dataset)]:
        label = dataset.names.index(name)
        drawings[f"{name}: Dice {value:.3f}"] = errors_over(image, truth, prediction, label, LabelFormat.of(dataset))
    colours = {"hit": HIT, "miss": MISS, "false alarm": FALSE_ALARM}
    errors = [Patch(color=colour, label=name) for name, colour in colours.items()]
    grid(path, title, [drawings], class_patches(dataset, truth, prediction) + errors)


def class_patches(dataset: Dataset, *masks: Drawing) -> list[Patch]:
    """The legend entries of the classes that occur in the masks."""
    labels = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    present = set(np.flatnonzero(LabelFormat.of(dataset).planes(labels).any(axis=0)).tolist())
    colours = enumerate(dataset.class_colours.items())
    return [Patch(facecolor=c, edgecolor="0.5", label=plain(name)) for label, (name, c) in colours if label in present]


def grid(path: Path, title: str, rows: Sequence[Mapping[str, Drawing]], patches: Sequence[Patch]) -> None:
    """Draw rows of titled pictures.

    Args:
        path: The PNG file.
        title: Title of the whole figure.
        rows: At least one row: title → picture, uint8 [height, width, 3]. All rows have the same number of pictures.
        patches: Legend entries.
    """
    columns = len(rows[0])
    height, width = next(iter(rows[0].values())).shape[:2]
    figure = Figure(figsize=(2.8 * columns, 2.8 * len(rows) * min(height / width, 2) + 0.7), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, drawings in zip(axes, rows, strict=True):
        for axis, (name, drawing) in zip(row, drawings.items(), strict=True):
            axis.imshow(drawing, interpolation="nearest")
            axis.set_title(plain(name), fontsize=9)
            axis.axis("off")
    figure.suptitle(plain(title), fontsize=10)
    figure.legend(handles=list(patches), loc="outside lower center", ncols=8, frameon=False, fontsize=8)
    save(figure, path)


def plain(text: str) -> str:
    """Escape text from a data set for Matplotlib, so that `$` starts no formula and no line breaks."""
    return "".join(character if character.isprintable() else "?" for character in text).replace("$", r"\$")
