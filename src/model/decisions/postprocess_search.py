"""How good ways to use a network are on the validation images: mirrored or not, at all thresholds, tidied or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import Subset
from src.evaluation.metrics.calibration import negative_log_likelihood
from src.evaluation.metrics.confusion import Counts, Scores, confusion_matrix, dice, overlap
from src.evaluation.metrics.remove_small_components import remove_small_components
from src.model.inference.predictor import Logits, Predictor, classes_of
from src.progress import progress

LEVELS = np.arange(1, 100) / 100
CUTS = np.log(LEVELS / (1 - LEVELS))  # thresholds that are tried, as logits
HALF = len(CUTS) // 2  # the place of 0.5
TEMPERATURES = 2 ** (np.arange(-60, 61) / 20)  # from an eighth to eight, in steps of 3.5 %
SIZES = (0, *(2**power for power in range(2, 11)))  # pixels of objects and holes
SAMPLED = 200_000  # pixels that the temperature is fitted to, as many of each image


@dataclass(frozen=True)
class Seen:
    """What one way to predict gives on the validation images.

    scores: Dice float64 [cuts, images, foreground classes], of one cut if there are more than two classes; logits:
    of the pixels sampled from each image, float32 [n, outputs], and their labels uint8 [n].
    """

    scores: Scores
    logits: list[Logits]
    labels: list[NDArray[np.uint8]]

    @property
    def usual(self) -> Scores:
        """Dice float64 [images, foreground classes] at the usual cut, the middle one."""
        return self.scores[len(self.scores) // 2]


def look(predictor: Predictor, validated: Subset, foreground: Sequence[int], seed: int) -> Seen:
    """One pass over the validation images; foreground: the classes that Dice is taken of."""
    store = validated.store
    rng, classes = np.random.default_rng(seed), len(store.dataset.names)
    scores, logits, labels = [], [], []
    cuts, each = CUTS if predictor.outputs == 1 else CUTS[HALF : HALF + 1], SAMPLED // len(validated)
    for index in _shown(validated, "mirrored" if predictor.project.decisions.mirror else "plain"):
        truth, parts = store.mask(index), []
        counts = np.zeros((len(cuts), classes, classes), np.int64)
        for window, part in predictor.tiles(store.image(index)):
            true = truth[window]
            counts += confusions_at(cuts, part, true, classes)
            places = rng.integers(true.size, size=-(-each * true.size // truth.size))
            places = places[true.ravel()[places] < classes]
            parts.append((part.reshape(true.size, -1)[places], true.ravel()[places]))
        scores.append(dice(overlap(counts))[:, foreground])
        logits.append(np.concatenate([part for part, _ in parts]))
        labels.append(np.concatenate([part for _, part in parts]))
        store.release()
    return Seen(np.stack(scores, axis=1), logits, labels)


def confusions_at(cuts: NDArray[np.float64], logits: Logits, truth: NDArray[np.uint8], classes: int) -> Counts:
    """The confusion at each cut, int64 [cuts, classes, classes]; of more than two classes, of the likeliest alone."""
    if logits.shape[-1] > 1:
        return confusion_matrix(truth, classes_of(logits), classes)[None]
    counted = truth < 2
    below = np.searchsorted(cuts, logits[..., 0][counted])  # how many cuts a pixel is above
    pixels = np.bincount(2 * below + truth[counted], minlength=2 * len(cuts) + 2).reshape(-1, 2)
    negative = pixels.cumsum(axis=0)[:-1]
    return np.stack([negative, pixels.sum(axis=0) - negative], axis=-1)


def try_temperatures(seen: Seen) -> Scores:
    """The log-likelihood of the sampled pixels at each temperature, float64 [TEMPERATURES, images, 1]."""
    sampled = list(zip(seen.logits, seen.labels, strict=True))
    likely = [[-negative_log_likelihood(*image, temperature) for image in sampled] for temperature in TEMPERATURES]
    return np.array(likely)[..., None]


def thresholds(temperature: float) -> tuple[NDArray[np.bool_], list[float]]:
    """The probabilities that the cuts are at this temperature, and which of them, [cuts], lie within `LEVELS`."""
    levels = 1 / (1 + np.exp(-CUTS / temperature))
    kept = (levels > LEVELS[0] - 1e-9) & (levels < LEVELS[-1] + 1e-9)
    return kept, levels[kept].tolist()


def try_sizes(
    predictor: Predictor,
    validated: Subset,
    labels: Sequence[int],
    foreground: Sequence[int],
    *,
    inside: bool,
) -> Scores:
    """Dice float64 [SIZES, images, foreground classes] with parts of the classes in `labels` up to each size absorbed.

    foreground: the classes that Dice is taken of; inside: parts are holes.
    """
    store = validated.store
    classes, scores = len(store.dataset.names), []
    for index in _shown(validated, "holes" if inside else "small objects"):
        predicted, truth = predictor(store.image(index)), store.mask(index)
        ways = (
            remove_small_components(predicted, labels, size, inside=inside) if size else predicted for size in SIZES
        )
        counts = np.stack([confusion_matrix(truth, way, classes) for way in ways])
        scores.append(dice(overlap(counts))[:, foreground])
        store.release()
    return np.stack(scores, axis=1)


def _shown(validated: Subset, what: str) -> Iterable[int]:
    return progress(validated.indices, len(validated), f"decide, {what}")
