"""Conversion of masks that are arrays of NumPy and MATLAB."""

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from src.convert.annotations import Options
from src.convert.formats.arrays.array_files import read_labels
from src.convert.formats.arrays.arrays import Meaning, read_arrays
from src.convert.problems import Refused
from src.convert.summary import describe
from src.convert.write import write_data_set
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import convert_here, photo, read_mask

LABELS = np.zeros((10, 12), np.int64)
LABELS[1:4, 1:6], LABELS[5:9, 4:11] = 1, 2


def save(path, array, name="mask"):
    """Write an array in the format of the extension; .v73.mat is MATLAB 7.3, which is HDF5 and transposed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez_compressed(path, **{name: array, "note": np.array("text")})
    elif path.name.endswith(".v73.mat"):
        path = path.with_name(path.name.replace(".v73", ""))
        with h5py.File(path, "w", userblock_size=512) as file:
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
            file["note"] = np.array([[116, 101]], np.uint16)
            file["note"].attrs["MATLAB_class"] = np.bytes_("char")
            file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "mask")
    else:
        scipy.io.savemat(path, {name: array, "note": "text", "info": {"by": "me"}})
    return path


def convert(folder, images=None, out="out", **more):
    return write_data_set(read_arrays(folder / "set", images, Meaning(**more), Options()), folder / out)


@pytest.mark.parametrize("kind", ["npy", "npz", "mat", "v73.mat"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_a_round_trip_through_an_array_changes_no_pixel(tmp_path, kind, dtype):
    rng = np.random.default_rng(2)
    wanted = {name: rng.integers(0, 4, (10, 12)) for name in ("a", "b")}
    for name, labels in wanted.items():
        photo(tmp_path / f"set/images/{name}.png")
        save(tmp_path / f"set/masks/{name}.{kind}", labels.astype(dtype))
    assert convert(tmp_path, names=["x", "y", "z"]).dataset.names == ["background", "x", "y", "z"]
    for name, labels in wanted.items():
        np.testing.assert_array_equal(read_mask(tmp_path / f"out/masks/{name}.png"), labels)


@pytest.mark.parametrize("high", [1, 7, 255, True])
def test_a_single_value_is_the_only_class(tmp_path, high):
    photo(tmp_path / "photos/a.png")
    save(tmp_path / "set/a_mask.npy", (LABELS > 0) * np.array(high))
    assert convert(tmp_path, tmp_path / "photos").dataset.classes == {0: "background", 1: "foreground"}
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), LABELS > 0)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8", "i8", "?", ">u2"])
def test_matlab_files_of_scipy_are_read(tmp_path, compressed, dtype):
    others = {"z": np.array([1 + 2j]), "text": "abc", "cell": np.array(["a", 1], object), "s": {"a": LABELS}, "e": []}
    arrays = {"first": np.arange(5.0), "labels": LABELS.astype(dtype)} | others
    scipy.io.savemat(tmp_path / "a.mat", arrays, do_compression=compressed)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.mat", None), LABELS.astype(dtype))


def test_damaged_matlab_files_are_refused_wherever_the_damage_is(tmp_path):
    """SciPy's own reader ends the process for some of them."""
    path = save(tmp_path / "a.mat", LABELS.astype(np.uint8))
    content, outcomes = path.read_bytes(), set()
    for place in range(124, 190):
        for value in (0, 8, 77):
            path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            try:
                outcomes.add(read_labels(path, None).shape)
            except Refused as error:
                outcomes.add(type(error))
    assert Refused in outcomes and (10, 12) in outcomes
    path.write_bytes(content[:200])
    with pytest.raises(Refused, match="cut off"):
        read_labels(path, None)


def test_numbers_of_objects_are_kept_apart(tmp_path):
    photo(tmp_path / "set/images/a.png", 20, 15)
    numbers = np.arange(300).reshape(15, 20) * 3  # every third number, as in a part of a larger image
    save(tmp_path / "set/masks/a.mat", numbers.astype(np.uint16), "inst_map")
    assert "data.masks.read to instances" in describe(convert(tmp_path, objects=True, names=["cell"]))
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), numbers // 3)
    assert read_dataset(tmp_path / "out").classes == {0: "background", 1: "cell"}


@pytest.mark.parametrize("ignore", [-1, 255])
def test_pixels_that_nobody_annotated_are_ignored_if_their_value_is_given(tmp_path, ignore):
    photo(tmp_path / "set/a.png")
    save(tmp_path / "set/a.npy", np.where(LABELS == 2, ignore, LABELS))
    with pytest.raises(UserError, match=f"--ignore {ignore} if it means not annotated"):
        convert(tmp_path, names=["x"])
    convert(tmp_path, names=["x"], ignore=ignore)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), np.where(LABELS == 2, 255, LABELS))


class Bomb:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_pickled_objects_are_refused_and_not_run(tmp_path, kind):
    photo(tmp_path / "set/a.png")
    array = np.array([[Bomb(tmp_path / "exploded")]], object)
    (np.save if kind == "npy" else np.savez)(tmp_path / f"set/a.{kind}", array, allow_pickle=True)
    with pytest.raises(UserError, match=r"1 problem.*\n  'a\.np.': .*pickle.*numpy\.save"):
        convert(tmp_path)
    assert not (tmp_path / "exploded").exists()


def test_a_variable_is_named_if_there_are_several(tmp_path):
    photo(tmp_path / "set/a.png")
    scipy.io.savemat(
        tmp_path / "set/a.mat", {"inst_map": LABELS, "type_map": LABELS * 2 % 3, "centres": np.ones((1, 2))}
    )
    with pytest.raises(UserError, match=r"holds 3 arrays: 'centres' \(1 × 2\).*--key inst_map|holds .* arrays"):
        convert(tmp_path)
    with pytest.raises(UserError, match=r"has no variable 'map'.*'inst_map' \(10 × 12\)"):
        convert(tmp_path, key="map")
    convert(tmp_path, key="type_map", names=["x", "y"])
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), LABELS * 2 % 3)


def test_arrays_that_cannot_be_used_are_listed_together_and_nothing_is_written(tmp_path):
    arrays = {
        "shares": np.full((10, 12), 0.5),
        "nan": np.full((10, 12), np.nan),
        "stack": np.zeros((3, 10, 12)),
        "text": np.array([["a"]]),
        "huge": np.full((10, 12), 2**60, np.uint64),
    }
    for name, array in arrays.items():
        photo(tmp_path / f"set/images/{name}.png")
        save(tmp_path / f"set/masks/{name}.npy", array)
    for name in ("bad.npy", "bad.npz", "bad.mat", "short.mat"):
        (tmp_path / "set/masks" / name).write_bytes(b"x" * (300 if "bad" in name else 3))
    photo(tmp_path / "set/images/short.png")
    save(tmp_path / "set/masks/stray.npy", LABELS)
    photo(tmp_path / "set/images/bad.png")
    with pytest.raises(UserError, match="10 problem") as error:
        convert(tmp_path)
    for words in (
        "'masks/shares.npy': holds fractions or NaN",
        "'masks/nan.npy': holds fractions or NaN",
        "'masks/stack.npy': holds no array of two dimensions; arrays there: '' (3 × 10 × 12)",
        "'masks/text.npy': holds no array",
        "'masks/huge.npy': holds numbers above",
        "'masks/bad.mat': is not a MATLAB file",
        "'masks/bad.npz': belongs to 'images/bad.png', as 'masks/bad.mat' does",
        "'masks/short.mat': is not a MATLAB file",
        "'masks/stray.npy': has no image of its name",
    ):
        assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_array_larger_than_the_limit_is_refused_before_it_is_read(tmp_path):
    photo(tmp_path / "set/a.png")
    np.lib.format.open_memmap(tmp_path / "set/a.npy", "w+", np.uint8, (2**15, 2**14)).flush()  # a sparse file
    with pytest.raises(UserError, match="has 32768 × 16384 pixels, more than"):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("labels", "more", "why"),
    [
        (LABELS, {}, r"values without a name: 1, 2; --names gives 0 .*--objects"),
        (LABELS, {"names": ["x"]}, r"values without a name: 2; .*--ignore 2"),
        (LABELS, {"names": ["background", "x", "y"]}, "leave out the background"),
        (LABELS, {"names": ["x", "y"], "objects": True}, "there is one class"),
        (LABELS, {"ignore": 0}, "0 is the background"),
        (LABELS[:5], {"names": ["x", "y"]}, r"its array a\.npy: is 12 × 10 pixels, but its annotations say 12 × 5"),
        (LABELS * 0, {}, "no pixel belongs to a class"),
    ],
)
def test_values_and_sizes_that_do_not_fit_are_refused(tmp_path, labels, more, why):
    photo(tmp_path / "set/a.png")
    save(tmp_path / "set/a.npy", labels)
    with pytest.raises(UserError, match=why):
        convert(tmp_path, **more)
    assert not (tmp_path / "out").exists()


def test_arrays_of_turned_images_lie_as_the_image_is_shown(tmp_path):
    photo(tmp_path / "set/a.jpg", orientation=6)
    save(tmp_path / "set/a.npy", LABELS)
    convert(tmp_path, names=["x", "y"])
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), np.rot90(LABELS, 3))
    assert Image.open(tmp_path / "out/images/a.jpg").size == (12, 10)


def test_the_command_converts_arrays(tmp_path):
    photo(tmp_path / "photos/a.png")
    save(tmp_path / "set/a.npz", np.where(LABELS == 2, 9, LABELS))
    given = ("--images", tmp_path / "photos", "--key", "mask", "--ignore", "9", "--names", "x")
    convert_here("arrays", tmp_path / "set", *given, "--out", tmp_path / "out")
    assert read_mask(tmp_path / "out/masks/a.png").max() == 255
