"""Size limits of image files, and the two ways to report a file that cannot be used: an exception and a finding."""

from dataclasses import dataclass
from typing import Literal

LARGE_IMAGE_PIXELS = 2**26  # 64 megapixels: larger TIFFs are read in bands, all other images must fit into memory
MAX_PIXELS = 2**28  # 16,384 × 16,384: limit of an image that is decoded as a whole
MAX_PIXELS_IN_BANDS = 2**32  # 65,536 × 65,536: limit of a TIFF that is read in bands
MAX_FILE_BYTES = 2**31  # limit of a file that is read as a whole
Severity = Literal["error", "skipped", "warning"]


class Unreadable(Exception):
    """A file that cannot be used. The message says why.

    Attributes:
        setting: The setting, or else the step, that solves the problem.
    """

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(what)
        self.setting = setting


@dataclass(frozen=True)
class Finding:
    """One problem that a check found.

    Attributes:
        file: A file, or the id of a pair.
        severity: An error stops the run. With data.on_error: skip it becomes "skipped", and its pair is left out.
        what: The problem.
        setting: The setting, or else the step, that solves the problem.
        pair: The id of the image, if the finding is about an image without a mask.
        whole: The problem concerns the whole data set, so that skipping one file does not solve it.
    """

    file: str
    severity: Severity
    what: str
    setting: str
    whole: bool = False
    pair: str = ""


def check_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    """Refuse an image that would exhaust the memory, before anything is decoded.

    Args:
        width: Width in pixels, as the file's header gives it.
        height: Height in pixels.
        most: The largest number of pixels that is allowed.

    Raises:
        Unreadable: The image has more pixels.
    """
    if width * height > most:
        what = f"has {width} × {height} pixels, more than the limit of {most:,} for a file of its kind"
        raise Unreadable(what, "cut it into smaller images, or save it as TIFF in tiles")
