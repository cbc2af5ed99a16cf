"""Read tensors from a file that `torch.save` wrote before PyTorch 1.6 (the legacy format), without PyTorch.

The file is five pickles and then the numbers: a magic number, the version of the format, facts on the machine, the
dictionary of tensors, and the keys of the storages; then, for each key, the count as int64 and the numbers themselves
(torch/serialization.py, `_legacy_save`).
"""

import io
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from src.errors import quoted, some
from src.pretrained.pickled import Storage, Tensor, read_pickled

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
ZIP = b"PK\x03\x04"
ITEM = {"float32": 4, "int64": 8}  # bytes of a number
MOST_AXES = 8
Numbers = Mapping[str, bytes | memoryview]


def read_tensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Read the float32 tensors of a state dictionary, in the order of the file.

    Nothing in the content is run or unpickled (see pickled.py). The arrays are views of the content, so a small file
    cannot claim much memory.

    Args:
        content: The whole file.

    Returns:
        The name of each tensor → its numbers, read-only. Tensors of int64, the counters of batch normalisation, are
        left out.

    Raises:
        ValueError: The content is anything other than a complete dictionary of dense float32 or int64 tensors.
    """
    if content.startswith(ZIP):
        raise ValueError("it is in PyTorch's newer zip format; only the format before PyTorch 1.6 is read")
    file = io.BytesIO(content)
    _check_header(file)
    tensors, keys = read_pickled(file), read_pickled(file)
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ValueError("it holds something other than a dictionary of tensors")
    blocks = _blocks(memoryview(content)[file.tell() :], keys, _storages(tensors))
    return {name: _array(name, tensor, blocks) for name, tensor in tensors.items() if tensor.storage.kind == "float32"}


def _check_header(file: io.BytesIO) -> None:
    """Raise `ValueError` unless the file starts as the format demands, and was written on a little-endian machine."""
    for expected, what in ((MAGIC, "it does not start with PyTorch's magic number"), (VERSION, "an unknown version")):
        found = read_pickled(file)
        if type(found) is not int or found != expected:
            raise ValueError(what)
    machine = read_pickled(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("it was not written on a little-endian machine")


def _storages(tensors: Mapping[str, Tensor]) -> dict[str, Storage]:
    """Key → storage, of all tensors. The same key must mean the same storage."""
    storages: dict[str, Storage] = {}
    for tensor in tensors.values():
        if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError(f"the storage {quoted(tensor.storage.key)} has two sizes or types")
    return storages


def _blocks(numbers: memoryview, keys: object, storages: Mapping[str, Storage]) -> dict[str, memoryview]:
    """Key of each storage → its bytes. All bytes of the file must belong to one."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
        raise ValueError("the keys of the storages are not a list of different names")
    if different := set(keys) ^ set(storages):
        raise ValueError(f"storages without tensors, or tensors without storages: {some(sorted(different))}")
    blocks, place = {}, 0
    for key in keys:
        storage = storages[key]
        end = place + 8 + ITEM[storage.kind] * storage.count
        if end > len(numbers):
            raise ValueError(f"it ends within the storage {quoted(key)}")
        if int.from_bytes(numbers[place : place + 8], "little") != storage.count:
            raise ValueError(f"the storage {quoted(key)} has another size than its tensors say")
        blocks[key] = numbers[place + 8 : end]
        place = end
    if place < len(numbers):
        raise ValueError(f"{len(numbers) - place} bytes follow after the last storage")
    return blocks


def _array(name: str, tensor: Tensor, blocks: Mapping[str, memoryview]) -> NDArray[np.float32]:
    """The tensor as a view. Its axes may lie in any order, but its numbers must lie side by side."""
    shape, strides = tensor.shape, tensor.strides
    if len(shape) != len(strides) or len(shape) > MOST_AXES or 0 in shape:
        raise ValueError(f"the tensor {quoted(name)} has no possible shape")
    if tensor.offset + math.prod(shape) > tensor.storage.count:
        raise ValueError(f"the tensor {quoted(name)} is larger than its storage")
    axes = sorted((axis for axis in range(len(shape)) if shape[axis] > 1), key=lambda axis: -strides[axis])
    stored = [shape[axis] for axis in axes]  # from the axis that varies slowest to the fastest
    if [strides[axis] for axis in axes] != [math.prod(stored[place + 1 :]) for place in range(len(stored))]:
        raise ValueError(f"the numbers of the tensor {quoted(name)} do not lie side by side")
    numbers = np.frombuffer(blocks[tensor.storage.key], "<f4", math.prod(shape), 4 * tensor.offset)
    return numbers.reshape(stored).transpose(np.argsort(axes)).reshape(shape)
