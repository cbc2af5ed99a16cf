"""YOLO segmentation: a text file for each image, with a class index and the corners of a polygon in every line."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from src.convert.annotations import Annotations, Item, Options, Shape, box, classes_of, number, polygon
from src.convert.frame import Frame, decide, read_header
from src.convert.names import locate, safe_name, walk
from src.convert.problems import Findings, Refused, quoted
from src.data.images import SUFFIXES
from src.errors import UserError
from src.files import read_text, read_yaml
from src.progress import progress

IMAGES, LABELS = "images", "labels"
NAMES, LIST = "data.yaml", "classes.txt"
OFFICIAL = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
Line = list[float]  # class index, then the coordinates as shares of width and height


def read_yolo(folder: Path, options: Options, names: Sequence[str] | None = None) -> Annotations:
    """Read `folder` with images/ and labels/, each with the same folders in it; or with these two in folders of it.

    Classes are numbered by their index in data.yaml, classes.txt, or `names`. An image whose text file is empty or
    missing shows none of them. Larger shapes lie beneath smaller ones. Folders called train, val and test are kept as
    the official division.
    """
    findings = Findings()
    label_of = dict(enumerate(names)) if names else _read_names(folder)
    values = number([label_of[index] for index in sorted(label_of)], folder)
    value_of = {index: values[name] for index, name in label_of.items()}
    items = []
    for root in _roots(folder):
        below = PurePosixPath(root.relative_to(folder).as_posix())
        images, labels = _images(root, findings), _labels(root, findings)
        for name in progress(images, len(images), f"read {root}"):
            with findings.collect(f"{root.name}/{IMAGES}/{name}"):
                label = labels.get(name.with_suffix(""))
                items.append(_item(root, below / name, name, label, value_of, options))
        _check_folders(root, images, labels, findings)
    return Annotations(classes_of(values), items, True, [folder], findings, _subsets(items))


def _read_names(folder: Path) -> dict[int, str]:
    """Class index → name, from the list or mapping `names` in data.yaml, or else the lines of classes.txt."""
    if (folder / NAMES).is_file():
        content = read_yaml(folder / NAMES)
        if isinstance(content, dict) and "kpt_shape" in content:
            raise UserError(f"{folder / NAMES}: describes key points (kpt_shape), not polygons")
        names = content.get("names") if isinstance(content, dict) else None
        names = dict(enumerate(names)) if isinstance(names, list) else names
        if isinstance(names, dict) and all(
            type(index) is int and type(name) in (str, int) for index, name in names.items()
        ):
            return {index: str(name) for index, name in names.items()}
        raise UserError(f"{folder / NAMES}: names must be a list of class names, or a mapping from index to name")
    if (folder / LIST).is_file():
        return dict(enumerate(line.strip() for line in read_text(folder / LIST).splitlines() if line.strip()))
    raise UserError(f"{folder}: neither {NAMES} nor {LIST} there names the classes; say --names")


def _roots(folder: Path) -> list[Path]:
    """The folders that hold images/: `folder` itself or, as in Roboflow's exports, those in it."""
    roots = [folder] if (folder / IMAGES).is_dir() else sorted(path.parent for path in folder.glob(f"*/{IMAGES}"))
    if not roots:
        raise UserError(f"{folder}: neither {IMAGES}/ nor a folder with {IMAGES}/ is there")
    return roots


def _images(root: Path, findings: Findings) -> list[PurePosixPath]:
    """The images below the images/ of `root`; other files there are a warning."""
    files = walk(root / IMAGES, None, findings)
    images = [name for name in files if name.suffix.lower() in SUFFIXES]
    if len(images) < len(files):
        first = next(name for name in files if name.suffix.lower() not in SUFFIXES)
        what = f"{len(files) - len(images)} file(s) of another kind are left out; the first is {quoted(str(first))}"
        findings.warn(str(root / IMAGES), what, f"images are {', '.join(sorted(SUFFIXES))}: convert others")
    return images


def _labels(root: Path, findings: Findings) -> dict[PurePosixPath, PurePosixPath]:
    """The text files below the labels/ of `root`, by their path without the extension."""
    names = [name for name in walk(root / LABELS, {".txt"}, findings) if name.name != LIST]
    return {name.with_suffix(""): name for name in names}


def _item(
    root: Path,
    target: PurePosixPath,
    name: PurePosixPath,
    label: PurePosixPath | None,
    value_of: dict[int, int],
    options: Options,
) -> Item:
    """The image `name` below the images/ of `root`, with the shapes of its text file, if it has one."""
    target = safe_name(str(target))
    path = locate(root / IMAGES, name)
    lines = _read_lines(locate(root / LABELS, label)) if label else []
    boxed = [position for position, line in lines if len(line) == 5]
    if boxed and not options.boxes:
        what = f"lines of {LABELS}/{label} are boxes, not polygons: {len(boxed)} of {len(lines)}"
        raise Refused(what, "export polygons, or fill the boxes with --boxes")
    frame = decide(read_header(path), None, options.coordinates if lines else "shown")  # an empty mask has no way up
    shapes = []
    for position, line in lines:
        try:
            shapes.append(_shape(line, value_of, frame, options))
        except Refused as error:
            raise Refused(f"line {position} of {LABELS}/{label}: {error}", error.remedy) from None
    return Item(target, path, frame, shapes)


def _read_lines(path: Path) -> list[tuple[int, Line]]:
    """Each line with text, and its number in the file."""
    try:
        text = read_text(path)
        return [
            (at, [float(word) for word in line.split()]) for at, line in enumerate(text.splitlines(), 1) if line.strip()
        ]
    except UserError:
        raise Refused("its text file cannot be read, or is not UTF-8", "export it again") from None
    except ValueError as error:
        raise Refused(f"its text file holds something else than numbers: {error}", "export it again") from None


def _shape(line: Line, value_of: dict[int, int], frame: Frame, options: Options) -> Shape:
    index, *shares = line
    if index not in value_of:
        raise Refused(f"class {index:g} has no name", f"name it in {NAMES} or --names, or correct it")
    if len(shares) % 2:
        raise Refused(f"{len(line)} numbers are neither a box nor a polygon", "export polygons")
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        points = np.array(shares).reshape(-1, 2) * (frame.width, frame.height)
    if len(shares) == 4:
        (x, y), (width, height) = points.tolist()
        return box(value_of[int(index)], (x - width / 2, y - height / 2, x + width / 2, y + height / 2), frame, options)
    return polygon(value_of[int(index)], [points], frame, options)


def _check_folders(
    root: Path, images: list[PurePosixPath], labels: dict[PurePosixPath, PurePosixPath], findings: Findings
) -> None:
    """An error for every text file without an image, a warning for every folder of images without a text file."""
    stems = {name.with_suffix("") for name in images}
    for stem, label in labels.items():
        if stem not in stems:
            with findings.collect(f"{LABELS}/{label}"):
                kinds = ", ".join(sorted(SUFFIXES))
                raise Refused(f"has no image in {root / IMAGES}", f"add it ({kinds}), or remove the text file")
    for folder in sorted({stem.parent for stem in stems} - {stem.parent for stem in labels}):
        what = f"no image in it has a text file below {root / LABELS}, so all are taken for background"
        findings.warn(f"{IMAGES}/{folder}", what, "leave the folder out if nobody annotated it")


def _subsets(items: list[Item]) -> dict[str, list[PurePosixPath]]:
    """The official division, if the topmost folders are called so. Of train and validation alone, train is not fixed:
    the pipeline takes its test images from there.
    """
    subsets: dict[str, list[PurePosixPath]] = {}
    for item in items:
        if len(item.name.parts) > 1 and item.name.parts[0] in OFFICIAL:
            subsets.setdefault(OFFICIAL[item.name.parts[0]], []).append(item.name)
    complete = len(subsets) == 3 and sum(map(len, subsets.values())) == len(items)
    return subsets if complete else {subset: names for subset, names in subsets.items() if subset != "train"}
