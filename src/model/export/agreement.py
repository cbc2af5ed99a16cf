"""Whether an export says the same as the Keras model, on the test images."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.archive.project import Project
from src.data.crops.resize import resize_to_side
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.errors import UserError
from src.evaluation.metrics.calibration import probabilities
from src.evaluation.metrics.confusion import confusion, dice, headline, held, overlap
from src.model.export.formats import Run
from src.model.inference.predictor import Predictor, enlarged
from src.progress import progress

SIDE = 512  # pixels: of larger images a square of this side from the middle; LiteRT takes gigabytes for more
TOLERANCE = 1e-3  # of a probability; formats that compute in float32 differ by some millionths
TINIEST = np.finfo(np.float32).tiny
Image = NDArray[Any]  # [height, width, channels]
Probabilities = NDArray[np.float32]  # [height, width, classes]
Way = Callable[[Image], Probabilities]


@dataclass(frozen=True)
class Agreement:
    """One way to run the network, beside the Keras model in float32.

    difference: the largest of a probability; changed: the share of the pixels whose class is another; dice: mean over
    the foreground classes of the means over images; megabytes: of the file or folder; pace: megapixels a second.
    """

    name: str
    difference: float
    changed: float
    dice: float
    megabytes: float
    pace: float


class Check:
    """Compares with what the Keras model in float32 says of some images, which is kept in `folder`."""

    def __init__(self, predictor: Predictor, images: Subset, folder: Path) -> None:
        check_classes(predictor.project, images.store)
        self.predictor, self.images, self.folder = predictor, images, folder
        pixels = np.array([record.pixels for record in images.records])
        self.foreground = held(pixels, images.store.dataset.foreground)

    def of_keras(self, path: Path) -> Agreement:
        """The Keras model in float32, which all else is set beside: comes first."""
        return self._agreement("Keras, float32", self.predictor.probabilities, path, first=True)

    def of_saved(self, predictor: Predictor, precision: str, path: Path) -> Agreement:
        """The Keras model in the precision that it is saved with."""
        return self._agreement(f"Keras as saved, {precision}", predictor.probabilities, path)

    def of_export(self, title: str, run: Run, path: Path) -> Agreement:
        """A format; `UserError` if a probability differs by more than `TOLERANCE`, or is none."""
        found = self._agreement(title, export_way(run, self.predictor.project), path)
        if not found.difference <= TOLERANCE:  # so that NaN is refused, too
            differs = f"its probabilities differ from the Keras model's by up to {found.difference:.2g}"
            raise UserError(f"{differs}, more than {TOLERANCE:g}")
        return found

    def _agreement(self, name: str, way: Way, path: Path, *, first: bool = False) -> Agreement:
        difference, changed, pixels, seconds, counts = 0.0, 0, 0, 0.0, []
        for number, (image, truth) in enumerate(self._parts(f"check {name}")):
            if number == 0:
                way(image)  # what is set up at the first image is not counted as its time
            started = time.perf_counter()
            said = way(image)
            seconds += time.perf_counter() - started
            if first:
                np.save(self._kept(number), said)
            reference = said if first else np.load(self._kept(number))
            classes = self._classes(said)
            difference = float(np.maximum(difference, np.abs(said - reference).max()))
            changed += int((classes != self._classes(reference)).sum())
            pixels += truth.size
            counts.append(confusion(truth, classes, said.shape[-1]))
        score = headline(dice(overlap(np.stack(counts))), self.foreground)
        return Agreement(name, difference, changed / pixels, score, megabytes(path), pixels / seconds / 1e6)

    def _kept(self, number: int) -> Path:
        return self.folder / f"{number}.npy"

    def _parts(self, title: str) -> Iterator[tuple[Image, NDArray[np.uint8]]]:
        """The images and their true classes; of large ones the middle, unless the network sees all of it made small."""
        store = self.images.store
        for index in progress(self.images.indices, len(self.images), title):
            image, truth = store.image(index), store.mask(index)
            window = (slice(None),) * 2 if self.predictor.project.resize else middle(*truth.shape)
            yield np.ascontiguousarray(image[window]), truth[window]
            store.release()

    def _classes(self, said: Probabilities) -> NDArray[np.uint8]:
        """Without what is done to small objects and holes afterwards."""
        if said.shape[-1] == 2:
            return (said[..., 1] > self.predictor.project.decisions.threshold).astype(np.uint8)
        return said.argmax(axis=-1).astype(np.uint8)


def export_way(run: Run, project: Project) -> Way:
    """By an export, and around it what its metadata leaves to do: images are made small, what it says is enlarged."""

    def way(image: Image) -> Probabilities:
        said = run(resize_to_side(image, project.resize)[None])[0]
        if not project.resize:
            return said
        height, width = image.shape[:2]
        return probabilities(enlarged(np.log(np.maximum(said, TINIEST)), slice(0, height), height, width))

    return way


def middle(height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the middle of an image, at most `SIDE` of each."""
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    return slice(top, top + SIDE), slice(left, left + SIDE)


def check_classes(project: Project, store: Store) -> None:
    """`UserError` if the prepared images are not of the classes that the network tells apart."""
    if store.dataset.names != project.classes:
        held_there, known = ", ".join(store.dataset.names), ", ".join(project.classes)
        raise UserError(f"{store.folder} has the classes {held_there}, the model {known}: run `dvc repro`")


def megabytes(path: Path) -> float:
    """Of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return math.fsum(file.stat().st_size for file in files) / 1e6
