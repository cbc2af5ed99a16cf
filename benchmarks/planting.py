"""Plant errors of annotation in masks: shifted, swapped, inverted, an object missing or added."""

from collections.abc import Callable, Collection, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
KINDS = ("shifted", "swapped", "missing", "added", "exchanged")
LEAST, MOST = 0.03, 0.08  # shifts, as shares of the shorter side
PIECE = 0.2  # side of the piece that is taken from a mask of connected foreground, as a share of the shorter side
TREE = 0.5  # share of the foreground from which a component is no single object
TRIES = 200  # places at which an added object is tried


def plant(masks: Mapping[str, Mask], share: float, seed: int) -> dict[str, tuple[str, Mask]]:
    """Plant errors in some masks.

    The kinds take turns, and seeds continue where the seed before ended. So a few small sets hold each kind, too.

    Args:
        masks: Id → mask, uint8 [height, width] of 0 and 1, each with foreground.
        share: Share of the masks that get an error; at least one does. A swap changes two, so there may be one more.
        seed: Of all draws.

    Returns:
        Id → kind of error and the mask with it.
    """
    rng, planted = np.random.default_rng(seed), dict[str, tuple[str, Mask]]()
    wanted = max(1, round(share * len(masks)))
    turn = seed * wanted
    for one in rng.permutation(sorted(masks)).tolist():
        if len(planted) >= wanted:
            break
        found = {} if one in planted else _error(KINDS[turn % len(KINDS)], masks, one, planted, rng)
        planted |= found
        turn += bool(found)
    return planted


def _error(
    kind: str, masks: Mapping[str, Mask], one: str, planted: Collection[str], rng: np.random.Generator
) -> dict[str, tuple[str, Mask]]:
    """The masks that get an error; empty if this mask cannot have one of this kind."""
    if kind != "swapped":
        changed = CHANGES[kind](masks, one, rng)
        return {} if changed is None else {one: (kind, changed)}
    others = [other for other in sorted(masks) if other not in planted and _can_swap(masks, one, other)]
    if not others:
        return {}
    other = others[rng.integers(len(others))]
    return {one: (kind, masks[other]), other: (kind, masks[one])}


def _can_swap(masks: Mapping[str, Mask], one: str, other: str) -> bool:
    return one != other and masks[one].shape == masks[other].shape and bool((masks[one] != masks[other]).any())


def shifted(masks: Mapping[str, Mask], one: str, rng: np.random.Generator) -> Mask | None:
    """Move a mask by a random distance in a random direction; None if nothing is left of it."""
    mask = masks[one]
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(LEAST, MOST) * min(mask.shape)
    move = np.array([[1, 0, round(length * np.cos(angle))], [0, 1, round(length * np.sin(angle))]], np.float32)
    moved = np.asarray(cv2.warpAffine(mask, move, mask.shape[::-1], flags=cv2.INTER_NEAREST), np.uint8)
    return moved if moved.any() else None


def missing(masks: Mapping[str, Mask], one: str, rng: np.random.Generator) -> Mask | None:
    """Delete an object from a mask; None if nothing is left."""
    mask = masks[one]
    taken = _object(mask, rng)
    left = np.where(taken, 0, mask).astype(np.uint8)
    return left if left.any() else None


def added(masks: Mapping[str, Mask], one: str, rng: np.random.Generator) -> Mask | None:
    """Copy an object of another mask to where this one has none; None if there is no room."""
    mask, names = masks[one], [name for name in sorted(masks) if name != one]
    pattern = _object(masks[names[rng.integers(len(names))]], rng)
    rows, columns = (np.flatnonzero(pattern.any(axis=axis)) for axis in (1, 0))
    piece = pattern[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    room = np.array(mask.shape) - piece.shape
    if room.min() < 0:
        return None
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    for _ in range(TRIES):
        top, left = rng.integers(room + 1)
        place = slice(top, top + piece.shape[0]), slice(left, left + piece.shape[1])
        if not (near[place].astype(bool) & piece).any():
            result = mask.copy()
            result[place] |= piece.view(np.uint8)
            return result
    return None


def exchanged(masks: Mapping[str, Mask], one: str, rng: np.random.Generator) -> Mask:
    """Exchange foreground and background."""
    return 1 - masks[one]


def _object(mask: Mask, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose an object of at least the median size; of connected foreground, a piece of it."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:number, cv2.CC_STAT_AREA]
    if areas.max() < TREE * mask.sum() and len(areas) > 1:
        large = np.flatnonzero(areas >= np.median(areas)) + 1
        return np.asarray(labels == large[rng.integers(len(large))])
    side = max(round(PIECE * min(mask.shape)), 2)
    rows, columns = np.nonzero(mask)
    centre = rng.integers(len(rows))
    window = np.zeros(mask.shape, bool)
    top, left = max(rows[centre] - side // 2, 0), max(columns[centre] - side // 2, 0)
    window[top : top + side, left : left + side] = True
    return window & (mask > 0)


CHANGES: dict[str, Callable[[Mapping[str, Mask], str, np.random.Generator], Mask | None]] = {
    "shifted": shifted,
    "missing": missing,
    "added": added,
    "exchanged": exchanged,
}
