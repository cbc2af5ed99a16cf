"""Score the candidates of each decision on the validation images: thresholds, temperatures, component sizes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.store.subsets import Subset
from src.evaluation.metrics.calibration import negative_log_likelihood
from src.evaluation.metrics.confusion import Counts, Scores, confusion_matrix, dice, overlap
from src.evaluation.metrics.remove_small_components import remove_small_components
from src.model.inference.predictor import Labels, Logits, Predictor, classes_from_logits
from src.progress import progress

LEVELS = np.arange(1, 100) / 100
LOGIT_THRESHOLDS = np.log(LEVELS / (1 - LEVELS))  # the candidates of the threshold, as logits
HALF = len(LOGIT_THRESHOLDS) // 2  # index of the probability 0.5
TEMPERATURES = 2 ** (np.arange(-60, 61) / 20)  # from 1/8 to 8, in steps of 3.5 %
SIZES = (0, *(2**power for power in range(2, 11)))  # pixels of components and holes
SAMPLED = 200_000  # pixels that the temperature is fitted to, equally many from each image


@dataclass(frozen=True)
class ValidationOutputs:
    """What one way to predict gives on the validation images.

    Attributes:
        scores: Dice float64 [thresholds, images, foreground classes]; one threshold if there are more than two classes.
        logits: for each image those of its sampled pixels, float32 [n, outputs].
        labels: for each image the class indices of these pixels, uint8 [n].
    """

    scores: Scores
    logits: list[NDArray[np.float32]]
    labels: list[NDArray[np.uint8]]

    @property
    def default_scores(self) -> Scores:
        """Dice float64 [images, foreground classes] at the default threshold, the middle one."""
        return self.scores[len(self.scores) // 2]


def predict_validation(
    predictor: Predictor, validated: Subset, foreground: Sequence[int], seed: int
) -> ValidationOutputs:
    """Predict the validation images once, score all thresholds and sample pixels.

    Args:
        predictor: its decision on mirroring is used.
        validated: the validation images.
        foreground: indices of the classes over which Dice is averaged.
        seed: of the sampled pixels.
    """
    store = validated.store
    rng, classes = np.random.default_rng(seed), len(store.dataset.names)
    scores, logits, labels = [], [], []
    thresholds = LOGIT_THRESHOLDS if predictor.outputs.number == 1 else LOGIT_THRESHOLDS[HALF : HALF + 1]
    samples = SAMPLED // len(validated)  # of each image
    for index in _with_progress(validated, "plain" if predictor.project.decisions.mirror == "none" else "mirrored"):
        truth, parts = store.mask(index), []
        counts = np.zeros((len(thresholds), classes, classes), np.int64)
        for window, part in predictor.tiles(store.image(index)):
            true = truth[window]
            counts += confusions_at(thresholds, part, true, classes)
            places = rng.integers(true.size, size=-(-samples * true.size // truth.size))
            places = places[true.ravel()[places] < classes]
            parts.append((part.reshape(true.size, -1)[places], true.ravel()[places]))
        scores.append(dice(overlap(counts))[:, foreground])
        logits.append(np.concatenate([part for part, _ in parts]))
        labels.append(np.concatenate([part for _, part in parts]))
        store.release()
    return ValidationOutputs(np.stack(scores, axis=1), logits, labels)


def confusions_at(thresholds: NDArray[np.float64], logits: Logits, truth: Labels, classes: int) -> Counts:
    """Count the confusion matrix at each threshold.

    Args:
        thresholds: logits [thresholds] in ascending order; of more than two classes one, which is not used.
        logits: [height, width, n].
        truth: class indices [height, width].
        classes: how many there are.

    Returns:
        int64 [thresholds, classes, classes].
    """
    if logits.shape[-1] > 1:
        return confusion_matrix(truth, classes_from_logits(logits), classes)[None]
    counted = truth < 2
    exceeded = np.searchsorted(thresholds, logits[..., 0][counted])  # how many thresholds each pixel exceeds
    pixels = np.bincount(2 * exceeded + truth[counted], minlength=2 * len(thresholds) + 2).reshape(-1, 2)
    negative = pixels.cumsum(axis=0)[:-1]
    return np.stack([negative, pixels.sum(axis=0) - negative], axis=-1)


def temperature_scores(outputs: ValidationOutputs) -> Scores:
    """Log-likelihood of the sampled pixels at each of `TEMPERATURES`, float64 [temperatures, images, 1]."""
    images = list(zip(outputs.logits, outputs.labels, strict=True))
    likelihoods = [[-negative_log_likelihood(*image, temperature) for image in images] for temperature in TEMPERATURES]
    return np.array(likelihoods)[..., None]


def usable_thresholds(temperature: float) -> tuple[NDArray[np.bool_], list[float]]:
    """Which `LOGIT_THRESHOLDS` [thresholds] are probabilities from 0.01 to 0.99 at a temperature, and these."""
    levels = 1 / (1 + np.exp(-LOGIT_THRESHOLDS / temperature))
    usable = (levels > LEVELS[0] - 1e-9) & (levels < LEVELS[-1] + 1e-9)
    return usable, levels[usable].tolist()


def size_scores(
    predictor: Predictor,
    validated: Subset,
    labels: Sequence[int],
    foreground: Sequence[int],
    *,
    inside: bool,
) -> Scores:
    """Score post-processing with each of `SIZES`.

    Args:
        predictor: with the decisions so far.
        validated: the validation images.
        labels: indices of the classes whose small components are removed.
        foreground: indices of the classes over which Dice is averaged.
        inside: remove holes only: components that one other class surrounds.

    Returns:
        Dice float64 [sizes, images, foreground classes].
    """
    store = validated.store
    classes, scores = len(store.dataset.names), []
    for index in _with_progress(validated, "holes" if inside else "small objects"):
        predicted, truth = predictor(store.image(index)), store.mask(index)
        candidates = (
            remove_small_components(predicted, labels, size, inside=inside) if size else predicted for size in SIZES
        )
        counts = np.stack([confusion_matrix(truth, candidate, classes) for candidate in candidates])
        scores.append(dice(overlap(counts))[:, foreground])
        store.release()
    return np.stack(scores, axis=1)


def _with_progress(validated: Subset, title: str) -> Iterable[int]:
    return progress(validated.indices, len(validated), f"decide, {title}")
