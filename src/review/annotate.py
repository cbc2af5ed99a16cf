"""Turn a predicted mask into outlined objects that a labelling tool can open."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from src.data.classes.label_format import LabelFormat, Mask
from src.data.source.dataset import Dataset
from src.evaluation.metrics.outputs import Values
from src.objects.annotated import AnnotatedImage, OutlinedObject
from src.objects.components import number_objects
from src.objects.outlines import trace_outlines


def annotate(name: str, prediction: Mask, probabilities: Values, dataset: Dataset, scratch: Path) -> AnnotatedImage:
    """Outline the components of the foreground classes.

    Args:
        name: How the annotations name the image file.
        prediction: Labels, uint8 [height, width].
        probabilities: float32 [height, width, classes]; the mean over an object becomes its score.
        dataset: The classes.
        scratch: Folder on the disk, see `number_objects`.
    """
    labels, (height, width) = LabelFormat.of(dataset), prediction.shape
    groups = [[label] for label in dataset.foreground] if labels.overlap else [dataset.foreground]
    objects = list[OutlinedObject]()
    for classes in groups:
        objects += _outlined(prediction, probabilities, dataset, classes, scratch)
    renumbered = [
        OutlinedObject(number, one.label, one.polygons, one.area, one.score) for number, one in enumerate(objects, 1)
    ]
    return AnnotatedImage(name, width, height, renumbered, labels.overlap)


def _outlined(
    prediction: Mask, probabilities: Values, dataset: Dataset, classes: Sequence[int], scratch: Path
) -> Iterator[OutlinedObject]:
    found = number_objects(prediction, LabelFormat.of(dataset), classes, scratch)
    flat, count = found.numbers.ravel(), len(found) + 1
    areas = np.bincount(flat, minlength=count)
    sums = {label: np.bincount(flat, probabilities[..., label].ravel(), count) for label in classes}
    for number, polygons in trace_outlines(found.numbers, scratch).items():
        label, area = int(found.classes[number - 1]), int(areas[number])
        yield OutlinedObject(number, dataset.names[label], polygons, area, float(sums[label][number] / area))
