"""Reads YOLO segmentation: a text file per image, with a class index and the points of a polygon in every line."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from src.convert.annotations import Annotations, Item, Options, Shape, official_subsets
from src.convert.classes import classes_by_value, number_classes, warn_of_unclear_names
from src.convert.frame import Frame, read_header, resolve_frame
from src.convert.names import list_files, locate, safe_name
from src.convert.problems import Findings, Refused, located
from src.convert.regions import Points
from src.convert.shapes import box_shape, excess_of, polygon_shape
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted
from src.files import read_text, read_yaml
from src.progress import progress

IMAGES, LABELS = "images", "labels"
HOLES = "run the outline into the hole and back, in one polygon"
NAMES, LIST = "data.yaml", "classes.txt"
MOST_NAMED = 5  # classes in one warning
MOST_SHARE = 2.0  # a coordinate above this, or below 1 - this, is in pixels; a share of the size is from 0 to 1
OFFICIAL = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
Line = list[float]  # class index, then the coordinates as shares of width and height


def read_yolo(folder: Path, options: Options, names: Sequence[str] | None = None) -> Annotations:
    """Read an export in YOLO's layout.

    Classes are numbered by their index in data.yaml, classes.txt, or `names`. An image whose text file is empty or
    missing shows no class. Larger shapes are drawn below smaller ones. Folders called train, val and test become the
    official division.

    Args:
        folder: Holds images/ and labels/ with the same folders in both, or folders that hold these two.
        options: The user's decisions.
        names: The class names in the order of their index; None: data.yaml or classes.txt names them.

    Raises:
        UserError: There are no images, no class names, or class names that cannot be used.
    """
    findings = Findings(options.skip_degenerate)
    label_of = _class_names(folder, names, findings)
    values = number_classes([label_of[index] for index in sorted(label_of)], folder)
    warn_of_unclear_names([label_of[index] for index in sorted(label_of)], str(folder), findings)
    value_of = {index: values[name] for index, name in label_of.items()}
    items = []
    for root in _roots(folder):
        below = PurePosixPath(root.relative_to(folder).as_posix())
        images, labels = _images(root, findings), _labels(root, findings)
        for name in progress(images, len(images), f"read {root}"):
            where, label = f"{root.name}/{IMAGES}/{name}", labels.get(name.with_suffix(""))
            with findings.collect(where):
                lines = _read_lines(locate(root / LABELS, label)) if label else []
                _refuse_boxes(lines, options, f"{LABELS}/{label}")
                item = _item(below / name, locate(root / IMAGES, name), lines, options)
                items.append(item)
                for position, line in lines:
                    with findings.collect(where), located(f"line {position} of {LABELS}/{label}"):
                        item.shapes.append(_shape(line, value_of, item.frame, options))
        _check_folders(root, images, labels, findings)
    subsets = _subsets(folder, items, findings)
    return Annotations(classes_by_value(values), items, True, [folder], findings, HOLES, subsets)


def _class_names(folder: Path, given: Sequence[str] | None, findings: Findings) -> dict[int, str]:
    """Class index → name, from `given`, else data.yaml, else classes.txt, with a warning if these differ."""
    sources = {"--names": dict(enumerate(given))} if given else {}
    if (folder / NAMES).is_file():
        sources |= {NAMES: names} if (names := _names_in_yaml(folder / NAMES, not given, findings)) else {}
    if (folder / LIST).is_file():
        lines = [line.strip() for line in read_text(folder / LIST).splitlines()]
        sources[LIST] = dict(enumerate(line for line in lines if line))
    if not sources:
        raise UserError(f"{folder}: neither {NAMES} nor {LIST} there names the classes; give them with --names")
    (used, chosen), *others = sources.items()
    for source, other in others:
        indices = sorted(chosen.keys() | other.keys())
        if different := [index for index in indices if chosen.get(index) != other.get(index)]:
            shown = "; ".join(
                f"{index}: {_shown(other, index)} here, {_shown(chosen, index)} there"
                for index in different[:MOST_NAMED]
            )
            what = f"{len(different)} class name(s) differ from those in {used}, which are used: {shown}"
            findings.warn(str(folder / source), what, "check which names belong to the labels")
    return chosen


def _shown(names: dict[int, str], index: int) -> str:
    return quoted(names[index]) if index in names else "no name"


def _names_in_yaml(path: Path, needed: bool, findings: Findings) -> dict[int, str]:
    """Class index → name, from the list or mapping `names` in data.yaml; empty if it is missing and not needed."""
    content = read_yaml(path)
    if isinstance(content, dict) and "kpt_shape" in content:
        raise UserError(f"{path}: describes key points (kpt_shape), not polygons")
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        if type(count := content.get("nc")) is int and count != len(names):
            what = f"nc is {count}, but names lists {len(names)} class(es)"
            findings.warn(str(path), what, "check that the names are those of the labels")
        names = dict(enumerate(names))
    if isinstance(names, dict) and all(
        type(index) is int and type(name) in (str, int) for index, name in names.items()
    ):
        return {index: str(name) for index, name in names.items()}
    if not needed:
        return {}
    raise UserError(f"{path}: names must be a list of class names, or a mapping from index to name")


def _roots(folder: Path) -> list[Path]:
    """The folders that hold images/: `folder` itself, or the folders in it, as in exports of Roboflow."""
    roots = [folder] if (folder / IMAGES).is_dir() else sorted(path.parent for path in folder.glob(f"*/{IMAGES}"))
    if not roots:
        raise UserError(f"{folder}: neither {IMAGES}/ nor a folder with {IMAGES}/ is there")
    return roots


def _images(root: Path, findings: Findings) -> list[PurePosixPath]:
    """The images below images/, with a warning of other files there."""
    files = list_files(root / IMAGES, None, findings)
    images = [name for name in files if name.suffix.lower() in SUFFIXES]
    if len(images) < len(files):
        first = next(name for name in files if name.suffix.lower() not in SUFFIXES)
        what = f"{len(files) - len(images)} file(s) of another kind are left out; the first is {quoted(str(first))}"
        findings.warn(str(root / IMAGES), what, f"images are {', '.join(sorted(SUFFIXES))}: convert others")
    return images


def _labels(root: Path, findings: Findings) -> dict[PurePosixPath, PurePosixPath]:
    """The text files below labels/: path without the extension → path."""
    names = [name for name in list_files(root / LABELS, {".txt"}, findings) if name.name != LIST]
    return {name.with_suffix(""): name for name in names}


def _item(target: PurePosixPath, path: Path, lines: Sequence[tuple[int, Line]], options: Options) -> Item:
    """An image, without its shapes so far; `target`: its path below images/ of the data set."""
    frame = resolve_frame(read_header(path), None, options.coordinates, bool(lines))
    return Item(safe_name(str(target)), path, frame, [])


def _refuse_boxes(lines: Sequence[tuple[int, Line]], options: Options, label: str) -> None:
    boxed = sum(len(line) == 5 for _, line in lines)
    if boxed and not options.boxes:
        what = f"lines of {label} are boxes, not polygons: {boxed} of {len(lines)}"
        raise Refused(what, "export polygons, or fill the boxes with --boxes")


def _read_lines(path: Path) -> list[tuple[int, Line]]:
    """The lines that are not empty, each with its number in the file."""
    try:
        text = read_text(path)
        return [
            (at, [float(word) for word in line.split()]) for at, line in enumerate(text.splitlines(), 1) if line.strip()
        ]
    except UserError:
        raise Refused("its text file cannot be read, or is not UTF-8", "save it as UTF-8, or export it again") from None
    except ValueError as error:
        raise Refused(f"its text file holds something other than numbers: {error}", "export it again") from None


def _shape(line: Line, value_of: dict[int, int], frame: Frame, options: Options) -> Shape:
    index, *shares = line
    if index not in value_of:
        raise Refused(f"class {index:g} has no name", f"name it in {NAMES} or --names, or correct it")
    if len(shares) % 2:
        what = f"{len(line)} numbers are neither a box nor a polygon; predictions may end with a confidence"
        raise Refused(what, "export polygons without confidences (save_conf=False)")
    with np.errstate(over="ignore"):  # infinite coordinates are refused later
        points = np.array(shares).reshape(-1, 2) * (frame.width, frame.height)
    _refuse_pixels(shares, points, frame)
    if len(shares) == 4:
        (x, y), (width, height) = points.tolist()
        return box_shape(
            value_of[int(index)], (x - width / 2, y - height / 2, x + width / 2, y + height / 2), frame, options
        )
    return polygon_shape(value_of[int(index)], [points], frame, options)


def _refuse_pixels(shares: Sequence[float], points: Points, frame: Frame) -> None:
    """Raise `Refused` for coordinates that cannot be shares of the size, also with --clip."""
    if shares and (max(shares) > MOST_SHARE or min(shares) < 1 - MOST_SHARE):
        excess = excess_of(points, frame.width, frame.height)
        raise Refused(
            f"reaches {excess:.6g} pixels out of the image of {frame.width} × {frame.height}: coordinates from "
            f"{min(shares):g} to {max(shares):g} are in pixels or per cent, not shares of width and height (0 … 1)",
            "divide x by the width and y by the height of the image, or export again",
        )


def _check_folders(
    root: Path, images: list[PurePosixPath], labels: dict[PurePosixPath, PurePosixPath], findings: Findings
) -> None:
    """Add an error for each text file without an image, and a warning for each folder of images without text files."""
    stems = {name.with_suffix("") for name in images}
    for stem, label in labels.items():
        if stem not in stems:
            with findings.collect(f"{LABELS}/{label}"):
                kinds = ", ".join(sorted(SUFFIXES))
                raise Refused(f"has no image in {root / IMAGES}", f"add it ({kinds}), or remove the text file")
    for folder in sorted({stem.parent for stem in stems} - {stem.parent for stem in labels}):
        what = f"no image in it has a text file below {root / LABELS}, so all are taken for background"
        findings.warn(f"{IMAGES}/{folder}", what, "leave the folder out if nobody annotated it")


def _subsets(folder: Path, items: list[Item], findings: Findings) -> dict[str, list[PurePosixPath]]:
    """The official division, if the topmost folders have the names of subsets."""
    subsets: dict[str, list[PurePosixPath]] = {}
    for item in items:
        if len(item.name.parts) > 1 and item.name.parts[0] in OFFICIAL:
            subsets.setdefault(OFFICIAL[item.name.parts[0]], []).append(item.name)
    return official_subsets(subsets, items, str(folder), findings)
