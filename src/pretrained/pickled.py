"""The values in a pickle of PyTorch, without unpickling: no object is built, and no name in the file is looked up.

`pickletools.genops` splits the bytes into operations. The small machine below performs those that a dictionary of
tensors needs, and refuses all others. Names such as torch.FloatStorage stay text.
"""

import pickletools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Name:
    """The name of a class or function, which is never imported."""

    text: str


@dataclass(frozen=True)
class Storage:
    """A block of numbers that lies elsewhere in the file.

    Attributes:
        key: Name of the block.
        kind: Type of its numbers, such as torch.FloatStorage.
        count: How many numbers it has.
    """

    key: str
    kind: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage.

    Attributes:
        storage: The block of numbers.
        offset: Index of the first number.
        shape: Size of each axis.
        strides: Distance between neighbours along each axis, in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


ORDERED, REBUILD = Name("collections OrderedDict"), Name("torch._utils _rebuild_tensor_v2")
STORAGES = {Name("torch FloatStorage"): "float32", Name("torch LongStorage"): "int64"}
NAMES = {ORDERED, REBUILD, *STORAGES}
CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}
EMPTY: dict[str, type[dict[object, object] | list[object]]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()
PROTOCOL = 2


def read_pickled(file: BinaryIO) -> object:
    """Read the next pickle of a file.

    The values need no more memory than a multiple of the bytes that are read: nothing is copied or repeated.

    Args:
        file: Its position is moved to the end of the pickle.

    Returns:
        None, bool, int, str, `Name`, `Storage`, `Tensor`, or a tuple, list or dictionary of them. A list or dictionary
        can contain itself, so a caller must not follow it without a limit.

    Raises:
        ValueError: An operation is not one that a dictionary of tensors needs, or the bytes are damaged.
    """
    machine = _Machine()
    try:
        for operation, argument, position in pickletools.genops(file):
            if operation.name == "STOP":
                return machine.result()
            machine.perform(operation.name, argument, position or 0)
    except (IndexError, KeyError, OverflowError) as error:
        raise ValueError(f"the pickle is damaged: {type(error).__name__}: {error}") from None
    raise ValueError("the pickle has no end")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}
        self.operations: dict[str, Callable[[], None]] = {
            "TUPLE": lambda: self.stack.append(tuple(self._since_mark())),
            "BINPERSID": lambda: self.stack.append(_storage(self.stack.pop())),
            "SETITEM": lambda: self._set_items([self.stack.pop(), self.stack.pop()][::-1]),
            "SETITEMS": lambda: self._set_items(self._since_mark()),
            "APPENDS": lambda: self._extend(self._since_mark()),
            "REDUCE": self._call,
            "BUILD": self._skip_state,
            "MARK": lambda: self.stack.append(MARK),
        }

    def perform(self, name: str, argument: object, position: int) -> None:
        """Perform one operation. The argument is a number or text that genops has decoded."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        elif name in TUPLES:
            count = TUPLES[name]
            self.stack[-count:] = [tuple(self._values(self.stack[-count:], count))]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[_is(argument, int)] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[_is(argument, int)])
        elif name == "GLOBAL":
            self.stack.append(_known(argument))
        elif name in self.operations:
            self.operations[name]()
        elif name != "PROTO" or argument != PROTOCOL or self.stack:
            raise ValueError(f"operation {name} at byte {position}, which no dictionary of tensors needs")

    def result(self) -> object:
        """The one value that is left at the end."""
        if len(self.stack) != 1:
            raise ValueError(f"the pickle ends with {len(self.stack)} values instead of one")
        return self._top()

    def _top(self) -> object:
        return self._values(self.stack[-1:], 1)[0]

    def _values(self, values: list[object], count: int) -> list[object]:
        if len(values) != count or any(value is MARK for value in values):
            raise ValueError("the pickle is damaged: a value is missing on its stack")
        return values

    def _since_mark(self) -> list[object]:
        """Take the values above the last mark, and the mark, from the stack."""
        place = len(self.stack) - 1
        while place >= 0 and self.stack[place] is not MARK:
            place -= 1
        if place < 0:
            raise ValueError("the pickle is damaged: a mark is missing on its stack")
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def _set_items(self, items: Sequence[object]) -> None:
        target = _is(self._top(), dict)
        if len(items) % 2:
            raise ValueError("the pickle is damaged: a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            name = _is(key, str)
            if name in target:
                raise ValueError(f"the key {name[:99]!r} occurs twice")
            target[name] = value

    def _extend(self, values: list[object]) -> None:
        _is(self._top(), list).extend(values)

    def _call(self) -> None:
        """Of all functions, two are known: an empty OrderedDict becomes a dict, and a tensor a description of it."""
        arguments, function = _is(self.stack.pop(), tuple), self.stack.pop()
        if function == ORDERED and not arguments:
            self.stack.append({})
        elif function == REBUILD:
            self.stack.append(_tensor(arguments))
        else:
            raise ValueError("a call of something other than collections.OrderedDict() or a tensor")

    def _skip_state(self) -> None:
        """Attributes of a dictionary, in which PyTorch keeps version numbers of layers."""
        _is(self.stack.pop(), dict)
        _is(self._top(), dict)


def _is(value: object, kind: type[Kind]) -> Kind:
    if type(value) is not kind:  # exactly: a bool is no number of elements
        raise ValueError(f"the pickle has a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _known(argument: object) -> Name:
    name = Name(_is(argument, str))
    if name not in NAMES:
        raise ValueError(f"the name {name.text[:99]!r}, which no dictionary of float32 tensors needs")
    return name


def _storage(identifier: object) -> Storage:
    """The storage of a persistent identifier, torch/serialization.py (_legacy_save): location and views are unused."""
    parts = _is(identifier, tuple)
    if len(parts) != 6 or parts[0] != "storage" or parts[5] is not None:
        raise ValueError("a reference to something other than a block of numbers")
    kind = STORAGES.get(_is(parts[1], Name))
    if kind is None:
        raise ValueError("a block of numbers that are neither float32 nor int64")
    return Storage(_is(parts[2], str), kind, _natural(parts[4]))


def _tensor(arguments: tuple[object, ...]) -> Tensor:
    """The tensor of the arguments of torch._utils._rebuild_tensor_v2; the last two, on gradients, are unused."""
    if len(arguments) != 6:
        raise ValueError(f"a tensor of {len(arguments)} parts instead of 6")
    storage, offset, shape, strides, *_ = arguments
    axes, steps = (tuple(map(_natural, _is(sizes, tuple))) for sizes in (shape, strides))
    return Tensor(_is(storage, Storage), _natural(offset), axes, steps)


def _natural(value: object) -> int:
    number = _is(value, int)
    if not 0 <= number < 2**63:
        raise ValueError("a size that is negative or too large")
    return number
