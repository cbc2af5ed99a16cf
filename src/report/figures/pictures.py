"""Which pictures does the report's gallery show? Each image, with truth, prediction and errors as layers over it."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from src.data.classes.label_format import LabelFormat
from src.data.drawing.drawing import IGNORED, Image, bare_label, label_colours, rgb, shown
from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.report.figures.panels import most_overlays
from src.report.figures.style import FALSE_ALARM, HIT, MISS

LONGEST = 512  # pixels of a picture's longer side: of larger images, every second, third … row and column is drawn
MOST_BYTES = 8_000_000  # characters of all pictures together: a page of this size can still be mailed
QUALITY = 85  # of the JPEG
Mask = NDArray[np.uint8]


class Layer(TypedDict):
    """A transparent picture over the image, as the page's script reads it."""

    kind: str  # "truth", "prediction" or "errors"
    name: str
    src: str  # a PNG as data URI


class Picture(TypedDict):
    """An image with its layers, as the page's script reads it."""

    width: int
    height: int
    image: str  # a JPEG as data URI
    layers: list[Layer]


def gallery_pictures(
    store: Store, predictions: Path, order: Sequence[str], weakest: Mapping[str, Sequence[str]], most: int = MOST_BYTES
) -> dict[str, Picture]:
    """Draw images in the given order until `most` characters are used. The first image is always drawn.

    Args:
        store: The prepared data set.
        predictions: File of the predicted masks.
        order: Ids of the images.
        weakest: Id → classes, lowest Dice first; the errors of the first `most_overlays` are drawn.
        most: Largest number of characters of all pictures together.

    Returns:
        Id → picture.
    """
    pictures: dict[str, Picture] = {}
    with np.load(predictions) as saved:
        for image in order:
            position = store.position[image]
            masks = store.mask(position), saved[str(position)]
            one = picture(store.image(position), *masks, weakest[image], store.dataset)
            most -= sum(map(len, (one["image"], *(layer["src"] for layer in one["layers"]))))
            if most < 0 and pictures:
                break
            pictures[image] = one
            store.release()
    return pictures


def picture(image: Image, truth: Mask, prediction: Mask, weakest: Sequence[str], dataset: Dataset) -> Picture:
    """Draw an image and its layers.

    Args:
        image: [height, width, channels].
        truth: Labels, uint8 [height, width].
        prediction: Labels, uint8 [height, width].
        weakest: Classes, lowest Dice first; the errors of the first `most_overlays` are drawn.
        dataset: The classes and their colours.
    """
    step = max(1, -(-max(truth.shape) // LONGEST))
    truth, prediction = (np.ascontiguousarray(mask[::step, ::step]) for mask in (truth, prediction))
    masks = {"truth": truth, "prediction": prediction}
    layers: list[Layer] = [{"kind": kind, "name": kind, "src": _painted(mask, dataset)} for kind, mask in masks.items()]
    for name in weakest[: most_overlays(dataset)]:
        drawn = errors(truth, prediction, dataset.names.index(name), LabelFormat.of(dataset))
        layers.append({"kind": "errors", "name": f"errors: {name}", "src": _png(drawn, [None, HIT, MISS, FALSE_ALARM])})
    height, width = truth.shape
    return {"width": width, "height": height, "image": _jpeg(shown(image[::step, ::step])), "layers": layers}


def errors(truth: Mask, prediction: Mask, label: int, form: LabelFormat) -> Mask:
    """Mark the true positives, false negatives and false positives of one class.

    Args:
        truth: Labels, uint8 [height, width].
        prediction: Labels, uint8 [height, width].
        label: The class.
        form: The meaning of the labels.

    Returns:
        uint8 [height, width]: 1 true positive, 2 false negative, 3 false positive, 0 elsewhere and where ignored.
    """
    true, predicted, counted = form.of_class(truth, label), form.of_class(prediction, label), form.counted(truth)
    return np.where(counted, np.select([true & predicted, true, predicted], [1, 2, 3], 0), 0).astype(np.uint8)


def _painted(mask: Mask, dataset: Dataset) -> str:
    """Colour a mask; ignored pixels are white, the background and pixels of no class are transparent."""
    colours: list[str | None] = [f"#{bytes(colour).hex()}" for colour in label_colours(dataset)]
    if (bare := bare_label(dataset)) is not None:
        colours[bare] = None
    return _png(np.minimum(mask, len(colours)).astype(np.uint8), [*colours, IGNORED])


def _png(places: Mask, colours: Sequence[str | None]) -> str:
    """Write a palette PNG as data URI, with as few bits as its colours need; the colour None is transparent."""
    drawn = PillowImage.fromarray(places, "P")
    drawn.putpalette(b"".join(rgb(colour or "#000000").tobytes() for colour in colours))
    content = BytesIO()
    drawn.save(content, "PNG", transparency=bytes(0 if colour is None else 255 for colour in colours))
    return data_uri(content.getvalue(), "png")


def _jpeg(drawing: Mask) -> str:
    content = BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(drawing)).save(content, "JPEG", quality=QUALITY, optimize=True)
    return data_uri(content.getvalue(), "jpeg")


def data_uri(content: bytes, kind: str) -> str:
    """Write a picture as data URI.

    Args:
        content: Content of the picture's file.
        kind: "png" or "jpeg".
    """
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def read_pictures(folder: Path) -> Iterator[str]:
    """Read the PNG files of a folder as data URIs, in the order of their names."""
    return (data_uri(path.read_bytes(), "png") for path in sorted(folder.glob("*.png")))
