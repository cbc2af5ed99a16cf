"""Prediction of many images: read ahead, predict, write behind; a bad file stops nothing, a finished one is kept."""

import errno
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.crops.normalise import UNLIKE, other_range
from src.data.predictions.inputs import Input, pixel_count
from src.data.predictions.prediction_files import (
    Georeference,
    allocate,
    check_inside,
    mask_suffix,
    read_georeference,
    write_mask,
    write_probabilities,
)
from src.data.predictions.resume_log import FileState, ResumeLog
from src.data.reading.images import read_image
from src.data.reading.unreadable import Finding, Unreadable
from src.data.source.dataset import Dataset
from src.data.store.store import release
from src.errors import UserError, printable, some
from src.evaluation.metrics.calibration import probabilities
from src.model.inference.predictor import Predictor, classes_of
from src.progress import MegapixelProgress, parallel_map

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # no other image could be written, either
Pixels = NDArray[Any]
Draw = Callable[[Path, Pixels, NDArray[np.uint8], Dataset], None]


@dataclass(frozen=True)
class Outputs:
    """What is written of each image, and where.

    values: see `mask_values`. shares: the number type of the probabilities, None for none. draw: how a picture of the
    prediction over its image is written, None for none.
    """

    folder: Path
    values: Pixels
    shares: str | None = None
    draw: Draw | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of results of an image, as they are noted."""
        pictures = ["overlays"] if self.draw else []
        return ["masks", *pictures, *([f"probabilities {self.shares}"] if self.shares else [])]

    def paths(self, name: Path, suffix: str) -> dict[str, Path]:
        """Folder of a kind of result → its file; suffix: of the mask."""
        suffixes = {"masks": suffix} | ({"overlays": ".png"} if self.draw else {})
        suffixes |= {"probabilities": ".tif"} if self.shares else {}
        folder = self.folder
        return {
            kind: check_inside(folder, folder / kind / name.with_name(name.name + end))
            for kind, end in suffixes.items()
        }


@dataclass(frozen=True)
class Image:
    """An image read: [height, width, channels], of which state of its file, where it lies, where its results go."""

    pixels: Pixels
    state: FileState
    place: Georeference
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class Predicted:
    """An image, its class indices [height, width], its probabilities [height, width, n] if wanted."""

    image: Image
    classes: NDArray[np.uint8]
    shares: Pixels | None


class Prediction:
    """Many images by one network.

    Attributes:
        failed: why an image has no result, for each of these.
        unlike: images whose intensities are in another range than those of the training.
    """

    def __init__(self, predictor: Predictor, outputs: Outputs, finished: ResumeLog) -> None:
        self.predictor, self.outputs, self.finished = predictor, outputs, finished
        self.failed: list[Finding] = []
        self.unlike: list[str] = []

    @property
    def warning(self) -> str:
        """What to say about images in another range than the training images; empty if there is none."""
        if not self.unlike:
            return ""
        return (
            f"{len(self.unlike)} image(s) are at least {UNLIKE:g} times darker or brighter than the training images. "
            "Their masks may be wrong. Check that bit depth and scale are those of the training images: "
            f"{some(self.unlike, show=str)}"
        )

    def run(self, inputs: Sequence[Input]) -> MegapixelProgress:
        """Predict and write all of `inputs`; what was done, and how fast. `OSError` if the disk takes no more."""
        self.outputs.folder.mkdir(parents=True, exist_ok=True)
        sizes = [pixel_count(one.path) for one in inputs]
        with MegapixelProgress("predict", sum(sizes)) as meter, ThreadPoolExecutor(1) as writer:
            writing: Future[Finding | None] | None = None
            images = parallel_map(self._read, inputs, threads=1, waiting=2)
            for one, size, image in zip(inputs, sizes, images, strict=True):
                before = meter.done
                result = image if isinstance(image, Finding) else self._predicted(one, image, meter)
                meter.expect(meter.done - before - size)  # the header was wrong, or nothing came of it
                self._note(writing.result() if writing else None)
                writing = None if isinstance(result, Finding) else writer.submit(self._write, one, result)
                self._note(result)
            self._note(writing.result() if writing else None)
        return meter

    def _note(self, result: object) -> None:
        if isinstance(result, Finding):
            self.failed.append(result)

    def _read(self, one: Input) -> Image | Finding:
        channels, folder, values = self.predictor.project.channels, self.outputs.folder, self.outputs.values
        try:
            state = FileState.of(one.path)
            pixels = read_image(one.path, channels, folder)
            paths = self.outputs.paths(one.name, mask_suffix(values, one.path, pixels.shape[:2]))
            return Image(pixels, state, read_georeference(one.path, channels), paths)
        except Unreadable as error:
            return failure(one, str(error), error.setting)
        except OSError as error:
            return failure(one, f"cannot be read: {error.strerror}", "check the file")
        except MemoryError:
            return failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _predicted(self, one: Input, image: Image, meter: MegapixelProgress) -> Predicted | Finding:
        predictor, size, scratch = self.predictor, image.pixels.shape[:2], self.outputs.folder
        try:
            windows = predictor.tiles(image.pixels)
            classes = allocate(size, np.uint8, scratch)
            shares = allocate((*size, predictor.outputs), self.outputs.shares, scratch) if self.outputs.shares else None
            for window, logits in windows:
                classes[window] = classes_of(logits, predictor.cut)
                release(classes)
                if shares is not None:
                    shares[window] = self._shares(logits)
                    release(shares)
                meter.add(logits.shape[0] * logits.shape[1])
            if predictor.project.normalise == "dataset" and other_range(image.pixels, predictor.project.mean):
                self.unlike.append(printable(str(one.path)))
            return Predicted(image, predictor.tidied(classes), shares)
        except UserError as error:
            wanted = f"{predictor.channels} channel(s) of {predictor.project.dtype}"
            return failure(one, str(error), f"convert it to {wanted}")
        except (MemoryError, tf.errors.ResourceExhaustedError):
            return failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _shares(self, logits: NDArray[np.float32]) -> Pixels:
        """Probabilities as stored, [rows, columns, n]: of two classes that of the second alone, else of each."""
        found = probabilities(logits, self.predictor.project.decisions.temperature)[..., -self.predictor.outputs :]
        return np.asarray((found * 255).round() if self.outputs.shares == "uint8" else found).astype(
            self.outputs.shares
        )

    def _write(self, one: Input, result: Predicted) -> Finding | None:
        """The results of an image, the mask last; what is wrong with this image alone stops no other."""
        image, project = result.image, self.predictor.project
        try:
            if result.shares is not None:
                names = project.classes[-self.predictor.outputs :]
                write_probabilities(image.paths["probabilities"], result.shares, names, image.place)
            if self.outputs.draw:
                self.outputs.draw(image.paths["overlays"], image.pixels, result.classes, project.dataset)
            write_mask(image.paths["masks"], result.classes, self.outputs.values, image.place)
        except OSError as error:
            if error.errno in OF_THE_DISK:
                raise
            return failure(one, f"its result cannot be written: {error.strerror}", "rename it")
        except Exception as error:  # what a format cannot hold, each library says in its own way
            what = f"its result cannot be written: {type(error).__name__}: {error}"
            return failure(one, what, "save it as PNG, or report this")
        self.finished.add(one, image.state, self.outputs.kinds, image.paths.values())
        return None


def failure(one: Input, what: str, setting: str) -> Finding:
    return Finding(printable(str(one.path)), "error", what, setting)
