"""tools.score with ready masks whose values have another meaning in the data set, such as the value to ignore."""

import numpy as np
import pytest
from PIL import Image

from src.errors import UserError
from src.files import write_yaml
from tests.conftest import changed_params
from tests.ready_masks import scored

SHAPE = (12, 12)


def pictures(count=4):
    """Masks [12, 12] of some images, and masks of an annotator who misses one column of each object."""
    truth, seen = {}, {}
    for number in range(count):
        truth[f"case{number}"] = np.zeros(SHAPE, bool)
        truth[f"case{number}"][2:10, 1 : 5 + number] = True
        seen[f"case{number}"] = truth[f"case{number}"].copy()
        seen[f"case{number}"][:, 1] = False
    return truth, seen


def save(folder, masks, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(np.asarray(mask)).convert(mode).save(folder / f"{name}.png")


def write_set(folder, masks, **content):
    rng = np.random.default_rng(0)
    save(folder / "images", {name: rng.integers(0, 255, SHAPE, np.uint8) for name in masks})
    save(folder / "masks", masks)
    write_yaml(folder / "dataset.yaml", content)


def coded(masks, low, high):
    return {name: np.where(mask, high, low).astype(np.uint8) for name, mask in masks.items()}


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def expected(truth, seen):
    """Dice of the foreground of every image, computed with NumPy."""
    return [dice(truth[name], seen[name]) for name in sorted(truth)]


@pytest.mark.parametrize(
    ("classes", "ignore", "low", "high"),
    [
        ({0: "background", 1: "cell"}, 255, 0, 255),
        ({1: "cell", 0: "background"}, 255, 0, 255),
        ({0: "background", 255: "cell"}, 1, 0, 1),
        ({0: "background", 1: "cell"}, 255, 0, 1),
        ({0: "background", 1: "cell"}, 9, 0, 255),
        ({0: "background", 7: "cell"}, 255, 0, 1),
        ({0: "background", 7: "cell"}, 255, 0, 255),
        ({1: "background", 255: "cell"}, 0, 0, 255),
    ],
)
def test_an_annotator_of_two_classes_is_not_erased_by_the_value_to_ignore(tmp_path, classes, ignore, low, high):
    truth, seen = pictures()
    cell = next(value for value, name in classes.items() if name == "cell")
    masks = coded(truth, next(value for value, name in classes.items() if name == "background"), cell)
    masks["case0"][0] = ignore
    write_set(tmp_path / "set", masks, classes=classes, ignore=ignore)
    save(tmp_path / "set/other", coded(seen, low, high))
    results, labelled, ready, taken = scored(tmp_path / "set", tmp_path / "work")
    label = labelled.store.dataset.names.index("cell")
    np.testing.assert_allclose(results.values["dice"][:, label], expected(truth, seen))
    assert taken == 0 and results.pixels.counted[:, 0].tolist() == [144 - 12, 144, 144, 144]
    note = f"differ from those in the masks, and are matched by order: {low} as background, {high} as cell"
    assert (note in "".join(ready.notes())) == ({low, high} != set(classes))


@pytest.mark.parametrize(
    ("classes", "ignore", "low", "high"),
    [
        ({1: "background", 2: "cell"}, 0, 0, 1),  # 1 is the annotator's cell, but the data set's background
        ({0: "background", 1: "cell", 2: "debris"}, 255, 0, 255),
        ({0: "background", 2: "cell", 3: "debris"}, 1, 0, 1),
        ({255: "background", 0: "cell"}, 1, 0, 1),  # dark cells
    ],
)
def test_two_values_including_the_ignored_one_are_refused_if_their_order_is_not_certain(
    tmp_path, classes, ignore, low, high
):
    truth, seen = pictures()
    codes = [next(value for value, name in classes.items() if name == wanted) for wanted in ("background", "cell")]
    write_set(tmp_path / "set", coded(truth, *codes), classes=classes, ignore=ignore)
    save(tmp_path / "set/other", coded(seen, low, high))
    with pytest.raises(UserError, match=f"{ignore} is to be ignored in the data set, but may mean foreground"):
        scored(tmp_path / "set", tmp_path / "work")
    write_yaml(tmp_path / "set/other/dataset.yaml", {"classes": {low: "background", high: "cell"}})
    results, labelled, *_ = scored(tmp_path / "set", tmp_path / "again")
    cell = labelled.store.dataset.names.index("cell")
    np.testing.assert_allclose(results.values["dice"][:, cell], expected(truth, seen))


@pytest.mark.parametrize("high", [(255, 255, 255), (0, 255, 0)])
def test_white_and_other_colours_of_ready_masks_are_not_ignored(tmp_path, high):
    truth, seen = pictures()
    classes = {"#000000": "background", "#FF0000": "cell"}
    write_set(tmp_path / "set", coded(truth, 0, 1), classes=classes, ignore="#FFFFFF")
    for folder, masks, colour in (("masks", truth, (255, 0, 0)), ("other", seen, high)):
        painted = {name: np.where(mask[..., None], colour, 0).astype(np.uint8) for name, mask in masks.items()}
        save(tmp_path / "set" / folder, painted, "RGB")
    results, *_ = scored(tmp_path / "set", tmp_path / "work")
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_bits_and_grey_of_ready_masks_are_not_ignored(tmp_path, mode):
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    save(tmp_path / "set/other", coded(seen, 0, 255), mode)
    results, *_ = scored(tmp_path / "set", tmp_path / "work")
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))


def test_instances_and_alpha_of_0_and_255_are_not_ignored(tmp_path):
    truth, seen = pictures()
    section = changed_params().data.masks.model_dump()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    save(tmp_path / "set/other", coded(seen, 0, 255))
    results, *_ = scored(tmp_path / "set", tmp_path / "work", **{"data.masks": section | {"read": "instances"}})
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))
    for folder, masks, high in (("masks", truth, 1), ("other", seen, 255)):
        for name, mask in masks.items():
            pixels = np.full((*SHAPE, 4), 99, np.uint8)
            pixels[..., 3] = np.where(mask, high, 0)
            Image.fromarray(pixels).save(tmp_path / f"set/{folder}/{name}.png")
    results, *_ = scored(tmp_path / "set", tmp_path / "again", **{"data.masks": section | {"read": "alpha"}})
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))


def test_masks_that_use_the_value_to_ignore_are_matched_by_value(tmp_path):
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    masks = coded(seen, 0, 1)
    masks["case0"][:, 4:] = 255
    save(tmp_path / "set/other", masks)
    results, _, _, taken = scored(tmp_path / "set", tmp_path / "work")
    assert taken == 12 * 8
    first = dice(truth["case0"][:, :4], seen["case0"][:, :4])
    np.testing.assert_allclose(results.values["dice"][:, 1], [first, *expected(truth, seen)[1:]])


@pytest.mark.parametrize("mixed", [1, 3])
def test_masks_in_two_encodings_are_refused_until_a_dataset_yaml_names_their_values(tmp_path, mixed):
    """Some masks have 0 and 255, others 0 and 1. The data set ignores 255."""
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    names = list(seen)
    save(tmp_path / "set/other", coded({name: seen[name] for name in names[:mixed]}, 0, 255))
    save(tmp_path / "set/other", coded({name: seen[name] for name in names[mixed:]}, 0, 1))
    with pytest.raises(UserError, match=r"255 is to be ignored .* may mean foreground in 'other/case0.png") as error:
        scored(tmp_path / "set", tmp_path / "work")
    assert f"name the values of these masks in {tmp_path / 'set/other/dataset.yaml'}" in str(error.value)
    write_yaml(tmp_path / "set/other/dataset.yaml", {"classes": {0: "background", 1: "cell"}, "ignore": 255})
    _, _, ready, taken = scored(tmp_path / "set", tmp_path / "again")
    assert taken == sum(seen[name].sum() for name in names[:mixed])
    assert "dataset.yaml names: 0 as background, 1 as cell" in "".join(ready.notes())


def test_unknown_values_together_with_the_ignored_one_are_refused(tmp_path):
    """0, 128 and 255 may mean background, unsure and cell, even if the data set ignores 255."""
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    masks = coded(seen, 0, 255)
    for mask in masks.values():
        mask[0] = 128
    save(tmp_path / "set/other", masks)
    with pytest.raises(UserError, match=r"(?s)4 problem.*holds 128, known are 0, 1, 255 → .*other/dataset.yaml"):
        scored(tmp_path / "set", tmp_path / "work")
    named = {"classes": {255: "cell", 0: "background"}, "ignore": 128}
    write_yaml(tmp_path / "set/other/dataset.yaml", named)
    results, _, _, taken = scored(tmp_path / "set", tmp_path / "again")
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))
    assert taken == 4 * 12


def test_pixels_that_only_the_annotator_ignores_are_not_counted(tmp_path):
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 255))
    masks = coded(seen, 5, 6)
    masks["case0"][0] = 7
    save(tmp_path / "set/other", masks)
    write_yaml(tmp_path / "set/other/dataset.yaml", {"classes": {5: "background", 6: "foreground"}, "ignore": 7})
    results, _, _, taken = scored(tmp_path / "set", tmp_path / "work")
    np.testing.assert_allclose(results.values["dice"][:, 1], expected(truth, seen))
    assert taken == 12


def test_masks_of_ignored_pixels_only_are_refused(tmp_path):
    truth, _ = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 1), classes={0: "background", 1: "cell"}, ignore=255)
    save(tmp_path / "set/other", coded(truth, 255, 255))
    with pytest.raises(UserError, match="all pixels of all masks hold 255, which"):
        scored(tmp_path / "set", tmp_path / "work")


def test_masks_without_any_object_score_zero(tmp_path):
    truth, _ = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 255))
    save(tmp_path / "set/other", coded(truth, 0, 0))
    results, *_ = scored(tmp_path / "set", tmp_path / "work")
    assert (results.values["dice"][:, 1] == 0).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"classes": {0: "background", 255: "Cell"}}, "the data set does not know Cell .'Cell' may be 'cell'.; its"),
        ({"ignore": 255}, "dataset.yaml: names no classes"),
        ({"classes": {3: "background", 4: "cell"}}, "the mask holds 0, 255, known are 3, 4"),
    ],
)
def test_a_dataset_yaml_that_does_not_fit_the_masks_is_refused(tmp_path, content, words):
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 255), classes={0: "background", 255: "cell"})
    save(tmp_path / "set/other", coded(seen, 0, 255))
    write_yaml(tmp_path / "set/other/dataset.yaml", content)
    with pytest.raises(UserError, match=words):
        scored(tmp_path / "set", tmp_path / "work")


def test_messages_name_the_files_and_do_not_propose_skipping(tmp_path):
    """A file called Scan_mask1 must not become Scan_prediction1."""
    truth, _ = pictures()
    truth = {name.replace("case", "Scan_mask"): mask for name, mask in truth.items()}
    write_set(tmp_path / "set", coded(truth, 0, 255))
    save(tmp_path / "set/other", coded(truth, 0, 255))
    (tmp_path / "set/other/Scan_mask1.png").rename(tmp_path / "set/other/scan_mask1.png")
    (tmp_path / "set/other/Scan_mask2.bmp").write_bytes((tmp_path / "set/other/Scan_mask2.png").read_bytes())
    with pytest.raises(UserError) as error:
        scored(tmp_path / "set", tmp_path / "work")
    said = str(error.value)
    assert "'Scan_mask1': has no prediction; scan_mask1.png differs in capital letters only" in said
    assert (
        "has the same name as Scan_mask2.bmp but for the extension → keep one of the two" in said
        and "on_error" not in said
    )


def test_different_palettes_are_refused_even_if_the_order_of_values_is_certain(tmp_path):
    truth, seen = pictures()
    write_set(tmp_path / "set", coded(truth, 0, 255), classes={0: "background", 255: "cell"})
    for number, (name, mask) in enumerate(seen.items()):
        picture = Image.fromarray((mask ^ (number > 1)).astype(np.uint8), "P")
        picture.putpalette([0, 0, 0, 255, 0, 0] if number < 2 else [255, 0, 0, 0, 0, 0])  # the same in colours
        (tmp_path / "set/other").mkdir(exist_ok=True)
        picture.save(tmp_path / f"set/other/{name}.png")
    with pytest.raises(UserError, match="palettes differ"):
        scored(tmp_path / "set", tmp_path / "work")
