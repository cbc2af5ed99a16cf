"""How predicted labels become mask files: one file of class values, or a binary mask for each overlapping class."""

from collections.abc import Sequence

import numpy as np

from src.data.classes.label_format import LabelFormat
from src.data.predictions.prediction_files import mask_values
from src.data.reading.channels import Pixels
from src.data.source.dataset import StoredValue

MASKS = "masks"  # folder of the masks below the folder of results


def mask_tables(values: Sequence[StoredValue], names: Sequence[str], form: LabelFormat) -> dict[str, Pixels]:
    """Make the tables that turn labels into the stored values of mask files, see `write_mask`.

    Args:
        values: The stored value of each class; empty if it is the class index. Overlapping classes do not use it.
        names: The names of the classes.
        form: The meaning of the labels.

    Returns:
        Folder of a mask below the folder of results → stored value of each label. It is one table, see `mask_values`;
        or, for each overlapping class, a table of 0 and 255 for masks/CLASS, as `overlap: true` reads them.
    """
    if not form.overlap:
        return {MASKS: mask_values(values, form.classes)}
    planes = form.planes(np.arange(form.limit, dtype=np.uint8))
    return {
        f"{MASKS}/{name}": plane.astype(np.uint8) * np.uint8(255) for name, plane in zip(names, planes.T, strict=True)
    }
