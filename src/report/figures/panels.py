"""Pictures of single images: what training sees, and how predictions compare with the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.files import atomic
from src.report.figures.style import FALSE_ALARM, HIT, MISS, painted, rgb, save

LARGEST = 768  # pixels of a picture's longer side: larger images are thinned out for it
MOST_OVERLAYS = 3  # classes; of more, those with the lowest Dice
Drawing = NDArray[np.uint8]


def shown(image: NDArray[Any], *, stretched: bool = False) -> Drawing:
    """An image as red, green and blue, uint8 [height, width, 3]: one channel in grey, of more than three the first.

    stretched: from the first to the last but one percentile, for the eye alone; numbers other than uint8 always are.
    """
    three = np.repeat(image[..., :1], 3, axis=2) if image.shape[2] < 3 else np.asarray(image[..., :3])
    if stretched or image.dtype != np.uint8:
        low, high = np.percentile(three, [1, 99])
        three = 255 * (three.astype(np.float32) - low) / max(high - low, np.finfo(np.float32).tiny)
    return three.clip(0, 255).astype(np.uint8)


def blended(image: Drawing, mask: NDArray[np.uint8], dataset: Dataset, strength: float = 0.45) -> Drawing:
    """The mask's colours laid over the image; the background stays as it is."""
    paint = (mask < len(dataset.names)) & (
        mask != (-1 if dataset.background_index is None else dataset.background_index)
    )
    mixed = (1 - strength) * image + strength * painted(mask, dataset)
    return np.where(paint[..., None], mixed, image).astype(np.uint8)


def errors_over(
    image: Drawing, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], label: int, classes: int
) -> Drawing:
    """Hits, misses and false alarms of one class in their colours over the darkened, grey image."""
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2) * 0.5
    counted = truth < classes
    true, found = (truth == label) & counted, (prediction == label) & counted
    for where, colour in ((true & found, HIT), (true & ~found, MISS), (~true & found, FALSE_ALARM)):
        grey[where] = 0.25 * grey[where] + 0.75 * rgb(colour)
    return grey.astype(np.uint8)


def draw_comparisons(
    folder: Path, store: Store, scores: Path, predictions: Path, each: int, *, method: str
) -> dict[str, list[str]]:
    """A picture NN.png for each of the worst, median and best test images, worst first; kind → file names.

    scores: scores.csv, which src/evaluation/scoring/tables.py writes; an image is ranked by the mean Dice of its
    foreground classes. method: whose rows of scores.csv count.
    """
    dataset = store.dataset
    table = pd.read_csv(scores, dtype={"id": str, "class": str}, keep_default_na=False, na_values={"dice": [""]})
    foreground = [dataset.names[label] for label in dataset.foreground]
    table = table[(table["method"] == method) & table["class"].isin(foreground)].dropna(subset="dice")
    means = {str(image): float(mean) for image, mean in table.groupby("id")["dice"].mean().items()}
    drawn: dict[str, list[str]] = {}
    with atomic(folder) as temporary, np.load(predictions) as kept:
        temporary.mkdir()
        for kind, ids in ranked(means, each).items():
            for image in ids:
                name = f"{sum(map(len, drawn.values())):02d}.png"
                rows = table[table["id"] == image]
                position = store.position[image]
                _comparison(
                    temporary / name,
                    f"{kind}: {image}, mean Dice {means[image]:.3f}",
                    store.image(position),
                    store.mask(position),
                    kept[str(position)],
                    dict(zip(rows["class"], rows["dice"], strict=True)),
                    dataset,
                )
                drawn.setdefault(kind, []).append(f"{folder.name}/{name}")
    return drawn


def ranked(scores: Mapping[str, float], each: int) -> dict[str, list[str]]:
    """The ids of the worst, median and best images, `each` of a kind or a third of all, none of them twice."""
    order = sorted(scores, key=lambda image: (scores[image], image))
    each = min(each, -(-len(order) // 3))
    worst, best = order[:each], order[max(len(order) - each, each) :]
    rest = order[len(worst) : len(order) - len(best)]
    start = max(0, (len(rest) - each + 1) // 2)
    kinds = {"worst": worst, "median": rest[start : start + each], "best": best[::-1]}
    return {kind: ids for kind, ids in kinds.items() if ids}


def _comparison(
    path: Path,
    title: str,
    image: NDArray[Any],
    truth: Drawing,
    prediction: Drawing,
    scores: Mapping[str, float],
    dataset: Dataset,
) -> None:
    """Image | truth | prediction | one overlay of hits, misses and false alarms for each of `scores` (class → Dice)."""
    step = max(1, -(-max(truth.shape) // LARGEST))
    image, truth, prediction = shown(image[::step, ::step]), truth[::step, ::step], prediction[::step, ::step]
    drawings = {"image": image, "truth": painted(truth, dataset), "prediction": painted(prediction, dataset)}
    for name, value in sorted(scores.items(), key=lambda item: item[1])[:MOST_OVERLAYS]:
        label = dataset.names.index(name)
        drawings[f"{name}: Dice {value:.3f}"] = errors_over(image, truth, prediction, label, len(dataset.names))
    named = {"hit": HIT, "miss": MISS, "false alarm": FALSE_ALARM}
    errors = [Patch(color=colour, label=name) for name, colour in named.items()]
    grid(path, title, [drawings], class_patches(dataset, truth, prediction) + errors)


def class_patches(dataset: Dataset, *masks: Drawing) -> list[Patch]:
    """A legend of the classes that the masks hold."""
    held = set().union(*(np.unique(mask).tolist() for mask in masks))
    colours = enumerate(dataset.class_colours.items())
    return [Patch(facecolor=c, edgecolor="0.5", label=plain(name)) for label, (name, c) in colours if label in held]


def grid(path: Path, title: str, rows: Sequence[Mapping[str, Drawing]], patches: Sequence[Patch]) -> None:
    """Rows of named drawings below a title, the legend at the bottom."""
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
    """Text from a data set, so that Matplotlib shows it as it is: `$` starts no formula, no line is broken."""
    return "".join(character if character.isprintable() else "?" for character in text).replace("$", r"\$")
