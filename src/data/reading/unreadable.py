"""What stands in the way of reading a file, or a data set."""

from dataclasses import dataclass
from typing import Literal

LARGE_IMAGE_PIXELS = 2**26  # pixels: a larger TIFF is read in bands, all else must fit into memory
MAX_PIXELS = 2**28  # pixels of an image that has to be decoded whole: 16,384 × 16,384
MAX_FILE_BYTES = 2**31  # of a file that is read whole
MAX_PIXELS_IN_BANDS = 2**32  # pixels of a TIFF that is read in bands: 65,536 × 65,536
Severity = Literal["error", "skipped", "warning"]


class Unreadable(Exception):
    """A file that cannot be used; the message says why, `setting` which setting, or else which step, helps."""

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(what)
        self.setting = setting


@dataclass(frozen=True)
class Finding:
    """What a check found.

    file: a file, or the id of a pair. severity: an error stops the run, or is skipped with its pair (data.on_error).
    setting: the setting, or else the step, that helps. whole: about the whole set, so that nothing can be skipped.
    """

    file: str
    severity: Severity
    what: str
    setting: str
    whole: bool = False


def check_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Refuse a size that would exhaust the memory, before anything is decoded."""
    if width * height > most:
        what = f"has {width} × {height} pixels, {most:,} are the most of its kind"
        raise Unreadable(what, "cut it into smaller images, or save it as TIFF in tiles")
