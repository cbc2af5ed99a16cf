"""Judge the masks of all folds, and rank them."""

from collections.abc import Sequence

from src.data.store.store import Store
from src.progress import progress
from src.suspects.evidence import Evidence, evidence_of, mask_planes
from src.suspects.folds import Fold
from src.suspects.judge import Judged, judge_mask, swap_error
from src.suspects.predictions import Predictions
from src.suspects.ranking import Suspect, rank_masks
from src.suspects.swap import Thumbnail, best_swap, swap_candidates


def find_suspects(folds: Sequence[Fold], predictions: Predictions) -> list[Suspect]:
    """Rank the masks of all folds by how likely they are wrong.

    Args:
        folds: The folds.
        predictions: Of all images of the folds.

    Returns:
        The masks with a possible error, the most suspicious first.
    """
    indices = [index for fold in folds for index in fold.held_out.indices]
    judged, thumbnails = list[Judged](), list[Thumbnail]()
    for index in progress(indices, len(indices), "judge masks"):
        found, record = _evidence(predictions, index), predictions.store.records[index]
        size = (record.height, record.width)
        judged.append(judge_mask(record.id, found, size, predictions.store.dataset))
        thumbnails.append(Thumbnail.of(found, size))
    candidates = swap_candidates(thumbnails)
    for number in progress(range(len(indices)), len(indices), "compare masks"):
        _add_swap(number, indices, judged, candidates[number], predictions)
    return rank_masks(judged)


def _add_swap(
    number: int, indices: Sequence[int], judged: Sequence[Judged], candidates: Sequence[int], predictions: Predictions
) -> None:
    """Add the swap that fits best, if there is one."""
    if not candidates:
        return
    found, store = _evidence(predictions, indices[number]), predictions.store
    labels, shape = predictions.outputs.labels, (found.counted.shape[0], found.counted.shape[1])
    swap = best_swap(found, candidates, lambda other: mask_planes(store.mask(indices[other]), labels, shape))
    if swap:
        judged[number].errors.append(swap_error(swap, judged[swap.other].id))


def _evidence(predictions: Predictions, index: int) -> Evidence:
    store: Store = predictions.store
    found = evidence_of(predictions(index), store.mask(index), predictions.outputs.labels)
    store.release()
    return found
