"""TIFF by tifffile: any number type, strips and tiles, compressed, channels first or last; large ones in bands."""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, MAX_PIXELS, MAX_PIXELS_IN_BANDS, Unreadable, check_size
from src.errors import UserError

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
MOST_CHANNELS = 16
BAND = 2**24  # pixels read at a time from a file that is one long strip
COLOUR_SPACES = {5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"}
SEVERAL_FILES = ("ome", "mmstack", "ndtiff")  # kinds of metadata that can describe an image in several files
JPEG = (6, 7)  # compressions that give RGB whatever the file's colour space
LOSSY = (*JPEG, 22610, 33003, 33005, 33007, 34712, 34887, 34892, 34934, 50001, 50002, 52546)  # or may be lossy
Pixels = NDArray[Any]

logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # what fails is said in our words, by the file's name


@dataclass(frozen=True)
class Tiff:
    """The pixels as stored, (height, width) or (height, width, channels), and what the file says of them.

    palette: uint8 [n, 3], the colours that the values stand for, if the file has one.
    alpha: whether the last channel is alpha, as the tag ExtraSamples says. lossy: whether the compression changed the
        values, or may have. inverted: whether the file stores white as 0; `stored` is already turned into black as 0.
    nodata: the value of GDAL's no-data tag, if the file has one that is a whole number.
    inverted_booleans: whether the file may hold an array of truth values whose True viewers show as black, see `_truth`.
    """

    stored: Pixels
    orientation: int
    palette: NDArray[np.uint8] | None
    alpha: bool
    lossy: bool = False
    inverted: bool = False
    nodata: int | None = None
    inverted_booleans: bool = False

    def colours(self) -> Pixels:
        """The pixels, alpha included; palette indices as colours."""
        if self.palette is not None:
            return self.palette[np.minimum(self.stored, len(self.palette) - 1)]
        return self.stored


def is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def read_tiff(path: Path, channels: int = 0, scratch: Path | None = None) -> Tiff:
    """The one image of a TIFF. Several pages are several images, unless `channels` says that they are channels.

    scratch: the folder for the memory map that more than `LARGE_IMAGE_PIXELS` pixels come as. Raises `Unreadable`.
    """
    try:
        with open_tiff(path) as file:
            series = single_series(file, channels)
            page = series.keyframe
            _check(file, page)
            place = _channel_axis(series, channels)
            shape = [side for axis, side in enumerate(series.shape) if axis != place]
            check_size(shape[1], shape[0], MAX_PIXELS_IN_BANDS if len(series) == 1 else MAX_PIXELS)
            if shape[0] * shape[1] > LARGE_IMAGE_PIXELS and len(series) == 1:
                pixels = _on_disk(page, scratch)
            else:
                pixels = series.asarray(maxworkers=1)
                pixels = pixels if place is None else np.moveaxis(pixels, place, -1)
            inverted = page.photometric == 0 and pixels.dtype.kind in "ub"  # white is zero
            if inverted:
                pixels = ~pixels if pixels.dtype == bool else pixels.dtype.type(2**page.bitspersample - 1) - pixels
            native = pixels.dtype.newbyteorder("=")
            if native != pixels.dtype or not pixels.flags.c_contiguous:
                pixels = np.ascontiguousarray(pixels, native)
            orientation = int(page.tags.valueof(274, 1))
            alpha = place is not None and page.extrasamples[-1:] in ((1,), (2,))  # else it is not the last channel
            orientation = orientation if orientation in range(1, 9) else 1
            lossy = int(page.compression) in LOSSY
            return Tiff(pixels, orientation, _palette(page), alpha, lossy, inverted, _nodata(page), _truth(page))
    except (Unreadable, UserError, MemoryError):
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds of error on damaged bytes
        what = f"cannot be decoded: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise Unreadable(what, "save it again as TIFF or PNG") from None


def open_tiff(path: Path) -> tifffile.TiffFile:
    """The file by itself, even if its metadata (OME, Micro-Manager) makes it a part of a larger image in several files.

    tifffile would read pixels of the other files, too, and zeros for those that are missing.
    """
    file = tifffile.TiffFile(path)
    try:
        if all(_complete(series, file) for series in file.series):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_ndtiff=False)


def _complete(series: Any, file: tifffile.TiffFile) -> bool:
    """Whether all pages of a series are in this file."""
    if series.kind not in SEVERAL_FILES:
        return True
    return all(page is not None and page.parent is file for page in series.pages)


def single_series(file: tifffile.TiffFile, channels: int) -> Any:
    """The file's one image; reduced copies and transparency masks beside it do not count."""
    series = [one for one in file.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    if not series:
        raise Unreadable("holds no image", "save it again as TIFF or PNG")
    pages = sum(len(one) for one in series)
    first = series[0]
    one_array = first.kind in ("shaped", "imagej", "ome") and not set(first.axes) & set("TZ")
    if len(series) > 1 or (pages > 1 and not one_array and pages != channels):
        setting = f"save each one as a file of its own; if they are an image's channels, data.channels: {pages}"
        raise Unreadable(f"holds {pages} images", setting)
    return first


def _channel_axis(series: Any, channels: int) -> int | None:
    """Which axis of the array holds the channels: labelled so, else the one of at most `MOST_CHANNELS`."""
    if len(series.shape) == 2:
        return None
    if len(series.shape) == 3:
        labelled = [axis for axis, label in enumerate(series.axes) if label in "SC"]
        short = [axis for axis in (0, 2) if series.shape[axis] == channels]
        short = short or [axis for axis in (0, 2) if series.shape[axis] <= MOST_CHANNELS]
        for axes in (labelled, short):
            if len(axes) == 1 and axes[0] != 1 and series.shape[axes[0]] <= MOST_CHANNELS:
                return axes[0]
    sides = " × ".join(map(str, series.shape))
    raise Unreadable(f"is an array of {sides}", f"save it as height × width × channels, at most {MOST_CHANNELS}")


def _check(file: tifffile.TiffFile, page: Any) -> None:
    """Refuse what would be misread, and pixels that lie beyond the end of the file or of their own part of it."""
    space = COLOUR_SPACES.get(int(page.photometric))
    if space and int(page.compression) not in JPEG:
        raise Unreadable(f"is in the colour space {space}", "save it as RGB or grey")
    if page.dtype is None or page.dtype.kind not in "buif":
        raise Unreadable("holds numbers of an unusual type", "save it as 8 or 16 bits, or 32-bit float")
    if page.is_tiled:
        check_size(page.tilewidth, page.tilelength)
    size = file.filehandle.size
    for one in file.pages:
        parts = list(zip(one.dataoffsets, one.databytecounts, strict=True))
        if max((at + length for at, length in parts), default=0) > size:
            raise Unreadable("is cut off", "restore it from its source")
    if int(page.compression) == 1 and _too_short(page):  # of others the decoder says so
        raise Unreadable("is cut off: its header promises more pixels than it holds", "restore it from its source")


def _too_short(page: Any) -> bool:
    """Whether a strip or tile of an uncompressed page is shorter than its pixels; those of length 0 are left out."""
    wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    row = -(-wide * page.bitspersample * (page.samplesperpixel if page.planarconfig == 1 else 1) // 8)
    down = -(-page.imagelength // high)
    for index, count in enumerate(page.databytecounts):
        rows = high if page.is_tiled else min(high, page.imagelength - index % down * high)
        if 0 < count < row * rows:
            return True
    return False


def _truth(page: Any) -> bool:
    """Whether tifffile saved an array of truth values: by default it calls white 0, but stores True as 1.

    scikit-image and imageio save TIFF by tifffile.
    """
    return page.photometric == 0 and page.bitspersample == 1 and str(page.software).startswith("tifffile")


def _palette(page: Any) -> NDArray[np.uint8] | None:
    return None if page.colormap is None else (np.asarray(page.colormap).T >> 8).astype(np.uint8)


def _nodata(page: Any) -> int | None:
    """GDAL's no-data value (tag 42113, a number as text); None if it is missing or no whole number."""
    try:
        value = float(str(page.tags.valueof(42113, "")).strip("\0 "))
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _on_disk(page: Any, scratch: Path | None) -> Pixels:
    """The pixels as a memory map of a nameless file, (height, width) or (height, width, channels)."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        for band in _bands(page):
            try:
                file.write(np.ascontiguousarray(band).data)
                file.flush()
            except OSError as error:  # of the disk, not of the image
                raise UserError(f"{scratch}: {error.strerror}; a large TIFF needs room for its pixels there") from None
        shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
        return np.memmap(file, page.dtype.newbyteorder("="), "r", shape=shape[: 2 + (shape[2] > 1)])


def _bands(page: Any) -> Iterator[Pixels]:
    """The rows of one page from top to bottom, a row of tiles or some strips at a time: [rows, width, samples]."""
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    native = page.dtype.newbyteorder("=")
    if page.is_memmappable:
        stored = page.asarray(out="memmap").reshape(-1, height, width, samples if page.planarconfig == 1 else 1)
        for top in range(0, height, step := max(1, BAND // width)):
            yield np.concatenate(list(stored[:, top : top + step]), axis=-1).astype(native)
        return
    rows = page.tilelength if page.is_tiled else page.rowsperstrip
    check_size(width, rows)
    planes = samples if page.planarconfig == 2 else 1
    across = -(-width // page.tilewidth) if page.is_tiled else 1
    down = -(-height // rows)
    for row in range(down):
        band = np.full((min(rows, height - row * rows), width, samples), page.nodata, native)
        for index in ((plane * down + row) * across + column for plane in range(planes) for column in range(across)):
            page.parent.filehandle.seek(page.dataoffsets[index])
            data = page.parent.filehandle.read(page.databytecounts[index]) or None
            part, (plane, _, top, left, _), (_, high, wide, _) = page.decode(data, index, jpegtables=page.jpegtables)
            if part is not None:  # else left out of the file
                top, high, wide = top - row * rows, min(high, height - top), min(wide, width - left)
                band[top : top + high, left : left + wide, plane : plane + part.shape[-1]] = part[0, :high, :wide]
        yield band
