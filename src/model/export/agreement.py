"""Compare an export with the Keras model on the test images."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.archive.project import Project
from src.data.crops.resample_rows import resample_rows
from src.data.crops.resize import scale_image
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.errors import UserError
from src.evaluation.metrics.confusion import classes_present, confusion_matrix, dice, mean_over_classes, pixel_counts
from src.evaluation.metrics.outputs import Outputs
from src.model.export.formats import Run
from src.model.inference.predictor import Image, Labels, Predictor
from src.progress import progress

SIDE = 512  # pixels; of larger images the centre of this height and width, since LiteRT takes gigabytes for more
TOLERANCE = 1e-3  # of a probability; formats that compute in float32 differ by some millionths
Probabilities = NDArray[np.float32]  # [height, width, classes]
Predict = Callable[[Image], Probabilities]


@dataclass(frozen=True)
class Agreement:
    """How well one way to run the network agrees with the Keras model in float32.

    Attributes:
        name: what was run, such as the format.
        difference: the largest difference of a probability.
        changed: share of the pixels that get another class.
        dice: mean over the foreground classes of the means over images.
        megabytes: size of the file or folder.
        pace: megapixels a second.
    """

    name: str
    difference: float
    changed: float
    dice: float
    megabytes: float
    pace: float


class AgreementCheck:
    """Compares ways to run a network with the Keras model in float32, on the same images.

    Attributes:
        predictor: the Keras model in float32.
        images: the images to compare on.
        folder: keeps the Keras model's probabilities.
        foreground: indices of the classes over which Dice is averaged.
    """

    def __init__(self, predictor: Predictor, images: Subset, folder: Path) -> None:
        """Prepare a comparison; see the class for the arguments.

        Raises:
            UserError: the images have other classes than the model.
        """
        _check_classes(predictor.project, images.store)
        self.predictor, self.images, self.folder = predictor, images, folder
        pixels = np.array([record.pixels for record in images.records])
        self.foreground = classes_present(pixels, images.store.dataset.foreground)

    def check_reference(self, path: Path) -> Agreement:
        """Run the Keras model in float32, the reference of all others; it must come first. path: the model file."""
        return self._check("Keras, float32", self.predictor.probabilities, path, first=True)

    def check_saved(self, predictor: Predictor, precision: str, path: Path) -> Agreement:
        """Compare the Keras model in the precision of the model file.

        Args:
            predictor: the model in that precision.
            precision: its name, for the table.
            path: the model file.
        """
        return self._check(f"Keras as saved, {precision}", predictor.probabilities, path)

    def check_export(self, title: str, run: Run, path: Path) -> Agreement:
        """Compare an export.

        Args:
            title: name of the format.
            run: runs the export on images [n, height, width, channels].
            path: file or folder of the export.

        Raises:
            UserError: a probability is NaN, or differs by more than `TOLERANCE`.
        """
        agreement = self._check(title, predict_with_export(run, self.predictor.project), path)
        if not agreement.difference <= TOLERANCE:  # refuses NaN, too
            differs = f"its probabilities differ from the Keras model's by up to {agreement.difference:.2g}"
            raise UserError(f"{differs}, more than {TOLERANCE:g}")
        return agreement

    def _check(self, name: str, predict: Predict, path: Path, *, first: bool = False) -> Agreement:
        labels = self.predictor.outputs.labels
        difference, changed, pixels, seconds, counts = 0.0, 0, 0, 0.0, []
        for number, (image, truth) in enumerate(self._images(f"check {name}")):
            if number == 0:
                predict(image)  # the first call sets up what is needed, so it is not timed
            started = time.perf_counter()
            predicted = predict(image)
            seconds += time.perf_counter() - started
            if first:
                np.save(self._reference(number), predicted)
            reference = predicted if first else np.load(self._reference(number))
            classes = self._classes(predicted)
            difference = float(np.maximum(difference, np.abs(predicted - reference).max()))
            changed += int((classes != self._classes(reference)).sum())
            pixels += truth.size
            counts.append(confusion_matrix(truth, classes, labels.limit))
        score = mean_over_classes(dice(pixel_counts(np.stack(counts), labels)), self.foreground)
        return Agreement(name, difference, changed / pixels, score, megabytes(path), pixels / seconds / 1e6)

    def _reference(self, number: int) -> Path:
        return self.folder / f"{number}.npy"

    def _images(self, title: str) -> Iterator[tuple[Image, Labels]]:
        """Yield the images and masks; of large ones the centre."""
        store = self.images.store
        for index in progress(self.images.indices, len(self.images), title):
            image, truth = store.image(index), store.mask(index)
            window = centre_window(len(truth), truth.shape[1], self.predictor.project.shorter_side)
            yield np.ascontiguousarray(image[window]), truth[window]
            store.release()

    def _classes(self, predicted: Probabilities) -> Labels:
        """Labels uint8 [height, width], without the removal of small components and holes."""
        outputs = self.predictor.outputs
        return outputs.decide(predicted[..., -outputs.number :], self.predictor.project.thresholds)


def predict_with_export(run: Run, project: Project) -> Predict:
    """Add to an export what its metadata leaves to do before classes are chosen.

    With data.resize the image is scaled first. Afterwards the probabilities are resampled, then the temperature is
    used.

    Args:
        run: runs the export on images [n, height, width, channels].
        project: of the exported model.

    Returns:
        A function from an image [height, width, channels] to probabilities [height, width, classes].
    """

    outputs = Outputs(project.labels)

    def predict(image: Image) -> Probabilities:
        predicted = run(scale_image(image, project.shorter_side)[None])[0]
        if not project.shorter_side:
            return predicted
        height, width = image.shape[:2]
        if predicted.shape[:2] != (height, width):
            predicted = resample_rows(predicted, slice(0, height), height, width)
        return outputs.probabilities(outputs.logits(predicted), project.decisions.temperature)

    return predict


def centre_window(height: int, width: int, shorter_side: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the centre of an image.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        shorter_side: to which the image is scaled before the network sees it; 0: it is not scaled.

    Returns:
        Rows and columns of which the network sees at most `SIDE`. A scaled image keeps its shorter side.
    """
    side = max(SIDE, shorter_side) * min(height, width) // shorter_side if shorter_side else SIDE
    top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
    return slice(top, top + side), slice(left, left + side)


def megabytes(path: Path) -> float:
    """Size of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return math.fsum(file.stat().st_size for file in files) / 1e6


def _check_classes(project: Project, store: Store) -> None:
    if (store.dataset.names, store.dataset.overlap) != (project.classes, project.overlap):
        prepared, known = store.dataset.described, project.dataset.described
        raise UserError(f"{store.folder} has the classes {prepared}, the model {known}: run `dvc repro`")
