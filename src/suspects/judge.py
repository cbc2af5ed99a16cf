"""The errors of one mask: which single change would make it fit the prediction better, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from src.data.source.dataset import Dataset
from src.suspects.changes import best_exchange, best_shift
from src.suspects.components import Box, Object, added_object, missing_object
from src.suspects.evidence import Evidence
from src.suspects.swap import Swap

SHIFTED, SWAPPED, MISSING, ADDED, EXCHANGED = KINDS = ("shifted", "swapped", "missing", "added", "exchanged")


@dataclass(frozen=True)
class Error:
    """A possible error of a mask.

    Attributes:
        kind: One of `KINDS`.
        gain: Nats of log-likelihood if it is corrected.
        words: What is wrong, in a sentence without a full stop.
        box: Where it is in the image; None for the whole mask.
        label: The class of an object; None for the whole mask.
    """

    kind: str
    gain: float
    words: str
    box: Box | None = None
    label: int | None = None


@dataclass
class Judged:
    """A mask and its possible errors.

    Attributes:
        id: The name of the image.
        disagreement: What the likeliest mask gains over this one, in nats.
        errors: The possible errors; at most one of each kind.
    """

    id: str
    disagreement: float
    errors: list[Error] = field(default_factory=list)

    def gain(self, kind: str) -> float:
        """Return the gain of correcting one kind of error, in nats; 0 if there is none."""
        return max((error.gain for error in self.errors if error.kind == kind), default=0.0)

    def share(self, kind: str, typical: float) -> float:
        """Return the share of the disagreement that a correction removes, from 0 to 1.

        Args:
            kind: The kind of error.
            typical: Nats that are added to the disagreement, so that a small one does not count.
        """
        gain = self.gain(kind)
        return gain / (max(self.disagreement, gain) + typical)  # rounding can make a gain the larger one


def judge_mask(name: str, found: Evidence, size: tuple[int, int], dataset: Dataset) -> Judged:
    """Look for all errors of a mask but a swap, for which other masks are needed.

    Args:
        name: The name of the image.
        found: The prediction and the mask.
        size: Height and width of the image.
        dataset: Its classes.
    """
    scale = size[0] / found.counted.shape[0], size[1] / found.counted.shape[1]
    judged, names = Judged(name, found.disagreement), dataset.names
    if shift := best_shift(found):
        down, right = round(shift.down * scale[0]), round(shift.right * scale[1])
        judged.errors.append(Error(SHIFTED, shift.gain, f"the mask fits better if it is moved by {_way(down, right)}"))
    foreground = dataset.foreground
    if missing := missing_object(found, foreground):
        words = f"{names[missing.label]} is predicted where the mask has none"
        judged.errors.append(_object_error(MISSING, missing, words, scale))
    if added := added_object(found, foreground):
        words = f"the mask has {names[added.label]} where none is predicted"
        judged.errors.append(_object_error(ADDED, added, words, scale))
    if exchange := best_exchange(found):
        words = f"the classes fit better if they are exchanged: {_exchanged(exchange.classes, names)}"
        judged.errors.append(Error(EXCHANGED, exchange.gain, words))
    return judged


def swap_error(swap: Swap, other: str) -> Error:
    """Describe a swap.

    Args:
        swap: The swap.
        other: The name of the image whose mask fits better.
    """
    return Error(SWAPPED, swap.gain, f"the mask of {other!r} fits better")


def _way(down: int, right: int) -> str:
    """Write a shift in pixels, as in `7 pixels down and 3 to the left`."""
    ways = [(abs(down), "down" if down > 0 else "up")] * bool(down)
    ways += [(abs(right), "to the right" if right > 0 else "to the left")] * bool(right)
    first, *rest = [f"{length} {way}" for length, way in ways] or ["less than a pixel"]
    number, _, way = first.partition(" ")
    return " and ".join([f"{number} pixel(s) {way}" if ways else first, *rest])


def _object_error(kind: str, one: Object, words: str, scale: tuple[float, float]) -> Error:
    rows, columns = scale
    left, top, width, height = one.box.left, one.box.top, one.box.width, one.box.height
    sizes = round(left * columns), round(top * rows), max(round(width * columns), 1), max(round(height * rows), 1)
    box = Box(*sizes)
    place = f"{box.width} × {box.height} pixels from column {box.left}, row {box.top}"
    return Error(kind, one.gain, f"{words}: {place}", box, one.label)


def _exchanged(classes: Sequence[int], names: Sequence[str]) -> str:
    changed = [(label, other) for label, other in enumerate(classes) if label != other]
    return ", ".join(f"{names[label]} → {names[other]}" for label, other in changed)
