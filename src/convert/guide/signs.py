"""Signs of each annotation format in a folder: names of files and folders, and the keys of JSON files."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from src.convert.owners import MASK_FOLDERS, Owned, find_owners, is_mask
from src.convert.problems import Refused, parse_json
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted, some
from src.files import Content

MOST_READ = 20  # JSON files that are looked into, spread over all
MOST_CLASSES = 20  # names of suffixes or folders; more are objects
ARRAYS = {".npy", ".npz", ".mat"}
SECOND_MASK = re.compile(r"(mask)?[-_ ]?\d*", re.IGNORECASE)  # rest of the name of a mask that names no class


@dataclass(frozen=True)
class Recognised:
    """A format that a folder is in.

    Attributes:
        format: Its name on the command line of tools.convert.
        evidence: What shows it, in words.
        commands: The command that converts it; several if the user must decide.
        note: What else is needed, in words; "" if nothing.
    """

    format: str
    evidence: str
    commands: list[str]
    note: str = ""


@dataclass(frozen=True)
class Listed:
    """The files below a folder.

    Attributes:
        folder: The folder.
        files: The paths of all files below it.
    """

    folder: Path
    files: Sequence[PurePosixPath]

    def of(self, suffixes: set[str]) -> list[PurePosixPath]:
        """The files with one of these extensions."""
        return [file for file in self.files if file.suffix.lower() in suffixes]

    @property
    def pictures(self) -> list[PurePosixPath]:
        """The image files that are no masks."""
        return [file for file in self.of(SUFFIXES) if not is_mask(file)]

    def command(self, format_: str, *given: str) -> str:
        """The command that converts this folder, or a file of it, to a new folder next to it."""
        out = self.folder.resolve().parent / f"{self.folder.resolve().name}-converted"
        return shlex.join(["python", "-m", "tools.convert", format_, *given, "--out", str(out)])

    def images(self, file: PurePosixPath | None = None) -> list[str]:
        """The option that names the folder of images: those beside or below the file if there are any, else all."""
        near = [one for one in self.pictures if file is not None and one.is_relative_to(file.parent)] or self.pictures
        return ["--images", str(self.common(near)) if near else "FOLDER_OF_IMAGES"]

    def common(self, files: Sequence[PurePosixPath]) -> Path:
        """The deepest folder that holds all of these files."""
        parents = [file.parent.parts for file in files]
        shared = 0
        while all(len(parts) > shared and parts[shared] == parents[0][shared] for parts in parents):
            shared += 1
        return self.folder.joinpath(*parents[0][:shared])


def signs_of_formats(listed: Listed) -> list[Recognised]:
    """Find the formats that a folder may be in; empty if none is recognised.

    Several masks for an image count only if nothing else is there, since exports may hold masks, too.
    """
    found = [*_voc(listed), *_yolo(listed), *_json(listed), *_arrays(listed)]
    return found or list(_several_masks(listed))


def _voc(listed: Listed) -> Iterator[Recognised]:
    if (listed.folder / "labelmap.txt").is_file():
        yield Recognised("voc", "labelmap.txt is there", [listed.command("voc", str(listed.folder))])


def _yolo(listed: Listed) -> Iterator[Recognised]:
    texts = [file for file in listed.of({".txt"}) if "labels" in file.parts[:-1]]
    images = [file for file in listed.pictures if "images" in file.parts[:-1]]
    if texts and images:
        evidence = f"{len(images)} image(s) in images/ and {len(texts)} text file(s) in labels/"
        named = any((listed.folder / name).is_file() for name in ("data.yaml", "classes.txt"))
        note = "" if named else "neither data.yaml nor classes.txt names the classes: add --names"
        yield Recognised("yolo", evidence, [listed.command("yolo", str(listed.folder))], note)


def _json(listed: Listed) -> Iterator[Recognised]:
    """Formats of JSON files: those for one file of all annotations, and those for a file for each image."""
    files = listed.of({".json", ".geojson"})
    by_format: dict[str, list[PurePosixPath]] = defaultdict(list)
    for file in files[:: -(-len(files) // MOST_READ) or 1]:
        try:
            content = parse_json(listed.folder / file, "latin-1")
        except Refused:
            continue
        for name, fits in KEYS.items():
            if fits(content):
                by_format[name].append(file)
    for name, fitting in by_format.items():
        evidence = f"{quoted(str(fitting[0]))} has its keys"
        if name in ("labelme", "geojson"):
            folder = listed.common(fitting)
            beside = any(file.parent == fitting[0].parent for file in listed.pictures)
            images = [] if beside and name == "labelme" else listed.images()
            commands = [listed.command(name, str(folder), *images)]
        else:
            commands = [listed.command(name, str(listed.folder / file), *listed.images(file)) for file in fitting]
        note = "" if listed.pictures else "no images are there: replace FOLDER_OF_IMAGES"
        if len(commands) > 1:
            note = f"{note}; " * bool(note) + "each file becomes a data set of its own: give each another --out"
        yield Recognised(name, evidence, commands, note)


def _is_coco(content: Content) -> bool:
    return _has(content, "images", "annotations", "categories")


def _is_labelme(content: Content) -> bool:
    return _has(content, "shapes", "imagePath")


def _is_label_studio(content: Content) -> bool:
    return isinstance(content, list) and bool(content) and _has(content[0], "data", "annotations")


def _is_geojson(content: Content) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    return _has(first, "type") and first["type"] in ("Feature", "FeatureCollection")


def _is_via(content: Content) -> bool:
    if _has(content, "_via_img_metadata"):
        return True
    return (
        isinstance(content, dict)
        and bool(content)
        and all(_has(one, "filename", "regions") for one in content.values())
    )


def _has(content: Content, *keys: str) -> bool:
    return isinstance(content, dict) and {*keys} <= content.keys()


KEYS: Mapping[str, Callable[[Content], bool]] = {
    "coco": _is_coco,
    "labelme": _is_labelme,
    "label-studio": _is_label_studio,
    "geojson": _is_geojson,
    "via": _is_via,
}


def _arrays(listed: Listed) -> Iterator[Recognised]:
    if arrays := listed.of(ARRAYS):
        near = {file.parent for file in arrays} == {file.parent for file in listed.pictures}
        images = [] if near else listed.images()
        note = "if they hold several values, add --names, or --objects if these number objects"
        if not listed.pictures:
            note += "; no images are there: replace FOLDER_OF_IMAGES"
        folder = str(listed.common(arrays))
        evidence = f"{len(arrays)} array(s), the first is {quoted(str(arrays[0]))}"
        yield Recognised("arrays", evidence, [listed.command("arrays", folder, *images)], note)


def _several_masks(listed: Listed) -> Iterator[Recognised]:
    """Several mask files for an image; what a file holds follows from the rests of names, if it is clear."""
    masks = [file for file in listed.of(SUFFIXES) if is_mask(file)]
    try:
        owners = find_owners(listed.pictures, masks)
    except UserError:
        return
    counts = Counter(owned.image for owned in owners.values())
    if not counts or (max(counts.values()) < 2 and _is_plain(listed.folder, masks)):
        return
    image, most = counts.most_common(1)[0]
    evidence = f"{len(masks)} masks for {len(counts)} image(s); {quoted(str(image))} has {most}"
    kinds, note = _kinds(list(owners.values()))
    commands = [listed.command("masks", str(listed.folder), "--each", kind) for kind in kinds]
    yield Recognised("masks", evidence, commands, note)


def _is_plain(folder: Path, masks: Sequence[PurePosixPath]) -> bool:
    """Whether the folder is laid out as a data set, with a single mask for each image."""
    return (folder / "images").is_dir() and all(mask.parts[0].lower() in MASK_FOLDERS for mask in masks)


def _kinds(owned: Sequence[Owned]) -> tuple[list[str], str]:
    """What a mask file may hold, the likelier one first, and the reason."""
    names = Counter(one.folder or one.suffix for one in owned)
    if all(SECOND_MASK.fullmatch(name) for name in names):
        return ["part", "object"], "part: one class; object: the same, with numbered objects"
    if len(names) <= MOST_CLASSES and min(names.values()) > 1:
        return ["class"], f"as classes: {some(sorted(names), MOST_CLASSES, str)}"
    return ["object"], "each file is an object; add --names to name their class"
