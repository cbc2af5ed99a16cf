"""Files of PyTorch's legacy format, written by hand: their opcodes are bytes here, and nothing is pickled."""

import struct

import numpy as np

PROTO, STOP, MARK = b"\x80\x02", b".", b"("
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE = b"}", b"]", b")"
SETITEM, SETITEMS, APPENDS, REDUCE, BUILD, PERSISTENT = b"s", b"u", b"e", b"R", b"b", b"Q"
ORDERED, REBUILD = b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n"
FLOATS, LONGS = b"ctorch\nFloatStorage\n", b"ctorch\nLongStorage\n"
MAGIC = PROTO + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + STOP


def text(value):
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x0a" + value.to_bytes(10, "little", signed=True)


def tuple_of(*parts):
    return MARK + b"".join(parts) + b"t"


VERSION = PROTO + number(1001) + STOP
SYSTEM = PROTO + EMPTY_DICT + text("little_endian") + TRUE + SETITEM + STOP
BIG_ENDIAN = SYSTEM.replace(TRUE, FALSE)
HEADER = MAGIC + VERSION + SYSTEM


def storage(key, count, kind=FLOATS):
    """A reference to a block of numbers."""
    return tuple_of(text("storage"), kind, text(key), text("cpu"), number(count), NONE) + PERSISTENT


def tensor(key, shape, strides=None, *, offset=0, count=None, kind=FLOATS):
    """A call of _rebuild_tensor_v2; by default it is contiguous and its storage as large as itself."""
    if strides is None:
        strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    block = storage(key, int(np.prod(shape)) if count is None else count, kind)
    sizes = tuple_of(*map(number, shape)), tuple_of(*map(number, strides))
    hooks = ORDERED + EMPTY_TUPLE + REDUCE
    return REBUILD + tuple_of(block, number(offset), *sizes, FALSE, hooks) + REDUCE


def dictionary(entries):
    """The pickle of a state dictionary: name → the bytes that make its value."""
    items = b"".join(text(name) + value for name, value in entries.items())
    return PROTO + ORDERED + EMPTY_TUPLE + REDUCE + MARK + items + SETITEMS + STOP


def keys(*names):
    return PROTO + EMPTY_LIST + MARK + b"".join(map(text, names)) + APPENDS + STOP


def block(array):
    """The numbers of a storage, after their count."""
    return struct.pack("<q", array.size) + array.tobytes()


def torch_file(arrays):
    """A whole file: name → float32 or int64 array; each has a storage of its own."""
    entries = {
        name: tensor(name, array.shape, kind=FLOATS if array.dtype == np.float32 else LONGS)
        for name, array in arrays.items()
    }
    return HEADER + dictionary(entries) + keys(*arrays) + b"".join(map(block, arrays.values()))
