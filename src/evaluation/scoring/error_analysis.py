"""Where it fails: the images from the worst to the best, and what can be computed of the reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import Counts, Scores, ratio
from src.evaluation.scoring.measure import Results

WORST = ["id", "group", "dice", "worst_class", "reasons"]
UNUSUAL = 0.95  # a value beyond those of this share of the training images is a reason
FEWEST = 20  # images that tell what is usual
COMPARED = 300  # training images whose sharpness is looked at, evenly spread over all
KINDS = (  # what of an image is looked at, the word if it is unusual, and in which direction
    ("brightness", "dark", -1),
    ("brightness", "bright", 1),
    ("contrast", "low contrast", -1),
    ("sharpness", "blurred", -1),
)
SIDE = 1024  # pixels of the square in the middle of an image that is looked at for it


@dataclass(frozen=True)
class Usual:
    """What images are compared with.

    images: `features` of training images; pixels: int64 [training images, classes]; areas: float64 [test images,
    classes], the mean size of the true objects in pixels, NaN where there are none.
    """

    images: list[dict[str, float]]
    pixels: Counts
    areas: Scores

    @classmethod
    def of(cls, results: Results, trained: Subset) -> "Usual":
        places = np.unique(np.linspace(0, len(trained) - 1, min(COMPARED, len(trained))).round().astype(int))
        pixels = np.array([record.pixels for record in trained.records])
        areas = ratio(results.pixels.true, np.maximum(results.objects[..., 0], 0))
        return cls([features(trained.store, trained.indices[place]) for place in places], pixels, areas)


def worst_rows(results: Results, tested: Subset, trained: Subset) -> Iterator[dict[str, Any]]:
    """A row of `WORST` for each test image, the lowest mean Dice over its foreground classes first.

    reasons: of the image, if it is darker, brighter, lower in contrast or more blurred than 95 % of the training
    images; of its worst class, if it is missed, a false alarm, rarer in training than the others, or smaller than
    usual. What such reasons have to do with the score is for the reader to judge.
    """
    store, usual = tested.store, Usual.of(results, trained)
    foreground = store.dataset.foreground
    dice = results.values["dice"][:, foreground]
    means = [float(np.mean(row[~np.isnan(row)])) if not np.isnan(row).all() else np.nan for row in dice]
    order = sorted(range(len(means)), key=lambda image: (np.isnan(means[image]), means[image], results.ids[image]))
    for image in order:
        row = {"id": results.ids[image], "group": results.groups[image]}
        if np.isnan(means[image]):
            yield row | {"dice": "", "worst_class": "", "reasons": "no class to be found"}
            continue
        label = foreground[int(np.nanargmin(dice[image]))]
        found = features(store, tested.indices[image])
        reasons = [*class_reasons(results, image, label, store.dataset, usual), *image_reasons(found, usual.images)]
        named = {"dice": round(means[image], 6), "worst_class": store.dataset.names[label]}
        yield row | named | {"reasons": "; ".join(reasons)}
        store.release()


def features(store: Store, index: int) -> dict[str, float]:
    """Brightness and contrast of an image, as the store has them, and its sharpness."""
    record = store.records[index]
    return {
        "brightness": float(np.mean(record.mean)),
        "contrast": float(np.mean(record.std)),
        "sharpness": sharpness(store.image(index)),
    }


def sharpness(image: NDArray[Any]) -> float:
    """Variance of the Laplacian over that of the image, [height, width, channels]: of the square in its middle.

    The focus measure of Pech-Pacheco et al. 2000, made independent of the contrast. 0 for an image of one colour.
    """
    top, left = (max(0, (length - SIDE) // 2) for length in image.shape[:2])
    grey = image[top : top + SIDE, left : left + SIDE].mean(axis=2, dtype=np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(grey.var(), 1e-6))


def image_reasons(found: Mapping[str, float], usual: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """In what the image is unlike the training images."""
    for name, word, sign in KINDS if len(usual) >= FEWEST else ():
        share = float(np.mean([sign * (found[name] - one[name]) > 0 for one in usual]))
        if share >= UNUSUAL:
            yield f"{word}: {'more' if sign > 0 else 'less'} {name} than {share:.0%} of the training images"


def class_reasons(results: Results, image: int, label: int, dataset: Dataset, usual: Usual) -> Iterator[str]:
    """What is unusual in an image's worst class."""
    name, pixels = dataset.names[label], results.pixels
    if not pixels.true[image, label]:
        yield f"false alarm: it holds no {name}"
        return
    if not pixels.both[image, label]:
        yield f"missed: nothing of its {name} is found"
    whole = usual.pixels.sum(axis=0) / usual.pixels.sum()
    if len(dataset.foreground) > 1 and whole[label] < 0.5 / len(whole):
        yield f"rare class: {name} is {whole[label]:.2%} of the training pixels"
    shares = usual.pixels[usual.pixels[:, label] > 0]
    share = pixels.true[image, label] / pixels.counted[image, label]
    if (less := _beyond(share, shares[:, label] / shares.sum(axis=1))) >= UNUSUAL:
        pixels_of_it = pixels.true[image, label]
        yield f"little of it: {pixels_of_it} of its pixels are {name}, a smaller share than in {less:.0%} in training"
    area, others = usual.areas[image, label], np.delete(usual.areas[:, label], image)
    if _beyond(area, others[~np.isnan(others)]) >= UNUSUAL:
        yield f"small objects: {name} in parts of {area:.0f} pixels in the mean, less than in most test images"


def _beyond(value: float, others: Scores) -> float:
    """The share of the others that are larger; 0 if they are too few to tell."""
    return float(np.mean(others > value)) if len(others) >= FEWEST else 0.0
