"""Error analysis: the test images from the worst to the best, with possible reasons that can be computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.crops.sampling import EVEN_SHARE
from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import Counts, Scores, ratio
from src.evaluation.scoring.measure import Results

WORST = ["id", "group", "dice", "worst_class", "reasons"]
UNUSUAL = 0.95  # a value is a reason if it is beyond those of this fraction of the reference images
FEWEST = 20  # reference images; with fewer, nothing is called unusual
COMPARED = 300  # training images whose sharpness is computed, evenly spread over all
KINDS = (  # feature of an image, the word if it is unusual, and the direction
    ("brightness", "dark", -1),
    ("brightness", "bright", 1),
    ("contrast", "low contrast", -1),
    ("sharpness", "blurred", -1),
)
SIDE = 1024  # pixels; side of the central square whose sharpness is computed


@dataclass(frozen=True)
class Reference:
    """The training statistics that an image is compared with.

    Attributes:
        images: `features` of training images.
        pixels: Pixels of each class, int64 [training images, classes].
        counted: Pixels that count, int64 [training images].
        areas: Mean size of the true objects in pixels, float64 [test images, classes]; NaN where there are none.
    """

    images: list[dict[str, float]]
    pixels: Counts
    counted: Counts
    areas: Scores

    @classmethod
    def of(cls, results: Results, trained: Subset) -> "Reference":
        """Collect the reference.

        Args:
            results: The measurements of the test images.
            trained: The training images.
        """
        places = np.unique(np.linspace(0, len(trained) - 1, min(COMPARED, len(trained))).round().astype(int))
        pixels = np.array([record.pixels for record in trained.records])
        counted = np.array([record.counted_pixels for record in trained.records])
        areas = ratio(results.pixels.true, np.maximum(results.objects[..., 0], 0))
        return cls([features(trained.store, trained.indices[place]) for place in places], pixels, counted, areas)


def worst_rows(results: Results, tested: Subset, trained: Subset) -> Iterator[dict[str, object]]:
    """Yield a row of `WORST` for each test image, the lowest mean Dice over its foreground classes first.

    The reasons are correlates of errors, not causes. Of the image: it is darker, brighter, lower in contrast or more
    blurred than 95 % of the training images. Of its worst class: it is missed, a false alarm, rare in training, or
    smaller than usual.

    Args:
        results: The measurements of the test images.
        tested: The test images, in the same order.
        trained: The training images.
    """
    store, reference = tested.store, Reference.of(results, trained)
    foreground = store.dataset.foreground
    dice = results.values["dice"][:, foreground]
    means = [float(np.mean(row[~np.isnan(row)])) if not np.isnan(row).all() else np.nan for row in dice]
    order = sorted(range(len(means)), key=lambda image: (np.isnan(means[image]), means[image], results.ids[image]))
    for image in order:
        row: dict[str, object] = {"id": results.ids[image], "group": results.groups[image]}
        if np.isnan(means[image]):
            yield row | {"dice": "", "worst_class": "", "reasons": "no class to be found"}
            continue
        label = foreground[int(np.nanargmin(dice[image]))]
        found = features(store, tested.indices[image])
        reasons = [
            *class_reasons(results, image, label, store.dataset, reference),
            *image_reasons(found, reference.images),
        ]
        named = {"dice": round(means[image], 6), "worst_class": store.dataset.names[label]}
        yield row | named | {"reasons": "; ".join(reasons)}
        store.release()


def features(store: Store, index: int) -> dict[str, float]:
    """Return brightness, contrast and sharpness of an image.

    Args:
        store: The prepared data set.
        index: Position of the image in it.
    """
    record = store.records[index]
    return {
        "brightness": float(np.mean(record.mean)),
        "contrast": float(np.mean(record.std)),
        "sharpness": sharpness(store.image(index)),
    }


def sharpness(image: NDArray[np.generic]) -> float:
    """Compute the variance of the Laplacian over the variance of the image, in the central square of `SIDE` pixels.

    It is the focus measure of Pech-Pacheco et al. 2000 (https://doi.org/10.1109/ICPR.2000.903548), made independent of
    contrast. `image` is [height, width, channels]; the result is 0 for an image of one colour.
    """
    top, left = (max(0, (length - SIDE) // 2) for length in image.shape[:2])
    grey = image[top : top + SIDE, left : left + SIDE].mean(axis=2, dtype=np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(grey.var(), 1e-6))


def image_reasons(found: Mapping[str, float], usual: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Yield in what an image is unlike the training images, in words.

    Args:
        found: Its `features`.
        usual: Those of training images; nothing is unusual if there are fewer than `FEWEST`.
    """
    for name, word, sign in KINDS if len(usual) >= FEWEST else ():
        share = float(np.mean([sign * (found[name] - one[name]) > 0 for one in usual]))
        if share >= UNUSUAL:
            yield f"{word}: {'more' if sign > 0 else 'less'} {name} than {share:.0%} of the training images"


def class_reasons(results: Results, image: int, label: int, dataset: Dataset, reference: Reference) -> Iterator[str]:
    """Yield what is unusual about an image's worst class, in words.

    Args:
        results: The measurements of the test images.
        image: Row of the image in them.
        label: Index of the class.
        dataset: The resolved data set.
        reference: What the image is compared with.
    """
    name, pixels = dataset.names[label], results.pixels
    if not pixels.true[image, label]:
        yield f"false alarm: it holds no {name}"
        return
    if not pixels.both[image, label]:
        yield f"missed: nothing of its {name} is found"
    whole = reference.pixels.sum(axis=0) / reference.counted.sum()
    if len(dataset.foreground) > 1 and whole[label] < EVEN_SHARE / len(whole):
        yield f"rare class: {name} is {whole[label]:.2%} of the training pixels"
    holding = reference.pixels[:, label] > 0
    shares = reference.pixels[holding, label] / reference.counted[holding]
    share = pixels.true[image, label] / pixels.counted[image, label]
    if (less := _fraction_above(share, shares)) >= UNUSUAL:
        number = pixels.true[image, label]
        yield f"small share: {number} of its pixels are {name}, a smaller share than in {less:.0%} in training"
    area, others = reference.areas[image, label], np.delete(reference.areas[:, label], image)
    if _fraction_above(area, others[~np.isnan(others)]) >= UNUSUAL:
        yield f"small objects: {name} in parts of {area:.0f} pixels on average, less than in most test images"


def _fraction_above(value: float, others: Scores) -> float:
    """The fraction of the others that are larger; 0 if there are fewer than `FEWEST`."""
    return float(np.mean(others > value)) if len(others) >= FEWEST else 0.0
