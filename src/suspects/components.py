"""Objects that a mask lacks or has too many, where the prediction is confident."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from src.evaluation.metrics.components import connected_components
from src.suspects.evidence import Evidence
from src.suspects.maps import Values

TOLERANCE = 2  # pixels of a map around the mask or the prediction in which differences are those of a boundary


@dataclass(frozen=True)
class Box:
    """A rectangle of a map.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.
    """

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Object:
    """A component that a mask lacks, or has too many.

    Attributes:
        gain: Nats of log-likelihood if the mask is changed there.
        label: Its class.
        box: Where it is.
    """

    gain: float
    label: int
    box: Box


def missing_object(found: Evidence, classes: Sequence[int]) -> Object | None:
    """Find the component that the mask lacks most certainly: confident foreground that is apart from the mask's.

    Args:
        found: The prediction and the mask.
        classes: The foreground classes.

    Returns:
        The component with the largest gain, or None if there is none.
    """
    objects = []
    for label in classes:
        places = found.predicted(label) & ~_near(found.planes[label] > 0)
        gains = found.margins[label] * found.counted - found.of_mask(label)
        objects.append(_most_certain(places, gains, label))
    return _best(objects)


def added_object(found: Evidence, classes: Sequence[int]) -> Object | None:
    """Find the component that the mask has too many most certainly: it is apart from the predicted ones of its class.

    Args:
        found: The prediction and the mask.
        classes: The foreground classes.

    Returns:
        The component with the largest gain, or None if there is none.
    """
    objects = []
    for label in classes:
        gains = (found.highest(label) - found.margins[label]) * found.planes[label]
        objects.append(_most_certain((gains > 0) & ~_near(found.predicted(label)), gains, label))
    return _best(objects)


def _near(plane: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a plane and those around it, up to `TOLERANCE`."""
    side = 2 * TOLERANCE + 1
    return np.asarray(cv2.dilate(plane.view(np.uint8), np.ones((side, side), np.uint8)), bool)


def _most_certain(places: NDArray[np.bool_], gains: Values, label: int) -> Object | None:
    """The component of some places with the largest sum of gains."""
    parts = connected_components(places.view(np.uint8), 8)
    sums = np.bincount(parts.labels.ravel(), gains.ravel(), len(parts.areas))[1:]
    if not len(sums) or sums.max() <= 0:
        return None
    number = int(sums.argmax()) + 1
    box = Box(*(int(values[number]) for values in (parts.left, parts.top, parts.width, parts.height)))
    return Object(float(sums[number - 1]), label, box)


def _best(objects: Sequence[Object | None]) -> Object | None:
    return max((one for one in objects if one), key=lambda one: one.gain, default=None)
