"""Find the images to predict among files, folders and lists, and name their results."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from src.data.reading.images import SUFFIXES
from src.data.reading.tiff import is_tiff, open_tiff, single_series
from src.data.reading.unreadable import Finding
from src.data.source.dataset import read_lines
from src.data.source.links import files_below
from src.errors import UserError, printable

LIST = ".txt"  # suffix of a text file that names images and folders


@dataclass(frozen=True)
class Input:
    """An image to predict.

    Attributes:
        path: The image file.
        name: Path of its results below a folder of results, without extension.
    """

    path: Path
    name: Path


def name_key(name: str) -> str:
    """A key that is equal for names that some file system treats as one: case and Unicode composition do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def find_inputs(given: Sequence[Path], out: Path) -> tuple[list[Input], list[Finding]]:
    """Find the images to predict.

    Names are paths below the deepest folder that contains everything in `given`. The results of one folder are
    therefore named as in it; those of two folders begin with the names of the folders.

    Args:
        given: Image files, folders (searched with their subfolders), and text files with one such path per line.
        out: The folder for results. Files in it are never inputs.

    Returns:
        The images in the order of their names; and an error for each image that cannot be predicted, a warning for
        each other file in a folder.

    Raises:
        UserError: Nothing is given, there is no image, or an input lies in `out`.
    """
    findings: list[Finding] = []
    places = [place for path in _listed(given) if (place := _absolute(path, findings))]
    if not places and not findings:
        raise UserError("no images are named")
    output = out.resolve()
    if any(place.resolve().is_relative_to(output) for place in places):
        raise UserError(f"{out}: the inputs are in this folder: choose another folder for the results")
    root = Path(os.path.commonpath([place if place.is_dir() else place.parent for place in places] or [Path("/")]))
    found = dict.fromkeys(path for place in places for path in _images(place, output, findings))
    inputs = sorted((Input(path, path.relative_to(root).with_suffix("")) for path in found), key=lambda one: one.name)
    if not inputs and not findings:
        raise UserError(f"no image in {', '.join(map(str, places))}; images are {', '.join(sorted(SUFFIXES))}")
    return _with_own_names(inputs, findings), findings


def shard(inputs: Sequence[Input], part: int, parts: int) -> list[Input]:
    """Select the images of one of several parts. Together, the parts are all images, each once.

    Args:
        inputs: All images.
        part: Number of the part, from 1.
        parts: The number of parts.

    Returns:
        Every `parts`-th image, starting at position `part`.
    """
    return list(inputs[part - 1 :: parts])


def pixel_count(path: Path) -> int:
    """The number of pixels of an image as its header says, 0 if the header cannot be read."""
    try:
        if is_tiff(path):
            with open_tiff(path) as file:
                page = single_series(file, 0).keyframe
                return int(page.imagewidth * page.imagelength)
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # parsers of headers raise many kinds of error on damaged bytes
        return 0


def _absolute(path: Path, findings: list[Finding]) -> Path | None:
    """The absolute path. Its last link is not followed, so that a linked image keeps the name that was given."""
    try:
        absolute = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
        if absolute.is_dir() or absolute.is_file():
            return absolute
        what = "no such file or folder"
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        what = f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    findings.append(Finding(printable(str(path)), "error", what, "check its name"))
    return None


def _listed(given: Iterable[Path]) -> Iterator[Path]:
    """The given paths, with the lines of a text file in its place."""
    for path in given:
        if path.suffix.lower() == LIST and path.is_file():
            yield from map(Path, read_lines(path))
        else:
            yield path


def _images(place: Path, output: Path, findings: list[Finding]) -> Iterator[Path]:
    """The images at a file or below a folder. Other files, and images that cannot be used, become findings."""
    if not place.is_dir():
        yield place
        return
    for path, problem in files_below(place, place.resolve()):
        if path.resolve().is_relative_to(output):
            continue
        if problem:
            findings.append(Finding(printable(str(path)), "error", *problem))
        elif path.suffix.lower() in SUFFIXES:
            yield path
        else:
            setting = f"images are {', '.join(sorted(SUFFIXES))}"
            findings.append(Finding(printable(str(path)), "warning", "is left out: no image by its extension", setting))


def _with_own_names(inputs: Iterable[Input], findings: list[Finding]) -> list[Input]:
    """The images whose results have a unique name on every file system. The others become findings."""
    named: dict[str, list[Input]] = {}
    for one in inputs:
        named.setdefault(name_key(one.name.as_posix()), []).append(one)
    for same in named.values():
        for one in same if len(same) > 1 else ():
            others = ", ".join(printable(other.path.name) for other in same if other is not one)
            what = f"its result would have the same name as that of {others}"
            findings.append(Finding(printable(str(one.path)), "error", what, "rename it, or predict it by itself"))
    return [same[0] for same in named.values() if len(same) == 1]
