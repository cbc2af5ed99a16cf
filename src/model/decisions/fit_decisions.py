"""Choose how logits become classes, on the validation images alone: the last step of training."""

from collections.abc import Sequence

import numpy as np

from src.archive.project import threshold_of
from src.data.store.subsets import FEWEST_GROUPS, Subset
from src.evaluation.metrics.confusion import Scores, classes_present
from src.evaluation.metrics.postprocess import fill_small_holes, has_holes, remove_small_objects
from src.evaluation.statistics.select import Decision, Selection, reject_if_worse, select_candidate
from src.model.decisions.postprocess_search import (
    SIZES,
    TEMPERATURES,
    Change,
    ValidationOutputs,
    predict_validation,
    size_scores,
    temperature_scores,
    usable_thresholds,
)
from src.model.inference.predictor import Predictor
from src.params import Decide, Flip

LARGEST_POSTPROCESSED = 2**24  # pixels of an image for which all sizes can be tried in seconds


def fit_decisions(
    predictor: Predictor,
    validated: Subset,
    tried: Decide,
    seed: int,
    *,
    flip: Flip = "both",
) -> tuple[Predictor, dict[str, Decision]]:
    """Choose the decisions that validation images support.

    Mirroring is used unless it makes validation worse. Every other decision changes its default only if validation
    gains from it beyond noise.

    Args:
        predictor: the trained network.
        validated: the validation images; with fewer than `FEWEST_GROUPS` groups nothing is tried.
        tried: the decisions to try.
        seed: of the sampled pixels and of the bootstrap.
        flip: the directions in which training mirrored its patches: mirror images in these directions are averaged.

    Returns:
        The predictor with the chosen decisions, and the verdict on each that was tried.
    """
    mirror = flip if tried.mirror else "none"
    predictor = predictor.with_decisions(mirror=mirror)
    if len(set(validated.groups)) < FEWEST_GROUPS:
        mirrored = "" if mirror == "none" else f"mirrored copies are averaged ({mirror}); "
        print(f"{mirrored}other decisions skipped: fewer than {FEWEST_GROUPS} groups of validation images")
        return predictor, {}
    fitter = DecisionFitter(predictor, validated, seed)
    outputs = fitter.predict() if mirror == "none" else fitter.fit_mirror()
    if tried.temperature:
        fitter.fit_temperature(outputs)
    if tried.threshold and len(outputs.scores) > 1:
        fitter.fit_threshold(outputs)
    fitter.fit_sizes(tried)
    return fitter.predictor, fitter.verdicts


class DecisionFitter:
    """Fits one decision after the other; each builds on those before it.

    Attributes:
        predictor: with the decisions so far.
        verdicts: decision → verdict, for those that were tried.
        foreground: indices of the classes over which Dice is averaged.
    """

    def __init__(self, predictor: Predictor, validated: Subset, seed: int) -> None:
        """Start with no verdict; see `fit_decisions` for the arguments."""
        self.predictor, self.validated, self.seed = predictor, validated, seed
        self.groups, self.verdicts = np.array(validated.groups), dict[str, Decision]()
        pixels = np.array([record.pixels for record in validated.records])
        self.foreground = classes_present(pixels, validated.store.dataset.foreground)

    def predict(self) -> ValidationOutputs:
        """Predict the validation images with the decisions so far."""
        return predict_validation(self.predictor, self.validated, self.foreground, self.seed)

    def fit_mirror(self) -> ValidationOutputs:
        """Stop averaging mirrored copies if it makes validation worse; return the outputs of the way that is kept."""
        mirrored, mirrored_outputs = self.predictor, self.predict()
        self.predictor = mirrored.with_decisions(mirror="none")
        plain_outputs = self.predict()
        choice = reject_if_worse(plain_outputs.default_scores, mirrored_outputs.default_scores, self.groups, self.seed)
        if not self._record("mirror", choice, (0, 1), 1):
            return plain_outputs
        self.predictor = mirrored
        return mirrored_outputs

    def fit_temperature(self, outputs: ValidationOutputs) -> None:
        """Fit the temperature to the sampled pixels."""
        self._choose("temperature", temperature_scores(outputs), TEMPERATURES.tolist(), len(TEMPERATURES) // 2)

    def fit_threshold(self, outputs: ValidationOutputs) -> None:
        """Fit the threshold of two classes, or that of each overlapping class, at the temperature that was chosen."""
        usable, levels = usable_thresholds(self.predictor.project.decisions.temperature)
        scores, middle = outputs.scores[usable], len(levels) // 2
        if not outputs.meaning.labels.overlap:
            self._choose("threshold", scores, levels, middle)
            return
        thresholds = [levels[middle]] * outputs.meaning.number
        for column, label in enumerate(self.foreground):  # each class by itself, so that one of them can gain alone
            choice = select_candidate(scores[:, :, [column]], self.groups, middle, self.seed)
            name = threshold_of(self.predictor.project.classes[label])
            thresholds[label] = self._record(name, choice, levels, middle)
        if set(thresholds) != {levels[middle]}:
            self.predictor = self.predictor.with_decisions(thresholds=thresholds)

    def fit_sizes(self, tried: Decide) -> None:
        """Fit the sizes of removed components and filled holes, unless an image is too large to try all sizes."""
        if max(record.height * record.width for record in self.validated.records) > LARGEST_POSTPROCESSED:
            print(f"min_object, fill_holes: not tried, as an image has more than {LARGEST_POSTPROCESSED:,} pixels")
            return
        dataset = self.validated.store.dataset
        if tried.min_object:
            self._choose("min_object", self._size_scores(remove_small_objects, "small objects"), SIZES, 0)
        if tried.fill_holes and has_holes(dataset):
            self._choose("fill_holes", self._size_scores(fill_small_holes, "holes"), SIZES, 0)

    def _size_scores(self, change: Change, title: str) -> Scores:
        return size_scores(self.predictor, self.validated, change, self.foreground, title)

    def _choose(self, name: str, scores: Scores, values: Sequence[float], default: int) -> None:
        """Set a decision to the value that the scores support, else to the one at index `default`."""
        value = self._record(name, select_candidate(scores, self.groups, default, self.seed), values, default)
        self.predictor = self.predictor.with_decisions(**{name: value})

    def _record(self, name: str, choice: Selection | None, values: Sequence[float], default: int) -> float:
        """Print the verdict and keep it, unless there are too few groups for one (None); return the chosen value."""
        if choice is None:
            reason = f"a class counts in fewer than {FEWEST_GROUPS} groups of validation images"
            print(f"{name}: not decided, since {reason}")
            return values[default]
        verdict = self.verdicts[name] = Decision(values[choice.candidate], choice)
        print(verdict.describe(name), flush=True)
        return verdict.value
