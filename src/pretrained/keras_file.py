"""Read the arrays of a weights file that Keras wrote before version 3, such as those on Keras's server.

The attribute `layer_names` of the file lists the layers in their order, and the attribute `weight_names` of each layer
its arrays (keras/src/legacy/saving/legacy_h5_format.py). Keras itself pairs them with a network by this order, because
the names differ between its versions.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from src.archive.weights import check_array
from src.errors import quoted

MOST_NAMES = 4096  # of layers, or of the arrays of a layer
MOST_HEAP = 2**16  # bytes of a block of texts; HDF5 makes the smallest blocks unless a single text is longer
LEAST_HEAP = 2**12  # bytes of the smallest block that HDF5 makes
HEAP = b"GCOL\x01"  # signature and version of such a block; its size is 8 bytes after the start
WHOLE_MODEL = "model_weights"  # the group of the weights in a file that holds a whole model


@dataclass(frozen=True)
class StoredLayer:
    """The weights of a layer.

    Attributes:
        name: Name of the layer when it was saved.
        arrays: Its weights in Keras's order.
    """

    name: str
    arrays: tuple[NDArray[np.float32], ...]


def read_layers(content: bytes) -> list[StoredLayer]:
    """Read the layers that have weights, in the order of the file.

    Counters, which are single whole numbers, are left out. The result is not larger than the content.

    Args:
        content: The whole file.

    Raises:
        ValueError: It is no such file, or an array is a link, compressed, or stored elsewhere.
    """
    _check_heaps(content)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            root = _member(file, WHOLE_MODEL, h5py.Group) if _names(file, "layer_names") is None else file
            return list(_layers(root, len(content)))
    except (OSError, KeyError, RuntimeError, TypeError, OverflowError, MemoryError, UnicodeError) as error:
        raise ValueError(str(error)) from None


def _layers(root: h5py.Group, most: int) -> Iterator[StoredLayer]:
    """Yield the layers; all arrays together have at most `most` bytes, so that none of them lies within another."""
    for name in _names(root, "layer_names") or []:
        layer, arrays = _member(root, name, h5py.Group), []
        for weight in _names(layer, "weight_names") or []:
            array = _member(layer, weight, h5py.Dataset)
            if array.shape == () and array.dtype.kind == "i":
                continue
            check_array(array, f"{name}/{weight}")
            most -= array.nbytes
            if most < 0:
                raise ValueError("its arrays together are larger than the file")
            arrays.append(np.asarray(array[()], np.float32))
        if arrays:
            yield StoredLayer(name, tuple(arrays))


def _names(group: h5py.Group, attribute: str) -> list[str] | None:
    """Read a list of names; None if there is none. Keras divides a long list: layer_names0, layer_names1 …"""
    if attribute in group.attrs:
        return _texts(group, attribute)
    parts: list[str] = []
    number = 0
    while f"{attribute}{number}" in group.attrs:
        parts += _texts(group, f"{attribute}{number}")
        number += 1
    return parts if number else None


def _texts(group: h5py.Group, attribute: str) -> list[str]:
    stored = group.attrs.get_id(attribute)
    if len(stored.shape) != 1 or stored.shape[0] > MOST_NAMES or stored.dtype.itemsize > MOST_HEAP:
        raise ValueError(f"the attribute {quoted(attribute)} is not a list of at most {MOST_NAMES} names")
    if stored.dtype.kind != "S" and h5py.check_string_dtype(stored.dtype) is None:
        if stored.shape[0] == 0:  # Keras writes an empty list as one of float64
            return []
        raise ValueError(f"the attribute {quoted(attribute)} is not a list of names")
    return [text.decode() if isinstance(text, bytes) else str(text) for text in group.attrs[attribute]]


def _member(group: h5py.Group, path: str, kind: type) -> h5py.Group | h5py.Dataset:
    """Follow a path of groups, none of which is a link to elsewhere."""
    member = group
    for part in path.split("/"):
        if not isinstance(member, h5py.Group) or not isinstance(member.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{quoted(path)} is missing, or a link to elsewhere")
        member = member[part]
    if not isinstance(member, kind):
        raise ValueError(f"{quoted(path)} is not a {kind.__name__}")
    return member


def _check_heaps(content: bytes) -> None:
    """Check the blocks of texts, which HDF5 follows without a check of its own.

    Many names may share one text, so that a small file with long texts could fill the memory. In a damaged block HDF5
    searches without end. Blocks that overlap would be walked over again and again, so that they are refused.

    Raises:
        ValueError: A block is large, blocks overlap, or the objects in a block do not lie side by side.
    """
    place, left = content.find(HEAP), len(content) + MOST_HEAP  # weights that look like a block by chance have room
    while place >= 0:
        size = _integer(content, place + 8)
        end = place + size
        left -= min(max(size, LEAST_HEAP), MOST_HEAP)
        if left < 0:
            raise ValueError("its blocks of names overlap")
        if end <= len(content):  # otherwise HDF5 refuses it itself, or these bytes are numbers
            if size > MOST_HEAP:
                raise ValueError("its names are too long")
            _check_objects(content, place + 16, end)
        place = content.find(HEAP, place + 1)


def _check_objects(content: bytes, place: int, end: int) -> None:
    """Walk over the objects of a block: index (2 bytes), count (2), reserved (4), size (8), and the text itself.

    The object with index 0 is the free space at the end; its size includes these 16 bytes.
    """
    while place + 16 <= end:
        index, size = int.from_bytes(content[place : place + 2], "little"), _integer(content, place + 8)
        if index == 0 and size != end - place:
            break
        place += size if index == 0 else 16 + -(-size // 8) * 8
    if place + 16 <= end or place > end:
        raise ValueError("its names are damaged")


def _integer(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")
