"""Weights in HDF5: the shapes of their arrays, and the check that a file holds plain arrays only.

HDF5 can point to other files, declare arrays of any size without storing them, and nest without end. All of that is
refused, because Keras reads arrays before it compares their shapes.
"""

import io
from collections.abc import Iterator

import h5py

Shape = tuple[int, ...]
DEEPEST = 4  # layers/NAME/vars/NUMBER
PLAIN = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS)


def stored_shapes(content: bytes, name: str = "model.weights.h5") -> list[Shape]:
    """Read the shapes of all arrays, sorted.

    Args:
        content: a file of weights, such as a member of a model file.
        name: of the file, for the message.

    Raises:
        ValueError: names the first object that is not stored as Keras stores weights.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return sorted(_shapes(file, "", set()))
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"{name}: {error}") from None


def _shapes(group: h5py.Group, place: str, seen: set[int]) -> Iterator[Shape]:
    for name in group:
        path = f"{place}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path!r} is a link to elsewhere")
        member = group[name]
        address = h5py.h5o.get_info(member.id).addr
        if address in seen or path.count("/") > DEEPEST:
            raise ValueError(f"{path!r} occurs twice, or is nested too deep")
        seen.add(address)
        if isinstance(member, h5py.Group):
            yield from _shapes(member, path, seen)
        else:
            check_array(member, path)
            yield tuple(member.shape)


def check_array(member: object, path: str) -> None:
    """Check that an object of HDF5 is a float32 array that is stored completely in this file.

    Args:
        member: any object.
        path: the name that the message shows.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(member, h5py.Dataset) or member.dtype != "float32" or member.shape is None:
        raise ValueError(f"{path!r} is no array of float32")
    plain = member.id.get_create_plist().get_layout() in PLAIN and not member.external
    if not plain or member.id.get_storage_size() != 4 * member.size:
        raise ValueError(f"{path!r} is compressed, not stored, or stored elsewhere")
