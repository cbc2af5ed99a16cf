"""Draw a suspicious mask: the image, the mask, the prediction, and where they disagree."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from src.data.classes.label_format import LabelFormat, Mask
from src.data.drawing.drawing import Drawing, Image, rgb, shown
from src.data.source.dataset import Dataset
from src.report.figures.contact_sheet import outlined
from src.report.figures.panels import class_patches, errors_over, grid
from src.report.figures.style import FALSE_ALARM, HIT, MISS
from src.suspects.components import Box
from src.suspects.predictions import Predictions, nearest
from src.suspects.ranking import Suspect

LONGEST = 512  # pixels of a picture's longer side
FRAME = "#FFFFFF"  # colour of the frame around an object
LEGEND = {"both": HIT, "mask only": MISS, "prediction only": FALSE_ALARM}


def draw_suspects(folder: Path, suspects: Sequence[Suspect], predictions: Predictions) -> list[str]:
    """Draw masks as NNN.png in their order.

    Args:
        folder: An existing folder.
        suspects: The masks, the most suspicious first.
        predictions: Of the images.

    Returns:
        The name of each file.
    """
    names, store = list[str](), predictions.store
    for rank, suspect in enumerate(suspects, start=1):
        names.append(f"{rank:03d}.png")
        index = store.position[suspect.id]
        prediction = predictions.outputs.decide(predictions.outputs.logits(predictions(index)))
        panels, masks = _panels(suspect, store.image(index), (store.mask(index), prediction), store.dataset)
        patches = [Patch(color=colour, label=name) for name, colour in LEGEND.items()]
        title = f"{rank}. {suspect.id}: {suspect.error.kind}"
        grid(folder / names[-1], title, [panels], class_patches(store.dataset, *masks) + patches)
        store.release()
    return names


def _panels(
    suspect: Suspect, image: Image, masks: tuple[Mask, Mask], dataset: Dataset
) -> tuple[Mapping[str, Drawing], tuple[Mask, Mask]]:
    """The pictures by their titles, and mask and prediction in their size."""
    step, error = max(1, -(-max(image.shape[:2]) // LONGEST)), suspect.error
    picture, truth = shown(image[::step, ::step], stretched=True), np.ascontiguousarray(masks[0][::step, ::step])
    prediction = nearest(masks[1], (truth.shape[0], truth.shape[1]))
    form = LabelFormat.of(dataset)
    label = _most_different(truth, prediction, dataset) if error.label is None else error.label
    panels = {
        "image": picture,
        "mask": outlined(picture, truth, dataset),
        "prediction": outlined(picture, prediction, dataset),
        f"{dataset.names[label]}: mask and prediction": errors_over(picture, truth, prediction, label, form),
    }
    framed = {title: _framed(panel, error.box, step) for title, panel in panels.items()}
    return framed, (truth, prediction)


def _most_different(truth: Mask, prediction: Mask, dataset: Dataset) -> int:
    """The foreground class with most pixels that only one of two masks has."""
    form, counted = LabelFormat.of(dataset), LabelFormat.of(dataset).counted(truth)

    def different(label: int) -> int:
        return int(np.count_nonzero((form.of_class(truth, label) != form.of_class(prediction, label)) & counted))

    return max(dataset.foreground or range(len(dataset.names)), key=different)


def _framed(picture: Drawing, box: Box | None, step: int) -> Drawing:
    """Draw a frame around a box, given in pixels of the image; every `step`-th is drawn."""
    if box is None:
        return picture
    framed = picture.copy()
    top, bottom = max(box.top // step - 3, 0), min((box.top + box.height) // step + 3, len(picture) - 1)
    left, right = max(box.left // step - 3, 0), min((box.left + box.width) // step + 3, picture.shape[1] - 1)
    framed[[top, bottom], left : right + 1] = rgb(FRAME)
    framed[top : bottom + 1, [left, right]] = rgb(FRAME)
    return framed
