"""The gallery's pictures: an image, and over it its truth, its prediction and the errors of single classes."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.source.dataset import Dataset
from src.data.store.store import Store
from src.report.figures.panels import MOST_OVERLAYS, shown
from src.report.figures.style import FALSE_ALARM, HIT, IGNORED, MISS, rgb

SIDE = 512  # pixels of a picture's longer side: larger images are thinned out for it
MOST_BYTES = 8_000_000  # characters of all pictures together
QUALITY = 85  # of the JPEG
Mask = NDArray[np.uint8]
Picture = dict[str, Any]


def gallery_pictures(
    store: Store, predictions: Path, order: Sequence[str], weakest: Mapping[str, Sequence[str]], most: int = MOST_BYTES
) -> dict[str, Picture]:
    """id → picture, of as many images in this order as `most` characters hold, the first one in any case.

    weakest: id → its classes, the lowest Dice first; the errors of the first `MOST_OVERLAYS` are shown.
    """
    pictures: dict[str, Picture] = {}
    with np.load(predictions) as kept:
        for image in order:
            position = store.position[image]
            found = kept[str(position)]
            one = picture(store.image(position), store.mask(position), found, weakest[image], store.dataset)
            most -= sum(map(len, (one["image"], *(layer["src"] for layer in one["layers"]))))
            if most < 0 and pictures:
                break
            pictures[image] = one
            store.release()
    return pictures


def picture(image: NDArray[Any], truth: Mask, found: Mask, weakest: Sequence[str], dataset: Dataset) -> Picture:
    """Its width and height, the image, and the layers over it: what each is, its words, and a transparent PNG."""
    step = max(1, -(-max(truth.shape) // SIDE))
    truth, found = (np.ascontiguousarray(mask[::step, ::step]) for mask in (truth, found))
    masks = {"truth": truth, "prediction": found}
    layers = [{"kind": kind, "name": kind, "src": _painted(mask, dataset)} for kind, mask in masks.items()]
    for name in weakest[:MOST_OVERLAYS]:
        drawn = errors(truth, found, dataset.names.index(name), len(dataset.names))
        layers.append({"kind": "errors", "name": f"errors: {name}", "src": _png(drawn, [None, HIT, MISS, FALSE_ALARM])})
    height, width = truth.shape
    return {"width": width, "height": height, "image": _jpeg(shown(image[::step, ::step])), "layers": layers}


def errors(truth: Mask, found: Mask, label: int, classes: int) -> Mask:
    """1 where the class is found, 2 where it is missed, 3 where it is a false alarm; 0 elsewhere and where ignored."""
    true, predicted, counted = truth == label, found == label, truth < classes
    return np.where(counted, np.select([true & predicted, true, predicted], [1, 2, 3], 0), 0).astype(np.uint8)


def _painted(mask: Mask, dataset: Dataset) -> str:
    """Class indices in the classes' colours, what is ignored in its own; nothing where the background is."""
    colours: list[str | None] = list(dataset.class_colours.values())
    if dataset.background_index is not None:
        colours[dataset.background_index] = None
    return _png(np.minimum(mask, len(colours)).astype(np.uint8), [*colours, IGNORED])


def _png(places: Mask, colours: Sequence[str | None]) -> str:
    """A palette PNG as a data URI, of as few bits as its colours need; None is transparent."""
    drawn = Image.fromarray(places, "P")
    drawn.putpalette(b"".join(rgb(colour or "#000000").tobytes() for colour in colours))
    content = BytesIO()
    drawn.save(content, "PNG", transparency=bytes(0 if colour is None else 255 for colour in colours))
    return data_uri(content.getvalue(), "png")


def _jpeg(drawing: Mask) -> str:
    content = BytesIO()
    Image.fromarray(np.ascontiguousarray(drawing)).save(content, "JPEG", quality=QUALITY, optimize=True)
    return data_uri(content.getvalue(), "jpeg")


def data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def read_pictures(folder: Path) -> Iterator[str]:
    """The folder's PNG files as data URIs, in the order of their names."""
    return (data_uri(path.read_bytes(), "png") for path in sorted(folder.glob("*.png")))
