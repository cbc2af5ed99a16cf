"""Convert the masks of a prepared data set to the classes of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from src.data.classes.label_format import LabelFormat, Mask, pack_planes
from src.data.source.dataset import IGNORE, NONE, Dataset, write_dataset
from src.data.store.prepare import MaskRemap, remap_masks
from src.data.store.store import MASKS, Store, write_index


def remap_classes(
    store: Store, indices: Sequence[int], names: Sequence[str], background: int | None, colours: Mapping[str, str]
) -> Store:
    """Convert the masks of a store, its index and its dataset.yaml in place. The new class indices are stored values.

    Args:
        store: The store, which is changed on disk.
        indices: New class index of each of the store's classes, no index twice.
        names: Names of all new classes.
        background: Index of the new background class, or None.
        colours: Name of a new class → its colour "#RRGGBB" in pictures.

    Returns:
        The changed store, read again.
    """
    lookup = _lookup(LabelFormat.of(store.dataset), indices, len(names))
    remap_masks(store.folder / MASKS, (MaskRemap(r.mask_at, r.height, r.width, lookup) for r in store.records))
    records = []
    for record in store.records:
        pixels = [0] * len(names)
        for index, count in zip(indices, record.pixels, strict=True):
            pixels[index] = count
        starts = _moved(record.numbers_at, indices, len(names), -1)
        objects = _moved(record.objects, indices, len(names), 0)
        records.append(replace(record, pixels=pixels, numbers_at=starts, objects=objects))
    write_index(store.folder, store.dtype, records)
    changes = {
        "classes": dict(enumerate(names)),
        "background": NONE if background is None else names[background],
        "ignore": None if store.dataset.ignored_value is None else IGNORE,
        "colors": dict(colours),
    }
    write_dataset(store.folder, Dataset.model_validate(store.dataset.model_dump() | changes))
    return Store(store.folder)


def _moved(values: Sequence[int] | None, indices: Sequence[int], classes: int, absent: int) -> list[int] | None:
    """Values of the store's classes at the places of so many new classes; `absent` for a class that the store lacks."""
    if values is None:
        return None
    value_of = dict(zip(indices, values, strict=True))
    return [value_of.get(label, absent) for label in range(classes)]


def _lookup(form: LabelFormat, indices: Sequence[int], classes: int) -> Mask:
    """Table from labels to labels of so many new classes: uint8 [256], IGNORE for labels that do not count."""
    lookup, labels = np.full(256, IGNORE, np.uint8), np.arange(form.limit, dtype=np.uint8)
    if not form.overlap:
        lookup[labels] = indices
        return lookup
    planes = np.zeros((form.limit, classes), bool)
    planes[:, list(indices)] = form.planes(labels)
    lookup[labels] = pack_planes(list(planes.T))
    return lookup
