"""Keras's earlier weights files: arrays are read in the order of the file, and everything else is refused."""

import contextlib
import io
import random
import time

import h5py
import numpy as np
import pytest

from src.pretrained.keras_file import MOST_HEAP, MOST_NAMES, read_layers

KERNEL = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
BIAS = np.float32([1, 2, 3, 4])


def write(change=lambda root, file: None, group=None, text=np.bytes_):
    """A file of two layers with weights and one without; change(root, file) spoils it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["layer_names"] = np.array(["z", "relu", "a"], text) if text else ["z", "relu", "a"]
        for name in ("z", "relu", "a"):
            names = [] if name == "relu" else [f"{name}_1/kernel:0", f"{name}_1/bias:0"]
            layer = root.create_group(name)
            layer.attrs["weight_names"] = np.array(names, text) if text and names else names
            for weight, array in zip(names, (KERNEL, BIAS), strict=False):
                layer.create_dataset(weight, data=array + (name == "a"))
        change(root, file)
    return buffer.getvalue()


@pytest.mark.parametrize("group", [None, "model_weights"])
@pytest.mark.parametrize("text", [np.bytes_, None], ids=["fixed length", "any length"])
def test_layers_come_in_the_order_of_the_file(group, text):
    layers = read_layers(write(group=group, text=text))
    assert [layer.name for layer in layers] == ["z", "a"]
    for layer, more in zip(layers, (0, 1), strict=True):
        for array, expected in zip(layer.arrays, (KERNEL + more, BIAS + more), strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, expected)


def test_long_lists_of_names_are_joined_and_counters_left_out():
    def change(root, file):
        del root.attrs["layer_names"]
        root.attrs["layer_names0"] = np.array(["z"], np.bytes_)
        root.attrs["layer_names1"] = np.array(["a"], np.bytes_)
        root["a"].create_dataset("count:0", data=np.int64(3))
        root["a"].attrs["weight_names"] = np.array(["a_1/bias:0", "count:0"], np.bytes_)

    layers = read_layers(write(change))
    assert [(layer.name, len(layer.arrays)) for layer in layers] == [("z", 2), ("a", 1)]


def replaced(dataset, **options):
    """Store the bias of layer z in another way."""

    def change(root, file):
        del root["z/z_1/bias:0"]
        root["z/z_1"].create_dataset("bias:0", **(dataset | options))

    return change


def linked(link):
    def change(root, file):
        del root["z/z_1/bias:0"]
        root["z/z_1/bias:0"] = link

    return change


def names(count):
    def change(root, file):
        root.attrs["layer_names"] = np.array(["z"] * count, np.bytes_)

    return change


def long_name(root, file):
    del root.attrs["layer_names"]
    root.attrs.create("layer_names", ["n" * 2 * MOST_HEAP], dtype=h5py.string_dtype())


def of_numbers(root, file):
    root.attrs["layer_names"] = np.arange(3)


REFUSED = {
    "a link into another file": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "link to elsewhere"),
    "a soft link": (linked(h5py.SoftLink("/a/a_1/bias:0")), "link to elsewhere"),
    "a missing array": (lambda root, file: root["z/z_1"].pop("bias:0"), "missing"),
    "a missing layer": (lambda root, file: root.pop("z"), "missing"),
    "a group as array": (
        lambda root, file: (root["z/z_1"].pop("bias:0"), root["z/z_1"].create_group("bias:0")),
        "Dataset",
    ),
    "an array as layer": (lambda root, file: (root.pop("z"), root.create_dataset("z", data=BIAS)), "Group"),
    "doubles": (replaced({"data": BIAS.astype(np.float64)}), "no array of float32"),
    "texts": (replaced({"data": [b"abcd"]}), "no array of float32"),
    "compressed": (replaced({"data": BIAS}, compression="gzip"), "compressed"),
    "declared and not stored": (replaced({"shape": (2**40,), "dtype": np.float32, "chunks": (2**10,)}), "compressed"),
    "stored in another file": (
        replaced({"shape": (4,), "dtype": np.float32}, external=[("/etc/hostname", 0, 16)]),
        "stored elsewhere",
    ),
    "a layer many times": (names(999), "larger than the file"),
    "too many names": (names(MOST_NAMES + 1), "not a list of at most"),
    "names that are numbers": (of_numbers, "not a list of names"),
    "a long name": (long_name, "too long"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_anything_but_plain_arrays_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        read_layers(write(change))


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_other_files_are_refused(content):
    with pytest.raises(ValueError):
        read_layers(content)


def test_blocks_of_names_that_overlap_are_refused_before_they_are_walked_over():
    """Each of 2 ** 17 blocks has 2,047 objects, which are the blocks after it: minutes of work."""
    block = b"GCOL\x01\0\0\0" + (2**16 - 16).to_bytes(8, "little") + b"\1\0\1\0\0\0\0\0" + (16).to_bytes(8, "little")
    started = time.process_time()
    with pytest.raises(ValueError, match="overlap"):
        read_layers(write() + block * 2**17)
    assert time.process_time() - started < 10


def test_truncated_files_are_refused():
    content = write()
    for length in range(0, len(content) - 1, 97):
        with pytest.raises(ValueError):
            read_layers(content[:length])


@pytest.mark.parametrize("text", [np.bytes_, None], ids=["fixed length", "any length"])
def test_changed_bytes_give_arrays_or_a_refusal(text):
    """No other exception. In a damaged block of texts, HDF5 itself would search without end."""
    content, rng = write(text=text), random.Random(1)
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            changed[rng.choice(used)] = rng.choice([0, 1, 255, rng.randrange(256)])
        with contextlib.suppress(ValueError):
            assert sum(array.nbytes for layer in read_layers(bytes(changed)) for array in layer.arrays) < len(content)


def test_a_damaged_block_of_texts_is_refused():
    content = write(text=None)
    place = content.index(b"a_1/kernel:0") - 8
    with pytest.raises(ValueError, match="names are damaged"):
        read_layers(content[:place] + b"\xea" + content[place + 1 :])
