"""Find out which way up a mask is drawn: on the image as viewers show it, or on the pixels as the file stores them."""

from src.data.reading.stored_values import Labels
from src.data.reading.unreadable import Unreadable

REMEDY = (
    "data.masks.exif: shown, if masks are drawn on the image as viewers show it; data.masks.exif: stored, if they are "
    "drawn on the pixels as the file stores them (or exif in dataset.yaml)"
)


def orient_mask(
    mask: Labels, orientation: int, shape: tuple[int, ...], setting: str, remedy: str = REMEDY
) -> tuple[Labels, list[tuple[str, str]]]:
    """Turn a mask so that it fits its image, to which the EXIF orientation has been applied.

    The two files may have different EXIF orientations, and most masks have none. Such a mask is drawn either on the
    image as viewers show it, and only its own orientation is applied, or on the stored pixels, and the image's
    orientation is applied to it. The sizes decide if only one way fits, else the setting decides.

    Args:
        mask: The mask as stored.
        orientation: EXIF orientation of the image, 1 to 8.
        shape: Height and width of the turned image.
        setting: data.masks.exif: "auto", "shown" or "stored".
        remedy: What an error tells the user to do.

    Returns:
        The turned mask, and warnings, each with the setting that helps. If no way fits the shape, only the mask's own
        orientation has been applied.

    Raises:
        Unreadable: Both ways fit, they differ, and the setting is "auto".
    """
    shown = mask.turned(mask.orientation)
    if mask.orientation == orientation:
        return shown, []
    stored = mask.turned(orientation)
    fitting = {name: one for name, one in (("shown", shown), ("stored", stored)) if one.codes.shape == tuple(shape)}
    if len(fitting) == 2 and shown.equals(stored):
        return shown, []
    if len(fitting) == 2 and setting == "auto":
        turns = f"EXIF orientation {orientation} for the image and {mask.orientation} for the mask"
        what = f"the files have {turns}, and their sizes do not show which way up the mask is drawn"
        raise Unreadable(what, remedy)
    if setting in fitting:
        return fitting[setting], []
    if not fitting:
        return shown, []
    ((name, turned),) = fitting.items()
    if setting == "auto":
        return turned, []
    what = f"by its size the mask is drawn on the image as {name}, and it is read that way despite data.masks.exif"
    return turned, [(what, f"check that data.masks.exif: {setting} is right for the others")]
