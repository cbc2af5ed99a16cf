"""Write predictions as annotations of a labelling tool, the least certain image first."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from src.data.predictions.inputs import Input
from src.files import read_json, write_csv, write_json, write_text
from src.objects.annotated import AnnotatedImage
from src.objects.formats.coco import coco_document, merge_coco
from src.objects.formats.labelme import labelme_document
from src.review.label_studio import label_studio_setup, label_studio_task
from src.review.uncertainty import Uncertainty

Tool = Literal["labelme", "cvat", "label-studio", "coco"]
TOOLS: tuple[str, ...] = get_args(Tool)
COLUMNS = ["rank", "file", "image", "expected_dice", "boundary_entropy", "objects"]
ORDER, PARTS, IMAGES = "order.csv", ".parts", "images"
COCO = {"coco": "annotations.json", "cvat": "annotations/instances_default.json"}  # the latter as CVAT exports them


@dataclass(frozen=True)
class Reviewed:
    """A predicted image.

    Attributes:
        image: The file.
        uncertainty: Of its prediction.
        objects: The number of its objects.
        part: A file with its annotations.
    """

    image: Input
    uncertainty: Uncertainty
    objects: int
    part: Path


@dataclass(frozen=True)
class ReviewFolder:
    """A folder that a labelling tool opens.

    Attributes:
        folder: The folder; it exists.
        tool: The labelling tool.
        classes: The names of the classes that are drawn.
        deviation: See `simplify_polygon`, in pixels.
    """

    folder: Path
    tool: Tool
    classes: Sequence[str]
    deviation: float

    def add(self, number: int, one: Input, annotated: AnnotatedImage, uncertainty: Uncertainty) -> Reviewed:
        """Keep the annotations of an image until the order is known.

        Args:
            number: A number of its own.
            one: The image file.
            annotated: Its objects.
            uncertainty: Of its prediction.
        """
        part = self.folder / PARTS / f"{number}.json"
        write_json(part, self._document(annotated, uncertainty), indent=None)
        return Reviewed(one, uncertainty, len(annotated.objects), part)

    def finish(self, found: Sequence[Reviewed], most: int | None = None) -> list[dict[str, object]]:
        """Write images and annotations in their order: lowest expected Dice first.

        Args:
            found: All images.
            most: The number of images to write; None: all.

        Returns:
            The rows of order.csv.
        """
        ordered = _uncertain_first(found)[:most]
        width, rows, tasks = len(str(len(ordered))), list[dict[str, object]](), list[object]()
        for rank, one in enumerate(ordered, start=1):
            path = one.image.path
            flat = "-".join([*one.image.name.parts[:-1], one.image.name.name])
            name = f"{rank:0{width}d}-{flat}{path.suffix}"
            tasks.append(self._place(one, path, name))
            numbers = {key: round(value, 6) for key, value in vars(one.uncertainty).items()}
            rows.append({"rank": rank, "file": name, "image": str(path), **numbers, "objects": one.objects})
        self._join([one.part for one in ordered], tasks)
        write_csv(self.folder / ORDER, rows, COLUMNS)
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)
        return rows

    def _document(self, annotated: AnnotatedImage, uncertainty: Uncertainty) -> dict[str, object]:
        if self.tool == "labelme":
            return labelme_document(annotated, self.deviation)
        if self.tool == "label-studio":
            return label_studio_task(replace(annotated, file=""), uncertainty.expected_dice, self.deviation)
        return coco_document([annotated], self.classes, self.deviation)

    def _place(self, one: Reviewed, path: Path, name: str) -> object:
        """Copy an image, and write its name into its annotations."""
        content = read_json(one.part)
        target = self.folder / name if self.tool == "labelme" else self.folder / IMAGES / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        if self.tool == "labelme":
            write_json(target.with_suffix(".json"), content | {"imagePath": name})
        elif self.tool == "label-studio":
            named = label_studio_task(AnnotatedImage(f"{IMAGES}/{name}", 1, 1, []), 0)
            return content | {"data": named["data"]}
        else:
            content["images"][0]["file_name"] = name
            write_json(one.part, content, indent=None)
        return None

    def _join(self, parts: Sequence[Path], tasks: Sequence[object]) -> None:
        """Write the files that hold the annotations of all images."""
        if self.tool in COCO:
            target = self.folder / COCO[self.tool]
            target.parent.mkdir(exist_ok=True)
            merge_coco(parts, target)
        elif self.tool == "label-studio":
            write_text(self.folder / "tasks.json", json.dumps(tasks, ensure_ascii=False) + "\n")
            write_text(self.folder / "setup.xml", label_studio_setup(self.classes))


def _uncertain_first(found: Sequence[Reviewed]) -> list[Reviewed]:
    """Order images: lowest expected Dice first, of equal ones the highest entropy, then by name."""
    named = sorted(found, key=lambda one: one.image.name.as_posix())
    return sorted(named, key=lambda one: (one.uncertainty.expected_dice, -one.uncertainty.boundary_entropy))
