"""The file of an encoder's initial weights, models/initial/NAME.weights.h5: layers/LAYER/vars/NUMBER in HDF5.

Keras's own files of weights number the layers of each class instead of naming them. They could not be read any more
once a layer gets another class, or the encoder another depth.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from src.archive.weights import stored_shapes

LAYERS, ARRAYS = "layers", "vars"
MOST = 2**30  # bytes
Array = NDArray[np.float32]


def encoder_file(layers: Mapping[str, Sequence[Array]]) -> bytes:
    """The content of a file of weights. Equal weights give equal bytes.

    Args:
        layers: Name of each layer → its weights in the layer's order, float32.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in sorted(layers):
            for number, array in enumerate(layers[name]):
                file.create_dataset(f"{LAYERS}/{name}/{ARRAYS}/{number}", data=np.asarray(array, np.float32))
    return buffer.getvalue()


def read_encoder_file(path: Path) -> dict[str, list[Array]]:
    """Read a file of weights, which may come from anywhere. Only plain arrays of finite numbers are read.

    Returns:
        Name of each layer → its weights.

    Raises:
        ValueError: It is no such file; the message does not name it.
        OSError: It cannot be read.
    """
    if path.stat().st_size > MOST:
        raise ValueError(f"it has more than {MOST} bytes")
    content = path.read_bytes()
    if 4 * sum(map(math.prod, stored_shapes(content, "its content"))) > len(content):
        raise ValueError("its arrays together are larger than the file")
    with h5py.File(io.BytesIO(content), "r") as file:
        if list(file) != [LAYERS] or not isinstance(file[LAYERS], h5py.Group):
            raise ValueError("it has no layers, as the files of python -m tools.encoder have them")
        return {name: _arrays(layer, name) for name, layer in file[LAYERS].items()}


def _arrays(layer: h5py.Group | h5py.Dataset, name: str) -> list[Array]:
    if not isinstance(layer, h5py.Group) or list(layer) != [ARRAYS] or not isinstance(layer[ARRAYS], h5py.Group):
        raise ValueError(f"its layer {name!r} has no list of arrays")
    arrays = layer[ARRAYS]
    if set(arrays) != set(map(str, range(len(arrays)))):
        raise ValueError(f"the arrays of its layer {name!r} are not numbered from 0")
    stored = [arrays[str(number)] for number in range(len(arrays))]
    if not all(isinstance(array, h5py.Dataset) for array in stored):
        raise ValueError(f"its layer {name!r} has something other than arrays")
    read = [np.asarray(array[()], np.float32) for array in stored]
    if not all(np.isfinite(array).all() for array in read):
        raise ValueError(f"its layer {name!r} has values that are NaN or infinite")
    return read
