"""Which way up a mask is drawn: on the image as it is looked at, or on the pixels as the file stores them."""

import numpy as np
from numpy.typing import NDArray

from src.data.reading.images import turned
from src.data.reading.masks import Labels
from src.data.reading.unreadable import Unreadable

REMEDY = (
    "data.masks.exif: shown, if masks are drawn on the image as viewers show it; data.masks.exif: stored, if they are "
    "drawn on the pixels as the file stores them (or exif in dataset.yaml)"
)


def orient_mask(
    mask: Labels, orientation: int, shape: tuple[int, ...], setting: str, remedy: str = REMEDY
) -> tuple[NDArray[np.uint8], list[tuple[str, str]]]:
    """Turn a mask so that it lies on its turned image.

    The two files may have different EXIF orientations; most masks have none. Then the mask is drawn either on the image
    as it is shown, and only its own orientation counts, or on the stored pixels, and is turned as the image is. The
    sizes decide where they can, else the setting does.

    Args:
        mask: the mask as stored.
        orientation: of the image, EXIF 1 … 8.
        shape: height and width of the turned image.
        setting: data.masks.exif: auto, shown or stored.
        remedy: what the error says that the user can do.

    Returns:
        The codes, uint8 [height, width], and what to warn of. If no way fits the shape, the codes are as shown.

    Raises:
        Unreadable: both ways fit, they differ, and the setting is auto.
    """
    shown = turned(mask.codes, mask.orientation)
    if mask.orientation == orientation:
        return shown, []
    stored = turned(mask.codes, orientation)
    fitting = {name: codes for name, codes in (("shown", shown), ("stored", stored)) if codes.shape == tuple(shape)}
    if len(fitting) == 2 and np.array_equal(shown, stored):
        return shown, []
    if len(fitting) == 2 and setting == "auto":
        turns = f"EXIF orientation {orientation} for the image and {mask.orientation} for the mask"
        what = f"the files have {turns}, and nothing tells which way up the mask is drawn"
        raise Unreadable(what, remedy)
    if setting in fitting:
        return fitting[setting], []
    if not fitting:
        return shown, []
    ((name, codes),) = fitting.items()
    if setting == "auto":
        return codes, []
    what = f"by its size the mask is drawn on the image as {name}, and it is read so in spite of data.masks.exif"
    return codes, [(what, f"check that data.masks.exif: {setting} is right for the others")]
