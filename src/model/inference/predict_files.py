"""Predict many image files: read ahead, predict, write behind. A bad file stops nothing, finished files are kept."""

import errno
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.crops.normalise import UNLIKE, has_other_range
from src.data.crops.resize import TooLarge
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
from src.model.inference.predictor import Labels, Logits, Predictor
from src.model.network.device import is_out_of_memory
from src.progress import MegapixelProgress, parallel_map

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # no other image could be written, either
Pixels = NDArray[np.uint8 | np.uint16 | np.float32]
Draw = Callable[[Path, Pixels, Labels, Dataset], None]


@dataclass(frozen=True)
class ResultFiles:
    """The results that are written for each image, and their folder.

    Attributes:
        folder: masks, overlays and probabilities are folders in it.
        masks: folder of masks below `folder` → the stored value of each label, see `mask_tables`.
        probability_type: number type of the probabilities; None: they are not written.
        draw: writes a picture of the prediction over its image; None: there are no pictures.
    """

    folder: Path
    masks: Mapping[str, Pixels]
    probability_type: str | None = None
    draw: Draw | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of results, as finished.jsonl lists them."""
        pictures = ["overlays"] if self.draw else []
        probabilities = [f"probabilities {self.probability_type}"] if self.probability_type else []
        return [*self.masks, *pictures, *probabilities]

    def paths(self, name: Path, suffix: str) -> dict[str, Path]:
        """Name the files of an image's results.

        Args:
            name: of the image, without suffix, relative to the folder of a kind of result.
            suffix: of the masks.

        Returns:
            Kind of result → file.

        Raises:
            UserError: a link leads a result out of the folder.
        """
        suffixes = dict.fromkeys(self.masks, suffix) | ({"overlays": ".png"} if self.draw else {})
        suffixes |= {"probabilities": ".tif"} if self.probability_type else {}
        folder = self.folder
        return {
            kind: check_inside(folder, folder / kind / name.with_name(name.name + end))
            for kind, end in suffixes.items()
        }


@dataclass(frozen=True)
class Image:
    """An image that was read.

    Attributes:
        pixels: [height, width, channels].
        state: size and time of its file.
        place: orientation and georeference, which the results take over.
        paths: kind of result → file.
    """

    pixels: Pixels
    state: FileState
    place: Georeference
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class Predicted:
    """The prediction of an image.

    Attributes:
        image: what was predicted.
        classes: class indices [height, width].
        probabilities: as they are stored, [height, width, n]; None if they are not wanted.
    """

    image: Image
    classes: Labels
    probabilities: Pixels | None


class Prediction:
    """Predicts many images with one network.

    Attributes:
        predictor: the network and its decisions.
        outputs: the results to write.
        finished: the images that are done, also by earlier runs.
        failed: one finding for each image without a result.
        has_other_range: images whose intensities are in another range than those of the training images.
    """

    def __init__(self, predictor: Predictor, outputs: ResultFiles, finished: ResumeLog) -> None:
        self.predictor, self.outputs, self.finished = predictor, outputs, finished
        self.failed: list[Finding] = []
        self.has_other_range: list[str] = []

    @property
    def warning(self) -> str:
        """The warning about images in another range than the training images; empty if there are none."""
        if not self.has_other_range:
            return ""
        return (
            f"{len(self.has_other_range)} image(s) are at least {UNLIKE:g} times darker or brighter than the training images. "  # noqa: E501
            "Their masks may be wrong. Check that bit depth and scale are those of the training images: "
            f"{some(self.has_other_range, show=str)}"
        )

    def run(self, inputs: Sequence[Input]) -> MegapixelProgress:
        """Predict all inputs and write their results.

        Returns:
            How much was predicted, and how fast.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        self.outputs.folder.mkdir(parents=True, exist_ok=True)
        sizes = [pixel_count(one.path) for one in inputs]
        with MegapixelProgress("predict", sum(sizes)) as meter, ThreadPoolExecutor(1) as writer:
            writing: Future[Finding | None] | None = None
            images = parallel_map(self._read, inputs, threads=1, waiting=2)
            for one, size, image in zip(inputs, sizes, images, strict=True):
                before = meter.done
                result = image if isinstance(image, Finding) else self._predicted(one, image, meter)
                meter.expect(meter.done - before - size)  # the header was wrong, or the image failed
                self._note(writing.result() if writing else None)
                writing = None if isinstance(result, Finding) else writer.submit(self._write, one, result)
                self._note(result)
            self._note(writing.result() if writing else None)
        return meter

    def _note(self, result: object) -> None:
        if isinstance(result, Finding):
            self.failed.append(result)

    def _read(self, one: Input) -> Image | Finding:
        channels, folder = self.predictor.project.channels, self.outputs.folder
        try:
            state = FileState.of(one.path)
            pixels = read_image(one.path, channels, folder)
            values = next(iter(self.outputs.masks.values()))  # all masks of an image have one suffix
            paths = self.outputs.paths(one.name, mask_suffix(values, one.path, pixels.shape[:2]))
            return Image(pixels, state, read_georeference(one.path, channels), paths)
        except Unreadable as error:
            return _failure(one, str(error), error.setting)
        except OSError as error:
            return _failure(one, f"cannot be read: {error.strerror}", "check the file")
        except MemoryError:
            return _failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _predicted(self, one: Input, image: Image, meter: MegapixelProgress) -> Predicted | Finding:
        predictor, size, scratch = self.predictor, image.pixels.shape[:2], self.outputs.folder
        try:
            windows = predictor.tiles(image.pixels)
            classes = allocate(size, np.uint8, scratch)
            probability_type, stored = self.outputs.probability_type, None
            if probability_type:
                stored = allocate((*size, predictor.outputs.number), probability_type, scratch)
            for window, logits in windows:
                classes[window] = predictor.decide(logits)
                release(classes)
                if stored is not None:
                    stored[window] = self._stored_probabilities(logits)
                    release(stored)
                meter.add(logits.shape[0] * logits.shape[1])
            if predictor.project.normalise != "image" and has_other_range(image.pixels, predictor.project.mean):
                self.has_other_range.append(printable(str(one.path)))
            return Predicted(image, predictor.postprocess(classes), stored)
        except TooLarge:
            what = "is too long for the model's data.resize, which would enlarge it"
            return _failure(one, what, "cut it, or train with a lower data.resize")
        except UserError as error:
            wanted = f"{predictor.channels} channel(s) of {predictor.project.dtype}"
            return _failure(one, str(error), f"convert it to {wanted}")
        except (MemoryError, tf.errors.OpError) as error:
            if isinstance(error, tf.errors.OpError) and not is_out_of_memory(error):
                raise
            return _failure(one, "does not fit into memory", "cut it, or save it as TIFF in tiles")

    def _stored_probabilities(self, logits: Logits) -> Pixels:
        """Probabilities as stored, [rows, columns, n]: with two classes of the second alone, else of each class."""
        meaning, temperature = self.predictor.outputs, self.predictor.project.decisions.temperature
        found = meaning.probabilities(logits, temperature)[..., -meaning.number :]
        eight_bit = self.outputs.probability_type == "uint8"
        return np.asarray((found * 255).round() if eight_bit else found).astype(self.outputs.probability_type)

    def _write(self, one: Input, result: Predicted) -> Finding | None:
        """Write the results of an image, the masks last. An error of this image alone does not stop the others."""
        image, project = result.image, self.predictor.project
        try:
            if result.probabilities is not None:
                names = project.classes[-self.predictor.outputs.number :]
                overlap = project.dataset.overlap
                path = image.paths["probabilities"]
                write_probabilities(path, result.probabilities, names, image.place, overlap=overlap)
            if self.outputs.draw:
                self.outputs.draw(image.paths["overlays"], image.pixels, result.classes, project.dataset)
            for folder, values in self.outputs.masks.items():
                write_mask(image.paths[folder], result.classes, values, image.place)
        except OSError as error:
            if error.errno in DISK_ERRORS:
                raise
            return _failure(one, f"its result cannot be written: {error.strerror}", "rename it")
        except Exception as error:  # each library has its own errors for what a format cannot hold
            what = f"its result cannot be written: {type(error).__name__}: {error}"
            return _failure(one, what, "save it as PNG, or report this")
        self.finished.add(one, image.state, self.outputs.kinds, image.paths.values())
        return None


def _failure(one: Input, what: str, setting: str) -> Finding:
    return Finding(printable(str(one.path)), "error", what, setting)
