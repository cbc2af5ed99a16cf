"""Made images, masks with errors, and predictions of the true masks, for the tests of tools.suspects."""

from pathlib import Path

import cv2
import numpy as np

from src.data.classes.label_format import LabelFormat
from src.data.store.store import Store
from src.data.store.subsets import Subset
from src.evaluation.metrics.outputs import Outputs
from src.evaluation.scoring.save_predictions import save_predictions
from src.files import write_yaml
from src.suspects.folds import Fold
from src.suspects.maps import to_bytes
from tests.conftest import prepared, write_pair

SIZE = 72, 96
COUNT = 18
CLASSES = {0: "background", 1: "cell", 2: "debris"}
PLACES = [(row, column) for row in (14, 36, 58) for column in (14, 37, 60, 83)]  # of discs that never touch
ERRORS = {2: "shifted", 5: "swapped", 6: "swapped", 9: "missing", 12: "added", 15: "exchanged"}


def true_mask(rng):
    """Four discs of the class cell and two of debris, at random places."""
    mask = np.zeros(SIZE, np.uint8)
    for number, place in enumerate(rng.permutation(PLACES)[:6].tolist()):
        cv2.circle(mask, (place[1], place[0]), 8, 1 + number // 4, -1)
    return mask


def with_errors(masks):
    """The masks with one error each at the images of `ERRORS`."""
    changed = [mask.copy() for mask in masks]
    changed[2] = np.roll(masks[2], (-6, 5), (0, 1))  # no disc reaches the border
    changed[5], changed[6] = masks[6], masks[5]
    _, parts = cv2.connectedComponents((masks[9] == 1).astype(np.uint8))
    changed[9][parts == 2] = 0
    free = next(place for place in PLACES if not masks[12][place])
    cv2.circle(changed[12], free[::-1], 8, 2, -1)
    changed[15] = np.array([0, 2, 1], np.uint8)[masks[15]]
    return changed


def predicted(mask, rng):
    """Logits of a network that is right but for soft borders, noise and an unsure spot, float32 [height, width, 3]."""
    planes = np.stack([cv2.GaussianBlur((mask == label).astype(np.float32), (0, 0), 1.5) for label in CLASSES], axis=-1)
    row, column = PLACES[rng.integers(len(PLACES))]
    planes[row - 3 : row + 3, column - 3 : column + 3] = (0.45, 0.45, 0.1)
    probabilities = np.clip(planes + rng.normal(0, 0.02, planes.shape), 0.01, None).astype(np.float32)
    return Outputs(LabelFormat(3)).logits(probabilities / probabilities.sum(axis=-1, keepdims=True))


def made_folds(folder: Path) -> tuple[list[Fold], list[Path]]:
    """Two folds of a prepared set with `ERRORS` in its masks, and the files of their predictions."""
    rng = np.random.default_rng(3)
    masks = [true_mask(rng) for _ in range(COUNT)]
    for number, (mask, stored) in enumerate(zip(masks, with_errors(masks), strict=True)):
        image = rng.normal(60 + 60 * mask[..., None], 8, (*SIZE, 3)).clip(0, 255).astype(np.uint8)
        write_pair(folder / "set", f"{number:02d}", image, stored)
    write_yaml(folder / "set/dataset.yaml", {"classes": CLASSES})
    store = prepared(folder / "set", folder)
    return folds_of(store), predictions_of(store, masks, rng, folder)


def folds_of(store: Store) -> list[Fold]:
    parts = [Subset.ungrouped(store, range(start, COUNT, 2)) for start in (0, 1)]
    return [Fold(parts[1], parts[0]), Fold(parts[0], parts[1])]


def predictions_of(store, masks, rng, folder):
    """A file for each fold; `masks` are the true ones in the order of the images' names."""
    files = [folder / f"{number}.npz" for number in (0, 1)]
    for fold, path in zip(folds_of(store), files, strict=True):
        names = {index: int(store.records[index].id) for index in fold.held_out.indices}
        for _ in save_predictions(path, ((i, to_bytes(predicted(masks[name], rng))) for i, name in names.items())):
            pass
    return files
