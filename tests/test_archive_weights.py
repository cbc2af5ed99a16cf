"""Weights of model files from elsewhere: an HDF5 file that this project would not save is refused."""

import io

import h5py
import numpy as np
import pytest

from src.archive.members import WEIGHTS
from tests.hostile_archives import refused


def rewritten(members, change):
    """The weights after change(file, path of the first kernel)."""
    content = io.BytesIO(members[WEIGHTS])
    with h5py.File(content, "r+") as file:
        change(file, "layers/conv2d/vars/0")
    return {WEIGHTS: content.getvalue()}


def replaced(**how):
    def change(file, path):
        shape = file[path].shape
        del file[path]
        file.create_dataset(path, **({"shape": shape, "dtype": "float32"} | how))

    return change


def linked(link):
    def change(file, path):
        del file[path]
        file[path] = link

    return change


def twice(file, path):
    file["layers/conv2d/vars/again"] = file[path]


def circle(file, path):
    file["layers/conv2d/vars/circle"] = file["layers"]


def virtual(file, path):
    shape = file[path].shape
    del file[path]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset(path, layout)


WRONG = [
    (replaced(data=np.zeros((3, 3, 3, 5), np.float32), shape=None), r".*arrays missing: \[\(3, 3, 3, 4\)\]"),
    (replaced(shape=(2**40,), chunks=(2**20,), compression="gzip"), ".*compressed, not stored"),
    (replaced(shape=(2**40,)), ".*compressed, not stored"),
    (replaced(shape=(2**40, 2**40), chunks=(2**10, 2**10)), ""),
    (replaced(dtype="float64"), ".*no array of float32"),
    (replaced(dtype=h5py.string_dtype(), data="x", shape=()), ".*no array of float32"),
    (replaced(external=[("/etc/passwd", 0, 4 * 108)]), ".*stored elsewhere"),
    (linked(h5py.ExternalLink("/etc/passwd", "/x")), ".*a link to elsewhere"),
    (linked(h5py.SoftLink("/layers/conv2d_1/vars/0")), ".*a link to elsewhere"),
    (virtual, ".*stored elsewhere"),
    (twice, ".*occurs twice"),
    (circle, ".*occurs twice"),
    (
        lambda file, path: file.create_dataset("extra", data=np.zeros(9, np.float32)),
        r".*not of the network: \[\(9,\)\]",
    ),
    (lambda file, path: file.create_group("a/b/c/d/e"), ".*too deep"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_other_weights_are_refused(hostile, members, change, words):
    refused(hostile(rewritten(members, change)), words)


@pytest.mark.parametrize("content", [b"", b"x" * 10**5, b"\x89HDF\r\n\x1a\n" + b"\0" * 10**5])
def test_a_damaged_hdf5_file_is_refused(hostile, content):
    refused(hostile({WEIGHTS: content}), r"model\.weights\.h5: ")
