"""Score the candidates of each decision on the validation images: thresholds, temperatures, component sizes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import Dataset
from src.data.store.subsets import Subset
from src.evaluation.metrics.confusion import Counts, PixelCounts, Scores, confusion_matrix, dice, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.metrics.regions import Mask
from src.model.inference.predictor import Labels, Logits, Predictor
from src.progress import progress

LEVELS = np.arange(1, 100) / 100
LOGIT_THRESHOLDS = np.log(LEVELS / (1 - LEVELS))  # the candidates of the threshold, as logits
HALF = len(LOGIT_THRESHOLDS) // 2  # index of the probability 0.5
TEMPERATURES = 2 ** (np.arange(-60, 61) / 20)  # from 1/8 to 8, in steps of 3.5 %
SIZES = (0, *(2**power for power in range(2, 11)))  # pixels of components and holes
SAMPLED = 200_000  # pixels that the temperature is fitted to, equally many from each image

Change = Callable[[Mask, Dataset, int], Mask]  # of labels, with the smallest size that is kept


@dataclass(frozen=True)
class ValidationOutputs:
    """What one way to predict gives on the validation images.

    Attributes:
        scores: Dice float64 [thresholds, images, foreground classes]; one threshold if no threshold is used: with more
            than two classes that exclude each other.
        logits: for each image those of its sampled pixels, float32 [n, outputs].
        labels: for each image the true labels of these pixels, uint8 [n].
        meaning: of the logits.
    """

    scores: Scores
    logits: list[NDArray[np.float32]]
    labels: list[NDArray[np.uint8]]
    meaning: Outputs

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
    rng, outputs = np.random.default_rng(seed), predictor.outputs
    scores, logits, labels = [], [], []
    thresholds = LOGIT_THRESHOLDS if outputs.has_thresholds else LOGIT_THRESHOLDS[HALF : HALF + 1]
    samples = SAMPLED // len(validated)  # of each image
    for index in _with_progress(validated, "plain" if predictor.project.decisions.mirror == "none" else "mirrored"):
        truth, parts = store.mask(index), []
        counts = np.zeros((len(PixelCounts._fields), len(thresholds), outputs.labels.classes), np.int64)
        for window, part in predictor.tiles(store.image(index)):
            true = truth[window]
            counts += counts_at(thresholds, part, true, outputs)
            places = rng.integers(true.size, size=-(-samples * true.size // truth.size))
            places = places[outputs.labels.counted(true.ravel()[places])]
            parts.append((part.reshape(true.size, -1)[places], true.ravel()[places]))
        scores.append(dice(PixelCounts(*counts))[:, foreground])
        logits.append(np.concatenate([part for part, _ in parts]))
        labels.append(np.concatenate([part for _, part in parts]))
        store.release()
    return ValidationOutputs(np.stack(scores, axis=1), logits, labels, outputs)


def counts_at(thresholds: NDArray[np.float64], logits: Logits, truth: Labels, outputs: Outputs) -> PixelCounts:
    """Count the pixels of each class at each threshold, which is the same for all classes.

    Args:
        thresholds: logits [thresholds] in ascending order; one, which is not used, if no threshold is used.
        logits: [height, width, n].
        truth: labels [height, width].
        outputs: the meaning of both.

    Returns:
        int64 [thresholds, classes] each.
    """
    labels = outputs.labels
    if not outputs.has_thresholds:
        return pixel_counts(confusion_matrix(truth, outputs.decide(logits), labels.limit)[None], labels)
    counted = labels.counted(truth)
    if not labels.overlap:
        return pixel_counts(_matrices_at(thresholds, logits[..., 0][counted], truth[counted]), labels)
    binary, classes = LabelFormat(2), range(labels.classes)
    planes = [labels.of_class(truth, label)[counted].view(np.uint8) for label in classes]
    matrices = np.stack([_matrices_at(thresholds, logits[..., label][counted], planes[label]) for label in classes], 1)
    return PixelCounts(*(counts[..., 1] for counts in pixel_counts(matrices, binary)))


def _matrices_at(thresholds: NDArray[np.float64], logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> Counts:
    """Count the confusion matrix at each threshold, int64 [thresholds, 2, 2]; logits and truth (0 or 1) are [n]."""
    exceeded = np.searchsorted(thresholds, logits)  # how many thresholds each pixel exceeds
    pixels = np.bincount(2 * exceeded + truth, minlength=2 * len(thresholds) + 2).reshape(-1, 2)
    negative = pixels.cumsum(axis=0)[:-1]
    return np.stack([negative, pixels.sum(axis=0) - negative], axis=-1)


def temperature_scores(outputs: ValidationOutputs) -> Scores:
    """Log-likelihood of the sampled pixels at each of `TEMPERATURES`, float64 [temperatures, images, 1]."""
    images = list(zip(outputs.logits, outputs.labels, strict=True))
    loss = outputs.meaning.negative_log_likelihood
    likelihoods = [[-loss(*image, temperature) for image in images] for temperature in TEMPERATURES]
    return np.array(likelihoods)[..., None]


def usable_thresholds(temperature: float) -> tuple[NDArray[np.bool_], list[float]]:
    """Which `LOGIT_THRESHOLDS` [thresholds] are probabilities from 0.01 to 0.99 at a temperature, and these."""
    levels = 1 / (1 + np.exp(-LOGIT_THRESHOLDS / temperature))
    usable = (levels > LEVELS[0] - 1e-9) & (levels < LEVELS[-1] + 1e-9)
    return usable, levels[usable].tolist()


def size_scores(
    predictor: Predictor, validated: Subset, change: Change, foreground: Sequence[int], title: str
) -> Scores:
    """Score post-processing with each of `SIZES`.

    Args:
        predictor: with the decisions so far.
        validated: the validation images.
        change: what is tried, from src/evaluation/metrics/postprocess.py.
        foreground: indices of the classes over which Dice is averaged.
        title: names what is tried on the progress bar.

    Returns:
        Dice float64 [sizes, images, foreground classes].
    """
    store = validated.store
    labels, scores = predictor.outputs.labels, []
    for index in _with_progress(validated, title):
        predicted, truth = predictor(store.image(index)), store.mask(index)
        candidates = (change(predicted, store.dataset, size) if size else predicted for size in SIZES)
        matrices = np.stack([confusion_matrix(truth, candidate, labels.limit) for candidate in candidates])
        scores.append(dice(pixel_counts(matrices, labels))[:, foreground])
        store.release()
    return np.stack(scores, axis=1)


def _with_progress(validated: Subset, title: str) -> Iterable[int]:
    return progress(validated.indices, len(validated), f"decide, {title}")
