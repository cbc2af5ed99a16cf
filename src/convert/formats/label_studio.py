"""Reads the JSON export of Label Studio: a list of tasks, each with an image and its annotations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from src.convert.annotations import Annotations, Item, Options
from src.convert.classes import classes_by_value, is_background, number_classes, value_of_label, warn_of_unclear_names
from src.convert.finder import LOCAL_FILES, UPLOAD, Finder, warn_of_found_names, warn_of_unlisted
from src.convert.formats.label_studio_shapes import BARE, UNREAD, Region, RegionReader
from src.convert.frame import Frame, Size, read_header, resolve_frame
from src.convert.names import list_files, locate
from src.convert.problems import Findings, Refused, parse_json
from src.data.reading.images import SUFFIXES
from src.errors import UserError, quoted, some
from src.progress import progress

HOLES = "erase them from the brush mask, or draw each after the shape around it with a label called background"
HINT = "check that the labels are those of polygons or brushes, and not called background"


class AnnotationEntry(BaseModel):
    """What one person drew on the image of a task."""

    id: object = None
    result: list[Region]
    was_cancelled: bool | None = False
    ground_truth: bool | None = False


class Task(BaseModel):
    """An image with its annotations. `data` holds its path or URL, under a key that the project chose."""

    id: object = None
    data: dict[str, object]
    annotations: list[AnnotationEntry]
    file_upload: str | None = None

    @property
    def images(self) -> list[str]:
        """The texts in `data` that may name the image."""
        texts = [text for text in self.data.values() if isinstance(text, str)]
        named = [text for text in texts if PurePosixPath(text.partition("?")[0]).suffix.lower() in SUFFIXES]
        return named or [text for text in texts if LOCAL_FILES in text or "/" in text]

    def chosen(self) -> AnnotationEntry | None:
        """The annotation that counts; None if nobody annotated the image. Raises `Refused` if several may count."""
        finished = [entry for entry in self.annotations if not entry.was_cancelled]
        counting = [entry for entry in finished if entry.ground_truth] or finished
        if len(counting) > 1:
            what = f"has {len(counting)} annotations, and it is not certain which one counts"
            raise Refused(what, "mark one of them as ground truth, or delete the others")
        return counting[0] if counting else None


@dataclass(frozen=True)
class Drawn:
    """A task whose annotation counts: its place for messages, the task and the regions with an area."""

    place: str
    task: Task
    regions: Sequence[Region]


def read_label_studio(path: Path, images: Path, options: Options, names: Sequence[str] | None = None) -> Annotations:
    """Read Label Studio's JSON export. Later regions are drawn over earlier ones.

    Args:
        path: The JSON, a list of tasks.
        images: The folder of the images; files may have the names that Label Studio gave to uploads, or their own.
        options: The user's decisions.
        names: The classes in their order; None: the labels of all regions with an area, sorted.

    Raises:
        UserError: The file cannot be read or is no such export, or its labels cannot be classes.
    """
    findings = Findings(options.skip_degenerate)
    tasks = _tasks(path, findings)
    files = list_files(images, SUFFIXES, findings)
    drawn = _drawn(tasks, path, findings)
    used = _labels(drawn)
    values = _values(names or [label for label in sorted(used) if not is_background(label)], path, findings)
    warn_of_unclear_names(names or sorted(used), str(path), findings, used)
    items, finder, elsewhere = list[Item](), Finder(images, files), dict[str, PurePosixPath]()
    for one in progress(drawn, len(drawn), "read"):
        with findings.collect(one.place):
            name = _image(one.task, finder, elsewhere)
            place = f"{one.place} ({name})"
            item = Item(name, locate(images, name), _frame(one, images, name, options), [])
            items.append(item)
            reader = RegionReader(item.frame, options)
            for position, region in enumerate(one.regions):
                with findings.collect(f"region {_shown(region, position)} of {place}"):
                    item.shapes.append(reader.shape(region, value_of_label(values, _label(region))))
    warn_of_found_names(elsewhere, path, findings)
    warn_of_unlisted(files, {item.name for item in items}, images, findings)
    return Annotations(classes_by_value(values), items, False, [images], findings, HOLES, hint=HINT)


def _tasks(path: Path, findings: Findings) -> list[tuple[str, Task]]:
    """The valid tasks, each with its place for messages."""
    try:
        content = parse_json(path)
    except Refused as error:
        raise UserError(f"{path}: {error} → {error.remedy}") from None
    if not isinstance(content, list) or not any(isinstance(task, dict) and "data" in task for task in content):
        what = "is not Label Studio's export, a list of tasks with data and annotations"
        raise UserError(f"{path}: {what} → export as JSON, not as JSON-MIN, CSV or COCO")
    tasks = []
    for position, task in enumerate(content):
        place = f"task {position}"
        if isinstance(task, dict) and "id" in task:
            place += f" (id {task['id']})"
        with findings.collect(place):
            tasks.append((place, Task.model_validate(task)))
    return tasks


def _drawn(tasks: Iterable[tuple[str, Task]], path: Path, findings: Findings) -> list[Drawn]:
    """The tasks with an annotation that counts; a warning lists the others, and regions without an area."""
    drawn, open_tasks, kinds = list[Drawn](), list[str](), Counter[str]()
    for place, task in tasks:
        with findings.collect(place):
            entry = task.chosen()
            if entry is None:
                open_tasks.append(place)
                continue
            if unread := sorted({region.type for region in entry.result if region.type in UNREAD}):
                raise Refused(f"has regions of a kind that is not read: {some(unread)}", "draw polygons or brush masks")
            kinds.update(region.type for region in entry.result if not region.has_area)
            drawn.append(Drawn(place, task, _with_labels([region for region in entry.result if region.has_area])))
    if open_tasks:
        what = f"{len(open_tasks)} task(s) have no annotation, and are left out: {some(open_tasks, show=str)}"
        findings.warn(str(path), what, "submit an empty annotation for an image that shows nothing of the classes")
    if kinds:
        what = ", ".join(f"{count} {quoted(kind)}" for kind, count in sorted(kinds.items()))
        findings.warn(str(path), f"results without an area are left out: {what}", "draw regions if they count")
    return drawn


def _with_labels(regions: Sequence[Region]) -> list[Region]:
    """Leave out regions without a label if another entry, of the type labels, repeats them with their label."""
    labelled = {region.id for region in regions if region.labels}
    return [region for region in regions if region.labels or region.type not in BARE or region.id not in labelled]


def _labels(drawn: Iterable[Drawn]) -> dict[str, str]:
    """Label → the number of its regions, in words."""
    counts = Counter(label for one in drawn for region in one.regions for label in region.labels if label.strip())
    return {label: f"{count} region(s)" for label, count in counts.items()}


def _values(names: Sequence[str], path: Path, findings: Findings) -> dict[str, int]:
    """Class name → value. Problems of single tasks are reported first, since they may be why there is no class."""
    if not names:
        findings.stop_on_errors()
    return number_classes(names, path)


def _label(region: Region) -> str:
    if len(region.labels) != 1:
        what = f"has {len(region.labels)} labels" if region.labels else "has no label"
        raise Refused(f"{what}; a region is of one class", "give it one label")
    return region.labels[0]


def _image(task: Task, finder: Finder, elsewhere: dict[str, PurePosixPath]) -> PurePosixPath:
    """The path of the image below the folder of images; one found by another name is added to `elsewhere`."""
    if len(task.images) > 1:
        raise Refused(f"its data names {len(task.images)} images, not one", "export a project with one image per task")
    texts = [*task.images, *([task.file_upload] if task.file_upload else [])]
    if not texts:
        raise Refused("its data names no image", "export a project whose tasks are images")
    text, name = texts[0], _found(texts, finder)
    if str(name) != text:
        elsewhere[text] = name
    return name


def _found(texts: Sequence[str], finder: Finder) -> PurePosixPath:
    """The file of the first text that names one, as it is or without the prefix of uploaded files."""
    refused = list[Refused]()
    for text in texts:
        own = UPLOAD.sub("", PurePosixPath(text).name)  # the name that the file had before it was uploaded
        for variant in (text, own) if own != PurePosixPath(text).name else (text,):
            try:
                return finder.find(variant)
            except Refused as error:
                refused.append(error)
    raise refused[0]


def _frame(one: Drawn, images: Path, name: PurePosixPath, options: Options) -> Frame:
    sizes: Mapping[Size, None] = dict.fromkeys(
        (region.original_width, region.original_height)
        for region in one.regions
        if region.original_width is not None and region.original_height is not None
    )
    if len(sizes) > 1:
        raise Refused(f"its regions state {len(sizes)} sizes of the image", "annotate the image of the task again")
    stated = next(iter(sizes), None)
    return resolve_frame(read_header(locate(images, name)), stated, options.coordinates, bool(one.regions))


def _shown(region: Region, position: int) -> str:
    return f"{position}" if region.id is None else f"{position} (id {region.id})"
