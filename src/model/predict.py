"""Prediction of many images: read ahead, predict, write behind; a bad file stops nothing, a finished one is kept."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.dataset import Dataset
from src.data.images import read_image
from src.data.inputs import Input, pixels_of
from src.data.pairs import printable
from src.data.results import inside, mask_suffix, place_of, room, write_mask, write_probabilities
from src.data.store import release
from src.data.unreadable import Finding, Unreadable
from src.errors import UserError
from src.evaluation.calibration import probabilities
from src.model.infer import Predictor, classes_of
from src.progress import Megapixels, ahead

Pixels = NDArray[Any]
Draw = Callable[[Path, Pixels, NDArray[np.uint8], Dataset], None]


@dataclass(frozen=True)
class Outputs:
    """What is written of each image, and where.

    shares: the number type of the probabilities, None for none. draw: how a picture of the prediction over its image
    is written, None for none.
    """

    folder: Path
    values: Pixels
    shares: Any = None
    draw: Draw | None = None

    def paths(self, one: Input) -> dict[str, Path]:
        """Kind of result → its file; the mask is the last, so that where it is all else is, too."""
        suffixes = {"probabilities": self.shares and ".tif", "overlays": self.draw and ".png"}
        suffixes["masks"] = mask_suffix(self.values, one.path)
        return {
            kind: inside(self.folder, self.folder / kind / one.name.with_name(one.name.name + suffix))
            for kind, suffix in suffixes.items()
            if suffix
        }

    def done(self, one: Input) -> bool:
        """Whether all of it is there, and not older than the image."""
        try:
            changed = one.path.stat().st_mtime_ns
            return all(path.stat().st_mtime_ns >= changed for path in self.paths(one).values())
        except OSError:
            return False


@dataclass(frozen=True)
class Predicted:
    """An image [height, width, channels], its class indices [height, width], its probabilities [height, width, n]."""

    image: Pixels
    classes: NDArray[np.uint8]
    shares: Pixels | None


class Prediction:
    """Many images by one network. After a run, `failed` says of each image that has no result why."""

    def __init__(self, predictor: Predictor, outputs: Outputs) -> None:
        self.predictor, self.outputs = predictor, outputs
        self.failed: list[Finding] = []

    def run(self, inputs: Sequence[Input]) -> Megapixels:
        """Predict and write all of `inputs`; what was done, and how fast. `OSError` if a result cannot be written."""
        sizes = [pixels_of(one.path) for one in inputs]
        with Megapixels("predict", sum(sizes)) as meter, ThreadPoolExecutor(1) as writer:
            writing: Future[None] | None = None
            images = ahead(self._read, inputs, threads=1, waiting=2)
            for one, size, image in zip(inputs, sizes, images, strict=True):
                before = meter.done
                result = image if isinstance(image, Finding) else self._predicted(one, image, meter)
                meter.expect(meter.done - before - size)  # the header was wrong, or nothing came of it
                if writing:
                    writing.result()
                if isinstance(result, Finding):
                    self.failed.append(result)
                    continue
                writing = writer.submit(self._write, one, result)
            if writing:
                writing.result()
        return meter

    def _read(self, one: Input) -> Pixels | Finding:
        try:
            return read_image(one.path, self.predictor.project.channels, self.outputs.folder)
        except Unreadable as error:
            return failure(one, str(error), error.setting)
        except OSError as error:
            return failure(one, f"cannot be read: {error.strerror}", "check the file")
        except MemoryError:
            return failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _predicted(self, one: Input, image: Pixels, meter: Megapixels) -> Predicted | Finding:
        predictor = self.predictor
        classes = room(image.shape[:2], np.uint8, self.outputs.folder)
        shares = None
        if self.outputs.shares is not None:
            shares = room((*image.shape[:2], predictor.outputs), self.outputs.shares, self.outputs.folder)
        try:
            for window, logits in predictor.tiles(image):
                classes[window] = classes_of(logits, predictor.cut)
                if shares is not None:
                    shares[window] = self._shares(logits)
                    release(shares)
                release(classes)
                meter.add(logits.shape[0] * logits.shape[1])
            return Predicted(image, predictor.tidied(classes), shares)
        except UserError as error:
            return failure(one, str(error), "convert it, or set data.channels and train again")
        except (MemoryError, tf.errors.ResourceExhaustedError):
            return failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _shares(self, logits: NDArray[np.float32]) -> Pixels:
        """Probabilities as stored, [rows, columns, n]: of two classes that of the second alone, else of each."""
        found = probabilities(logits, self.predictor.project.decisions.temperature)[..., -self.predictor.outputs :]
        return np.asarray((found * 255).round() if self.outputs.shares == np.uint8 else found).astype(
            self.outputs.shares
        )

    def _write(self, one: Input, result: Predicted) -> None:
        paths, place, project = self.outputs.paths(one), place_of(one.path), self.predictor.project
        if result.shares is not None:
            names = project.classes[-self.predictor.outputs :]
            write_probabilities(paths["probabilities"], result.shares, names, place)
        if self.outputs.draw:
            self.outputs.draw(paths["overlays"], result.image, result.classes, project.dataset)
        write_mask(paths["masks"], result.classes, self.outputs.values, place)


def failure(one: Input, what: str, setting: str) -> Finding:
    return Finding(printable(str(one.path)), "error", what, setting)
