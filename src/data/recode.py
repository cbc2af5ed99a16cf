"""The masks of a store in the classes of a model, matched by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from src.data.dataset import IGNORE, Dataset, write_dataset
from src.data.prepare import translate
from src.data.store import MASKS, Store, write_index
from src.errors import UserError


def matched_classes(own: Sequence[str], model: Sequence[str], *, named: bool) -> tuple[list[int], str]:
    """The index among the model's classes of each of the data set's own, and a line on how, if not by equal names.

    named: whether dataset.yaml names the own classes; if it does not, as many classes as the model has are matched by
    order. The model may have more classes. `UserError` if that does not match them all.
    """
    unknown = [name for name in own if name not in model]
    if not unknown:
        return [model.index(name) for name in own], ""
    if not named and len(own) == len(model):
        pairs = ", ".join(f"{name} as {known}" for name, known in zip(own, model, strict=True))
        return list(range(len(own))), f"classes are matched by order, as no dataset.yaml names them: {pairs}"
    raise UserError(
        f"the model does not know {', '.join(unknown)}; its classes are {', '.join(model)}, those of the data "
        f"{', '.join(own)}; give them the model's names under classes in dataset.yaml"
    )


def recoded(
    store: Store, places: Sequence[int], names: Sequence[str], background: int | None, colours: Mapping[str, str]
) -> Store:
    """The store with its masks, in place, and its dataset.yaml in other classes.

    places: the new index of each class; names, background (an index), colours: of the new classes, whose index is their
    stored value from now on.
    """
    lookup = np.full(256, IGNORE, np.uint8)
    lookup[: len(places)] = places
    translate(store.folder / MASKS, ((r.mask_at, r.height, r.width, lookup) for r in store.records))
    records = []
    for record in store.records:
        pixels = [0] * len(names)
        for place, count in zip(places, record.pixels, strict=True):
            pixels[place] = count
        records.append(replace(record, pixels=pixels))
    write_index(store.folder, store.dtype, records)
    changes = {
        "classes": dict(enumerate(names)),
        "background": None if background is None else names[background],
        "ignore": None if store.dataset.ignore is None else IGNORE,
        "colors": dict(colours),
    }
    write_dataset(store.folder, Dataset.model_validate(store.dataset.model_dump() | changes))
    return Store(store.folder)
