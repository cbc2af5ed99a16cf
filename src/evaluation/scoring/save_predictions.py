"""Save predictions for pictures and for scoring again: one .npz file, written image by image."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from src.evaluation.scoring.measure import Predicted
from src.files import atomic


def save_predictions(path: Path, predictions: Iterable[Predicted]) -> Iterator[Predicted]:
    """Pass predictions on and write each to an .npz file under its image's position in the store.

    The file appears when all predictions have been consumed. Equal predictions give equal files.

    Args:
        path: The .npz file.
        predictions: Position in the store, and class indices, uint8 [height, width].

    Yields:
        The predictions, unchanged.
    """
    with atomic(path) as temporary, ZipFile(temporary, "w") as archive:
        for position, prediction in predictions:
            member = ZipInfo(f"{position}.npy")  # with a fixed date, so that files are equal
            member.compress_type = ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, prediction, allow_pickle=False)
            yield position, prediction
