"""Overlapping classes: what labels mean, which masks are read, what is refused, and what a split and a patch see."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.classes.label_format import LabelFormat, pack_planes
from src.data.crops.sampling import ClassLocations, class_shares, rare_classes
from src.data.drawing.drawing import blended, painted
from src.data.source.dataset import IGNORE, Dataset
from src.data.splits.divide import split, subset_table
from src.data.store.subsets import Subset
from src.errors import UserError
from src.files import read_csv
from src.plan.facts import Facts
from src.report.figures.pictures import errors, picture
from tests.battery import run as prepare_as_the_stage
from tests.conftest import changed_params, planned, prepared
from tests.corpus import saved
from tests.mask_sets import warnings_of

NAMES = ("nucleus", "cell", "spot")
DESCRIBED = "overlap: true\nclasses: {0: nucleus, 1: cell, 2: spot}\n"
SHAPE = (24, 20)


def planes_of(number):
    """Masks of three classes that overlap, bool [24, 20, 3]; the third is in every second image."""
    planes = np.zeros((*SHAPE, 3), bool)
    planes[4:9, 5:10, 0] = planes[2:12, 3:14, 1] = True
    planes[number, ::2, 2] = number % 2 == 0
    return planes


def add_image(folder, name):
    image = np.random.default_rng(len(name) + int(name[-1])).integers(0, 255, (*SHAPE, 3), np.uint8)
    write(folder / "images" / f"{name}.png", image)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels)
    else:
        path.write_bytes(saved(Image.fromarray(pixels), "PNG"))


def in_folders(folder, number=4, dataset=DESCRIBED, values=(0, 255)):
    """A data set with a folder for each class."""
    for index in range(number):
        add_image(folder, f"i{index}")
        for label, name in enumerate(NAMES):
            mask = np.where(planes_of(index)[..., label], *map(np.uint8, values[::-1]))
            write(folder / "masks" / name / f"i{index}_{name}.png", mask)
    (folder / "dataset.yaml").write_text(dataset)
    return folder


def in_channels(folder, number=4, scale=255):
    """The same data set with a channel for each class."""
    for index in range(number):
        add_image(folder, f"i{index}")
        write(folder / "masks" / f"i{index}.tif", planes_of(index).astype(np.uint8) * np.uint8(scale))
    (folder / "dataset.yaml").write_text(DESCRIBED)
    return folder


@pytest.fixture(scope="module")
def overlapping(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overlap")
    return prepared(in_folders(folder / "set", 8), folder)


def refused(folder, tmp_path, message, **changes):
    with pytest.raises(UserError, match=message):
        prepared(folder, tmp_path, **changes)


def test_a_label_holds_every_set_of_classes_and_the_ignored_pixels():
    form = LabelFormat(7, overlap=True)
    labels = np.append(np.arange(128, dtype=np.uint8), np.uint8(IGNORE))
    planes = form.planes(labels)
    bits = np.array([[int(bit) for bit in f"{label:07b}"[::-1]] for label in range(128)], bool)
    np.testing.assert_array_equal(planes[:128], bits)
    assert not planes[128].any() and form.counted(labels).tolist() == [True] * 128 + [False]
    np.testing.assert_array_equal(pack_planes(list(planes.T), labels == IGNORE), labels)
    assert form.count_values({3: 10, 64: 5, IGNORE: 7}) == [10, 10, 0, 0, 0, 0, 5] and form.count_values({}) == [0] * 7


def test_labels_of_exclusive_classes_are_class_indices():
    form, labels = LabelFormat(3), np.array([0, 2, 1, IGNORE], np.uint8)
    np.testing.assert_array_equal(form.planes(labels), np.eye(3, dtype=bool)[[0, 2, 1, 0]] & [[1], [1], [1], [0]])
    assert form.counted(labels).tolist() == [True, True, True, False]


def test_folders_and_channels_give_the_same_store(overlapping, tmp_path):
    other = prepared(in_channels(tmp_path / "set", 8), tmp_path)
    for name in ("masks.bin", "index.json", "dataset.yaml"):
        assert (other.folder / name).read_bytes() == (overlapping.folder / name).read_bytes(), name
    form = LabelFormat.of(other.dataset)
    for index, record in enumerate(other.records):
        np.testing.assert_array_equal(form.planes(other.mask(index)), planes_of(index))
        assert record.pixels == planes_of(index).sum(axis=(0, 1)).tolist() and record.counted_pixels == 24 * 20


@pytest.mark.parametrize("values", [(0, 1), (0, 255)])
def test_folders_name_the_classes_in_the_order_of_their_names(tmp_path, values):
    store = prepared(in_folders(tmp_path / "set", dataset="overlap: true\n", values=values), tmp_path)
    assert store.dataset.names == ["cell", "nucleus", "spot"] and store.dataset.foreground == [0, 1, 2]
    assert store.records[0].pixels == [110, 25, 10]


def test_the_index_of_exclusive_classes_has_no_new_key(store):
    assert '"counted"' not in (store.folder / "index.json").read_text()


def test_a_missing_mask_is_an_error_unless_dataset_yaml_says_that_it_is_empty(tmp_path):
    source = in_folders(tmp_path / "set")
    (source / "masks/spot/i3_spot.png").unlink()
    refused(source, tmp_path, r"images/i3': has no mask of the class 'spot' → .*missing: empty")
    assert [r.id for r in prepared(source, tmp_path / "skip", on_error="skip").records] == [
        f"i{n}" for n in range(4) if n != 3
    ]
    (source / "dataset.yaml").write_text(DESCRIBED + "missing: empty\n")
    store = prepared(source, tmp_path)
    np.testing.assert_array_equal(LabelFormat.of(store.dataset).planes(store.mask(3)), planes_of(3))


def test_an_image_without_any_mask_is_never_taken_as_empty(tmp_path):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "missing: empty\n")
    add_image(source, "i9")
    refused(source, tmp_path, r"images/i9': has no mask of any class → if it holds nothing of any class, add an empty")


@pytest.mark.parametrize("name", ["i3_spot.svg", "i3_spot.txt"])
def test_a_mask_in_a_format_that_is_not_read_is_not_taken_as_empty(tmp_path, name):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "missing: empty\n")
    (source / "masks/spot/i3_spot.png").unlink()
    (source / "masks/spot" / name).write_text("x")
    refused(source, tmp_path, "images/i3': its mask is in a format that is not read")


def test_a_mask_without_an_image_is_an_error(tmp_path):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "missing: empty\n")
    (source / "images/i3.png").unlink()
    refused(source, tmp_path, r"masks/spot/i3_spot.*: has no image")


def test_masks_must_be_binary(tmp_path):
    source = in_folders(tmp_path / "set")
    write(source / "masks/cell/i1_cell.png", (np.arange(480).reshape(SHAPE) % 3).astype(np.uint8))
    refused(source, tmp_path, "masks/cell/i1_cell.png holds 0, 1, 2; the mask of one class holds 0 and 1, or 0 and 255")
    store = prepared(source, tmp_path, masks={"read": "instances", "threshold": 0})
    assert store.records[1].pixels[1] == 320


def test_a_channel_that_is_not_binary_is_named(tmp_path):
    source = in_channels(tmp_path / "set")
    channels = planes_of(1).astype(np.uint8)
    channels[0, :3, 1] = 7
    write(source / "masks/i1.tif", channels)
    refused(source, tmp_path, r"masks/i1.tif channel 1 \(cell\) holds 0, 1, 7")


def test_soft_masks_need_a_threshold(tmp_path):
    source = in_folders(tmp_path / "set", values=(30, 200))
    refused(source, tmp_path, "data.masks.threshold: 115, if it has soft edges")
    store = prepared(source, tmp_path, masks={"read": "auto", "threshold": 115})
    assert store.records[0].pixels == [25, 110, 10]


def test_lossy_and_indexed_masks_are_refused(tmp_path):
    source = in_folders(tmp_path / "set")
    mask = Image.fromarray(planes_of(0)[..., 1].astype(np.uint8) * np.uint8(255))
    (source / "masks/cell/i0_cell.png").write_bytes(saved(mask, "JPEG"))
    refused(source, tmp_path, "i0_cell.png is in a lossy format")
    coloured = mask.convert("P")
    coloured.putpalette([0, 0, 0] * 255 + [255, 0, 0])
    (source / "masks/cell/i0_cell.png").write_bytes(saved(coloured, "PNG"))
    refused(source, tmp_path, "i0_cell.png has a palette of other colours")
    coloured.putpalette([255, 255, 255] * 255 + [0, 0, 0])
    (source / "masks/cell/i0_cell.png").write_bytes(saved(coloured, "PNG"))
    refused(source, tmp_path, "i0_cell.png has a palette of other colours")


@pytest.mark.parametrize("changes", [{}, {"masks": {"read": "indices", "threshold": 0}}])
def test_palettes_of_black_and_white_are_read(tmp_path, changes):
    source = in_folders(tmp_path / "set")
    indices = planes_of(0)[..., 1].astype(np.uint8)
    mask = Image.fromarray(indices, "P")
    mask.putpalette([0, 0, 0, 255, 0, 0] if changes else [0, 0, 0, 255, 255, 255])
    (source / "masks/cell/i0_cell.png").write_bytes(saved(mask, "PNG"))
    store = prepared(source, tmp_path, **changes)
    np.testing.assert_array_equal(LabelFormat.of(store.dataset).planes(store.mask(0)), planes_of(0))


@pytest.mark.parametrize("masks", [{"read": "auto", "threshold": 128}, {"read": "instances", "threshold": 0}])
def test_an_image_in_a_folder_of_masks_is_found_under_every_setting(tmp_path, masks):
    source = in_folders(tmp_path / "set")
    (source / "masks/cell/i1_cell.png").write_bytes((source / "images/i1.png").read_bytes())
    refused(source, tmp_path, "masks/cell/i1_cell.png holds the image itself", masks=masks)


def test_messages_name_the_whole_folder_and_the_naming_rules_of_each_class(tmp_path, capsys):
    source = in_folders(tmp_path / "set")
    write(source / "masks/cell/i1_cell.tif", planes_of(1)[..., 1].astype(np.uint8))
    with pytest.raises(UserError):
        prepare_as_the_stage(source, tmp_path, sheet=False)
    assert "masks/cell/i1_cell.tif" in {row["file"] for row in read_csv(tmp_path / "checks.csv")}
    printed = capsys.readouterr().out
    assert "paired by name: nucleus: masks end in '_nucleus'; cell: masks end in '_cell'; spot:" in printed


def test_masks_of_other_sizes_are_refused(tmp_path):
    source = in_folders(tmp_path / "set")
    write(source / "masks/cell/i1_cell.png", np.zeros((23, 20), np.uint8))
    refused(source, tmp_path, "the image is 20 × 24 pixels, its mask of the class 'cell' 20 × 23")


def test_ignored_pixels_count_for_no_class(tmp_path):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "ignore: 128\n")
    for name, label in zip(NAMES, range(3), strict=True):
        mask = planes_of(0)[..., label].astype(np.uint8) * np.uint8(255)
        mask[:6] = 128
        write(source / f"masks/{name}/i0_{name}.png", mask)
    store = prepared(source, tmp_path)
    assert (store.mask(0)[:6] == IGNORE).all() and (store.mask(0)[6:] < 8).all()
    assert store.records[0].pixels == planes_of(0)[6:].sum(axis=(0, 1)).tolist()
    assert store.records[0].counted_pixels == 18 * 20
    roots = np.sqrt(store.image(0)[6:].astype(float))
    np.testing.assert_allclose(store.records[0].mean, roots.mean(axis=(0, 1)), rtol=1e-5)


def test_classes_that_ignore_different_pixels_are_refused(tmp_path):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "ignore: 128\n")
    write(source / "masks/cell/i0_cell.png", np.full(SHAPE, 128, np.uint8))
    refused(source, tmp_path, "'i0': the masks of the classes ignore different pixels")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("classes: {0: a, 1: background}", "a pixel of no class is the background: leave out background"),
        ("classes: {0: a, 1: b}\nbackground: a", "background: .*leave out a"),
        ("classes: {0: a, 1: ../b}", r"rename '\.\./b'"),
        ("classes: {0: a, 1: b/c}", "rename 'b/c'"),
        ("classes: {0: .., 1: __b}", r"rename '\.\.', '__b'"),
        ("classes: {0: Cell, 1: cell}", "capital letters: rename 'Cell', 'cell'"),
        ("classes: {1: a, 2: b}", "number them from 0"),
        ("classes: {'#000000': a, '#FF0000': b}", "colours mean nothing"),
        (f"classes: {{{', '.join(f'{n}: c{n}' for n in range(8))}}}", "at most 7 are possible, 8 given"),
        ("ignore: 0", "0 is the value of pixels outside the class"),
        ("classes: {0: nucleus, 1: cell}", "'masks/spot is no class'"),
        ("classes: {0: nucleus, 1: cell, 2: spot, 3: wall}", "'no folder masks/wall'"),
    ],
)
def test_dataset_yaml_is_refused_before_a_mask_is_read(tmp_path, content, message):
    refused(in_folders(tmp_path / "set", 1, "overlap: true\n" + content), tmp_path, message)


def test_missing_needs_overlapping_classes_in_folders(tmp_path):
    with pytest.raises(ValueError, match="missing: applies to overlapping classes only"):
        Dataset(missing="empty")
    source = in_channels(tmp_path / "set", 1)
    (source / "dataset.yaml").write_text(DESCRIBED + "missing: empty\n")
    refused(source, tmp_path, "missing: applies to a folder for each class")


def test_channels_need_names_and_their_number_must_fit(tmp_path):
    source = in_channels(tmp_path / "set", 2)
    (source / "dataset.yaml").write_text("overlap: true\n")
    refused(source, tmp_path, r"masks/ has no folder of a class\. If masks have a channel for each class, name all")
    (source / "dataset.yaml").write_text("overlap: true\nclasses: {0: a, 1: b}\n")
    refused(source, tmp_path, r"has 3 channel\(s\), dataset.yaml names 2 overlapping classes")


def test_folders_of_images_are_not_taken_for_classes(tmp_path):
    source = in_channels(tmp_path / "set")
    for kind in ("images", "masks"):
        (source / kind).rename(source / "moved")
        (source / kind).mkdir()
        (source / "moved").rename(source / kind / "week")
    assert prepared(source, tmp_path).records[0].id == "week/i0"
    (source / "masks/cell").mkdir()
    refused(source, tmp_path, "'week': a class, or a folder of images as in images/")


def test_doubtful_classes_are_reported(tmp_path):
    source = in_folders(tmp_path / "set")
    for index in range(4):
        write(source / f"masks/nucleus/i{index}_nucleus.png", np.full(SHAPE, 255, np.uint8))
        spots = (source / f"masks/spot/i{index}_spot.png").read_bytes()
        (source / f"masks/cell/i{index}_cell.png").write_bytes(spots)
    prepared(source, tmp_path)
    found = "\n".join(row["what"] for row in warnings_of(tmp_path))
    assert "the class 'nucleus' covers 100.0% of all pixels" in found
    assert "the classes 'cell' and 'spot' have the same pixels in all images" in found


def test_classes_without_any_overlap_are_reported(tmp_path):
    source = in_folders(tmp_path / "set", dataset=DESCRIBED + "missing: empty\n")
    for name in ("nucleus", "spot"):
        for path in (source / "masks" / name).iterdir():
            write(path, np.zeros(SHAPE, np.uint8))
    write(source / "masks/nucleus/i0_nucleus.png", np.eye(24, 20, dtype=np.uint8))
    write(source / "masks/cell/i0_cell.png", np.zeros(SHAPE, np.uint8))
    prepared(source, tmp_path)
    assert "no pixel is of two classes" in [row["what"] for row in warnings_of(tmp_path)]


def test_shares_are_of_all_pixels_that_count(overlapping):
    images = Subset.ungrouped(overlapping, range(8))
    np.testing.assert_allclose(class_shares(images), [25 / 480, 110 / 480, 5 / 480])
    assert rare_classes(images) == [0, 2]


def test_patches_of_a_rare_class_lie_on_its_pixels(overlapping):
    locations = ClassLocations.sample(Subset.ungrouped(overlapping, range(8)), 2, seed=0)
    assert locations.positions == [0, 2, 4, 6]
    for position, points in zip(locations.positions, locations.points, strict=True):
        rows, columns = np.floor(points * [20, 24]).astype(int).T[::-1]
        assert len(points) == 10 and planes_of(position)[rows, columns, 2].all()


def test_a_split_covers_the_classes_and_gives_their_shares(overlapping):
    rows = split(overlapping, changed_params(**{"split.stratify": "classes"}).split, 0)
    table = subset_table(overlapping, rows)
    shares = {row["class"]: row["share"] for row in table if row["subset"] == "train"}
    assert shares["nucleus"] == round(25 / 480, 6) and shares["cell"] == round(110 / 480, 6) and shares["spot"] > 0


def test_pixels_of_several_classes_have_the_mean_of_their_colours(overlapping):
    dataset = Dataset(overlap=True, classes={0: "a", 1: "b"}, colors={"a": "#640000", "b": "#006400"})
    labels = np.array([[0, 1, 2, 3, IGNORE]], np.uint8)
    wanted = [[0, 0, 0], [100, 0, 0], [0, 100, 0], [50, 50, 0], [255, 255, 255]]
    np.testing.assert_array_equal(painted(labels, dataset)[0], wanted)
    image = np.full((1, 5, 3), 200, np.uint8)
    np.testing.assert_array_equal(blended(image, labels, dataset, 1.0)[0], [[200] * 3, *wanted[1:4], [200] * 3])


def test_the_plan_measures_each_class_by_itself(overlapping):
    images = Subset.ungrouped(overlapping, range(8))
    facts = Facts.of(images, images)
    assert facts.parts == pytest.approx({"nucleus": 1 / 4, "cell": 4 * 110 / 42 / 20, "spot": 4 * 10 / 39 / 20})
    assert facts.overlap and facts.rare == ["nucleus", "spot"]


@pytest.mark.parametrize("weights", ["root", "balanced", {"nucleus": 1, "cell": 2, "spot": 3}])
def test_class_weights_are_refused(overlapping, weights):
    images = Subset.ungrouped(overlapping, range(8))
    plan = planned(changed_params(**{"train.loss.class_weights": "auto"}), images, images)
    assert plan.loss.classes == () and "overlap" in plan.choices["train.loss.class_weights"].why
    with pytest.raises(UserError, match=r"class_weights is not possible with overlapping classes.*set it to auto"):
        planned(changed_params(**{"train.loss.class_weights": weights}), images, images)


def test_pictures_show_each_of_many_classes(overlapping):
    names = [f"class {number}" for number in range(5)]
    truth, found = np.array([[0, 1, 16, 17, IGNORE]], np.uint8), np.array([[1, 1, 0, 16, 31]], np.uint8)
    image = np.zeros((1, 5, 3), np.uint8)
    for overlap, layers in ((True, 5), (False, 3)):
        dataset = Dataset(overlap=overlap, classes=dict(enumerate(names)))
        drawn = picture(image, truth * overlap, found * overlap, names, dataset)["layers"]
        assert [layer["kind"] for layer in drawn] == ["truth", "prediction", *["errors"] * layers]
    form = LabelFormat(5, overlap=True)
    np.testing.assert_array_equal(errors(truth, found, 0, form), [[3, 1, 0, 2, 0]])
    np.testing.assert_array_equal(errors(truth, found, 4, form), [[0, 0, 2, 1, 0]])
