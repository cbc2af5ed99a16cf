"""Reads one array from a file of NumPy or MATLAB. Nothing in such a file is run: pickled objects are refused.

Shapes are checked before an array is read, since a small compressed file can hold a huge one.
"""

import functools
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import h5py
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from src.convert.formats.arrays.matlab import stored_matlab
from src.convert.formats.arrays.stored import NUMBERS, Numbers, Stored
from src.convert.problems import Refused
from src.data.reading.unreadable import MAX_PIXELS
from src.errors import quoted, some

ARRAY_SUFFIXES = {".npy", ".npz", ".mat"}
MATLAB_NUMBERS = {"double", "single", "logical"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # later versions: no plain numbers
PICKLE = "holds Python objects (pickle), which can run code when they are read: it is not read"
PICKLE_REMEDY = "save the array alone, as numpy.save(file, array); masks of Cellpose's _seg.npy also as PNG or TIFF"
MOST = 2**53  # the largest whole number up to which fractions (float64) are exact


def read_labels(path: Path, key: str | None) -> NDArray[np.int64]:
    """Read a mask of whole numbers.

    Args:
        path: A .npy, .npz or .mat file.
        key: The name of the variable; None: the only one of two dimensions. A .npy file has no names.

    Returns:
        int64 [height, width].

    Raises:
        Refused: The file cannot be read, holds pickled objects, or does not hold one such mask.
    """
    try:
        array = _chosen(_stored(path), key).read()
    except Refused:
        raise
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}", "save it again") from None
    except Exception as error:  # NumPy and h5py raise many kinds of error on damaged bytes
        raise Refused(f"cannot be read: {error}", "save it again") from None
    array = array.reshape([side for side in array.shape if side != 1] if array.ndim != 2 else array.shape)
    if array.dtype.kind == "f" and (array != np.round(array)).any():  # NaN differs from itself
        raise Refused("holds fractions or NaN", "save whole numbers, one for each class or object")
    if array.size and not -MOST <= array.min() <= array.max() <= MOST:
        raise Refused(f"holds numbers above {MOST} or below {-MOST}", "save them with 32 bits")
    return array.astype(np.int64)


def _chosen(stored: Mapping[str, Stored], key: str | None) -> Stored:
    """The array of this name, or the only one with two sides; raises `Refused` if there is none or several."""
    images = {name: one for name, one in stored.items() if _sides(one) == 2}
    images = images or {name: one for name, one in stored.items() if len(one.shape) == 2}  # one row or column
    shown = ", ".join(f"{quoted(name)} ({one.size})" for name, one in stored.items()) or "none"
    if key is not None and "" not in stored:
        if key not in images:
            raise Refused(f"has no variable {quoted(key)} of two dimensions; variables there: {shown}", "correct --key")
        images = {key: images[key]}
    if not images:
        raise Refused(f"holds no array of two dimensions; arrays there: {shown}", "save one array for each image")
    if len(images) > 1:
        shown = ", ".join(f"{quoted(name)} ({one.size})" for name, one in images.items())
        raise Refused(f"holds {len(images)} arrays: {shown}", f"name the masks: {some(images, 3, '--key {}'.format)}")
    (one,) = images.values()
    if math.prod(one.shape) > MAX_PIXELS:
        raise Refused(f"has {one.size} pixels, more than {MAX_PIXELS}", "cut it into tiles")
    return one


def _sides(one: Stored) -> int:
    """The number of sides longer than 1."""
    return sum(side > 1 for side in one.shape)


def _stored(path: Path) -> dict[str, Stored]:
    """Name → array of numbers. The array of a .npy file has the name ""."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            header = _header(file)
        return {"": Stored(header, functools.partial(np.load, path, allow_pickle=False))} if header else {}
    if path.suffix.lower() == ".npz":
        return _stored_npz(path)
    return _stored_hdf5(path) if h5py.is_hdf5(path) else stored_matlab(path)


def _stored_npz(path: Path) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                header = _header(file)
            name = member.removesuffix(".npy")
            if header:
                found[name] = Stored(header, functools.partial(_from_npz, path, name))
    return found


def _header(file: IO[bytes]) -> tuple[int, ...]:
    """The shape in the header of an array of NumPy; empty if it holds no numbers. Raises `Refused` for objects."""
    read = HEADERS.get(npy.read_magic(file))
    if read is None:  # a later version, which is for names that are not ASCII
        return ()
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise Refused(PICKLE, PICKLE_REMEDY)
    return tuple(shape) if dtype.kind in NUMBERS else ()


def _from_npz(path: Path, name: str) -> Numbers:
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[name])


def _stored_hdf5(path: Path) -> dict[str, Stored]:
    """The arrays of a MATLAB file of version 7.3, which is HDF5 and stores arrays transposed."""
    with h5py.File(path, "r") as file:
        found: dict[str, Stored] = {}
        for name in file:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):  # a link may lead to another file
                continue
            item = file[name]
            if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual or item.dtype.kind not in NUMBERS:
                continue
            if _matlab_class(item) in MATLAB_NUMBERS:
                found[name] = Stored(item.shape[::-1], functools.partial(_from_hdf5, path, name))
        return found


def _from_hdf5(path: Path, name: str) -> Numbers:
    with h5py.File(path, "r") as file:
        return np.asarray(file[name][()]).T


def _matlab_class(item: h5py.Dataset) -> str:
    """The class that MATLAB gave to a dataset; double if another program wrote it."""
    name = item.attrs.get("MATLAB_class", b"double")
    return name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
