"""The masks of a store in the classes of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from src.data.source.dataset import IGNORE, NONE, Dataset, write_dataset
from src.data.store.prepare import MaskRemap, remap_masks
from src.data.store.store import MASKS, Store, write_index


def recoded(
    store: Store, places: Sequence[int], names: Sequence[str], background: int | None, colours: Mapping[str, str]
) -> Store:
    """The store with its masks, in place, and its dataset.yaml in other classes.

    places: the new index of each class; names, background (an index), colours: of the new classes, whose index is their
    stored value from now on.
    """
    lookup = np.full(256, IGNORE, np.uint8)
    lookup[: len(places)] = places
    remap_masks(store.folder / MASKS, (MaskRemap(r.mask_at, r.height, r.width, lookup) for r in store.records))
    records = []
    for record in store.records:
        pixels = [0] * len(names)
        for place, count in zip(places, record.pixels, strict=True):
            pixels[place] = count
        records.append(replace(record, pixels=pixels))
    write_index(store.folder, store.dtype, records)
    changes = {
        "classes": dict(enumerate(names)),
        "background": NONE if background is None else names[background],
        "ignore": None if store.dataset.ignored is None else IGNORE,
        "colors": dict(colours),
    }
    write_dataset(store.folder, Dataset.model_validate(store.dataset.model_dump() | changes))
    return Store(store.folder)
