"""Read one TIFF with tifffile: any number type, strips and tiles, compression, channels first or last.

An image too large for memory is read in bands of rows, and its pixels come as a memory map of a temporary file. The
pixels are written to that file, not to a map of it: a full disk is then an error with a message, where writing to a
map would end the process. tifffile's own `asarray(out=…)` needs such a map.
"""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from src.data.reading.channels import Pixels
from src.data.reading.unreadable import LARGE_IMAGE_PIXELS, MAX_PIXELS, MAX_PIXELS_IN_BANDS, Unreadable, check_size
from src.errors import UserError

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
MAX_CHANNELS = 16
BAND_PIXELS = 2**24  # pixels in a band of an uncompressed file, which could be read at any size
COLOUR_SPACES = {5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"}
SEVERAL_FILES = ("ome", "mmstack", "ndtiff")  # kinds of metadata that can describe an image in several files
ORIENTATION, GDAL_NODATA = 274, 42113  # tags
WHITE_IS_ZERO = 0  # PhotometricInterpretation
JPEG = (6, 7)  # compressions that give RGB, whatever the file's colour space
LOSSY = (*JPEG, 22610, 33003, 33005, 33007, 34712, 34887, 34892, 34934, 50001, 50002, 52546)  # or may be lossy

logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # our own messages name the file


@dataclass(frozen=True)
class StoredImage:
    """The pixels of an image or mask file as stored, and what the file says about them.

    Attributes:
        pixels: [height, width] or [height, width, channels], before the EXIF orientation is applied. Black is 0.
        orientation: EXIF orientation, 1 to 8.
        palette: uint8 [n, 3], the colours that the pixels are indices of. None if there is no palette.
        alpha: The last channel is alpha.
        lossy: The compression changed the values, or may have.
        inverted: The file stores white as 0.
        nodata: The value of GDAL's no-data tag, if it is a whole number.
        inverted_booleans: The file may hold a boolean array whose True was read as 0. By default tifffile, which
            scikit-image and imageio use, declares white as 0 when it saves booleans, but stores True as 1.
    """

    pixels: Pixels
    orientation: int = 1
    palette: NDArray[np.uint8] | None = None
    alpha: bool = False
    lossy: bool = False
    inverted: bool = False
    nodata: int | None = None
    inverted_booleans: bool = False

    def colours(self) -> Pixels:
        """The pixels, alpha included, with palette indices replaced by their colours, uint8 [height, width, 3]."""
        if self.palette is not None:
            return self.palette[np.minimum(self.pixels, len(self.palette) - 1)]
        return self.pixels


def is_tiff(path: Path) -> bool:
    """Return whether the file begins like a TIFF."""
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def read_tiff(path: Path, channels: int = 0, scratch: Path | None = None) -> StoredImage:
    """Read the one image of a TIFF. Several pages are several images, unless there are `channels` of them.

    Args:
        path: The file.
        channels: Number of channels that is expected, 0 if unknown.
        scratch: Folder for the pixels of an image of more than `LARGE_IMAGE_PIXELS`.

    Raises:
        Unreadable: The file cannot be used.
        UserError: The folder `scratch` has no room.
    """
    try:
        with open_tiff(path) as file:
            return _read(file, channels, scratch)
    except (Unreadable, UserError, MemoryError):
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds of error on damaged bytes
        what = f"cannot be decoded: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise Unreadable(what, "save it again as TIFF or PNG") from None


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file by itself, even if its metadata (OME, Micro-Manager) makes it part of an image in several files.

    Otherwise tifffile would read pixels of the other files, too, and zeros for those that are missing.
    """
    file = tifffile.TiffFile(path)
    try:
        if all(_is_complete(series, file) for series in file.series):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_ndtiff=False)


def _is_complete(series: tifffile.TiffPageSeries, file: tifffile.TiffFile) -> bool:
    """Return whether all pages of a series are in this file."""
    if series.kind not in SEVERAL_FILES:
        return True
    return all(page is not None and page.parent is file for page in series.pages)


def single_series(file: tifffile.TiffFile, channels: int) -> tifffile.TiffPageSeries:
    """The series of pages of the file's one image, without reduced copies and transparency masks.

    Args:
        file: The open file.
        channels: Number of channels that is expected: as many pages are channels of one image. 0 if unknown.

    Raises:
        Unreadable: The file holds no image, or several.
    """
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


def _read(file: tifffile.TiffFile, channels: int, scratch: Path | None) -> StoredImage:
    series = single_series(file, channels)
    page = series.keyframe
    _check(file, page)
    axis = _channel_axis(series, channels)
    height, width = (side for place, side in enumerate(series.shape) if place != axis)
    check_size(width, height, MAX_PIXELS_IN_BANDS if len(series) == 1 else MAX_PIXELS)
    if height * width > LARGE_IMAGE_PIXELS and len(series) == 1:
        pixels = _read_to_disk(page, scratch)
    else:
        pixels = series.asarray(maxworkers=1)
        pixels = pixels if axis is None else np.moveaxis(pixels, axis, -1)
    inverted = page.photometric == WHITE_IS_ZERO and pixels.dtype.kind in "ub"
    if inverted:
        pixels = ~pixels if pixels.dtype == bool else pixels.dtype.type(2**page.bitspersample - 1) - pixels
    native = pixels.dtype.newbyteorder("=")
    if native != pixels.dtype or not pixels.flags.c_contiguous:
        pixels = np.ascontiguousarray(pixels, native)
    orientation = int(page.tags.valueof(ORIENTATION, 1))
    return StoredImage(
        pixels,
        orientation=orientation if orientation in range(1, 9) else 1,
        palette=None if page.colormap is None else (np.asarray(page.colormap).T >> 8).astype(np.uint8),
        alpha=axis is not None and page.extrasamples[-1:] in ((1,), (2,)),
        lossy=int(page.compression) in LOSSY,
        inverted=inverted,
        nodata=_nodata(page),
        inverted_booleans=page.photometric == WHITE_IS_ZERO
        and page.bitspersample == 1
        and str(page.software).startswith("tifffile"),
    )


def _channel_axis(series: tifffile.TiffPageSeries, channels: int) -> int | None:
    """The axis that holds the channels: the one with their label, else the one of at most `MAX_CHANNELS`."""
    if len(series.shape) == 2:
        return None
    if len(series.shape) == 3:
        labelled = [axis for axis, label in enumerate(series.axes) if label in "SC"]
        short = [axis for axis in (0, 2) if series.shape[axis] == channels]
        short = short or [axis for axis in (0, 2) if series.shape[axis] <= MAX_CHANNELS]
        for axes in (labelled, short):
            if len(axes) == 1 and axes[0] != 1 and series.shape[axes[0]] <= MAX_CHANNELS:
                return axes[0]
    sides = " × ".join(map(str, series.shape))
    raise Unreadable(f"is an array of {sides}", f"save it as height × width × channels, at most {MAX_CHANNELS}")


def _check(file: tifffile.TiffFile, page: tifffile.TiffPage) -> None:
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
    if int(page.compression) == 1 and _is_too_short(page):  # for compressed pages, the decoder notices
        raise Unreadable("is cut off: its header promises more pixels than it holds", "restore it from its source")


def _is_too_short(page: tifffile.TiffPage) -> bool:
    """Return whether a strip or tile of an uncompressed page is shorter than its pixels. Length 0 means left out."""
    width, height = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    row_bytes = -(-width * page.bitspersample * (page.samplesperpixel if page.planarconfig == 1 else 1) // 8)
    down = -(-page.imagelength // height)
    for index, count in enumerate(page.databytecounts):
        rows = height if page.is_tiled else min(height, page.imagelength - index % down * height)
        if 0 < count < row_bytes * rows:
            return True
    return False


def _nodata(page: tifffile.TiffPage) -> int | None:
    """GDAL's no-data value, a number written as text; None if it is missing or not whole."""
    try:
        value = float(str(page.tags.valueof(GDAL_NODATA, "")).strip("\0 "))
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _read_to_disk(page: tifffile.TiffPage, scratch: Path | None) -> Pixels:
    """The pixels as a memory map of a nameless file, [height, width] or [height, width, channels]."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        for band in _bands(page):
            try:
                file.write(np.ascontiguousarray(band).data)
                file.flush()
            except OSError as error:  # from the disk, not from the image
                raise UserError(f"{scratch}: {error.strerror}; a large TIFF needs room for its pixels there") from None
        shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
        return np.memmap(file, _native(page), "r", shape=shape[: 2 + (shape[2] > 1)])


def _native(page: tifffile.TiffPage) -> np.dtype[np.generic]:
    """The page's dtype in the byte order of this machine."""
    return np.dtype(page.dtype).newbyteorder("=")


def _bands(page: tifffile.TiffPage) -> Iterator[Pixels]:
    """The rows of a page from top to bottom, some at a time: [rows, width, channels]."""
    return _bands_of_map(page) if page.is_memmappable else _decoded_bands(page)


def _bands_of_map(page: tifffile.TiffPage) -> Iterator[Pixels]:
    """Bands of `BAND_PIXELS` of an uncompressed page."""
    height, width = page.imagelength, page.imagewidth
    interleaved = page.samplesperpixel if page.planarconfig == 1 else 1
    planes = page.asarray(out="memmap").reshape(-1, height, width, interleaved)
    for top in range(0, height, step := max(1, BAND_PIXELS // width)):
        yield np.concatenate(list(planes[:, top : top + step]), axis=-1).astype(_native(page))


def _decoded_bands(page: tifffile.TiffPage) -> Iterator[Pixels]:
    """Bands of one row of tiles, or one strip, of each plane."""
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    rows = page.tilelength if page.is_tiled else page.rowsperstrip
    check_size(width, rows)
    planes = samples if page.planarconfig == 2 else 1
    across = -(-width // page.tilewidth) if page.is_tiled else 1
    down = -(-height // rows)
    for row in range(down):
        band = np.full((min(rows, height - row * rows), width, samples), page.nodata, _native(page))
        for index in ((plane * down + row) * across + column for plane in range(planes) for column in range(across)):
            page.parent.filehandle.seek(page.dataoffsets[index])
            data = page.parent.filehandle.read(page.databytecounts[index]) or None
            part, (plane, _, top, left, _), (_, high, wide, _) = page.decode(data, index, jpegtables=page.jpegtables)
            if part is not None:  # else it was left out of the file: `nodata` stays
                top, high, wide = top - row * rows, min(high, height - top), min(wide, width - left)
                band[top : top + high, left : left + wide, plane : plane + part.shape[-1]] = part[0, :high, :wide]
        yield band
