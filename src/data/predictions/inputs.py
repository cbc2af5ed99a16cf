"""What is to be predicted: images given as files, folders or lists, and what their results are called."""

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

LIST = ".txt"


@dataclass(frozen=True)
class Input:
    """An image to be predicted. name: its results' path below the output folder, without extension."""

    path: Path
    name: Path


def key_of(name: str) -> str:
    """The same for names that some system takes for one: in capital letters or not, composed or not."""
    return unicodedata.normalize("NFC", name).casefold()


def find_inputs(given: Sequence[Path], out: Path) -> tuple[list[Input], list[Finding]]:
    """The images among `given`, in the order of their names; an error for each that cannot be taken, a warning for
    other files in folders.

    given: image files, folders (searched with all that is below them) and text files that name such, one in each line.
    Names are the paths below the folder that all of `given` have in common, so one folder's are as they are in it, and
    those of two folders begin with them. Nothing below `out` is an input.
    """
    findings: list[Finding] = []
    places = [place for path in _listed(given) if (place := _plain(path, findings))]
    if not places and not findings:
        raise UserError("no images are named")
    output = out.resolve()
    if any(place.resolve().is_relative_to(output) for place in places):
        raise UserError(f"{out}: the inputs lie in it: choose another folder for the results")
    root = Path(os.path.commonpath([place if place.is_dir() else place.parent for place in places] or [Path("/")]))
    found = dict.fromkeys(path for place in places for path in _images(place, output, findings))
    inputs = sorted((Input(path, path.relative_to(root).with_suffix("")) for path in found), key=lambda one: one.name)
    if not inputs and not findings:
        raise UserError(f"no image in {', '.join(map(str, places))}; images are {', '.join(sorted(SUFFIXES))}")
    return _unmistakable(inputs, findings), findings


def shard(inputs: Sequence[Input], part: int, parts: int) -> list[Input]:
    """Every `parts`-th image from the `part`-th on, counted from 1: all parts together are all images."""
    return list(inputs[part - 1 :: parts])


def pixels_of(path: Path) -> int:
    """Of an image as its header says; 0 if it cannot be read, which reading itself will complain of."""
    try:
        if is_tiff(path):
            with open_tiff(path) as file:
                page = single_series(file, 0).keyframe
                return int(page.imagewidth * page.imagelength)
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # parsers of headers raise many kinds of error on damaged bytes
        return 0


def _plain(path: Path, findings: list[Finding]) -> Path | None:
    """The absolute path; the last link is left as it is, so that a linked image keeps the name that it was given by."""
    try:
        plain = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
        if plain.is_dir() or plain.is_file():
            return plain
        what = "is no file or folder"
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        what = f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    findings.append(Finding(printable(str(path)), "error", what, "check its name"))
    return None


def _listed(given: Iterable[Path]) -> Iterator[Path]:
    for path in given:
        if path.suffix.lower() == LIST and path.is_file():
            yield from map(Path, read_lines(path))
        else:
            yield path


def _images(place: Path, output: Path, findings: list[Finding]) -> Iterator[Path]:
    """The images at a place, a file or a folder; what is no image, or cannot be taken, is noted."""
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


def _unmistakable(inputs: Iterable[Input], findings: list[Finding]) -> list[Input]:
    """Those whose results have a name of their own, on every system; the others are noted."""
    named: dict[str, list[Input]] = {}
    for one in inputs:
        named.setdefault(key_of(one.name.as_posix()), []).append(one)
    for same in named.values():
        for one in same if len(same) > 1 else ():
            others = ", ".join(printable(other.path.name) for other in same if other is not one)
            what = f"its result would have the name of that of {others}"
            findings.append(Finding(printable(str(one.path)), "error", what, "rename it, or predict it by itself"))
    return [same[0] for same in named.values() if len(same) == 1]
