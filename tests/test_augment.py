"""Patches: image and mask move together, no label is added, and each depends only on seed, epoch and index."""

import errno
import io

import numpy as np
import pytest
from scipy import ndimage

from src.data.crops import resized_pairs
from src.data.crops.augment import jitter, random_matrix, random_shift, warp
from src.data.crops.normalise import Normalisation
from src.data.crops.resize import scale_image, scale_mask
from src.data.crops.sampling import Patches, rare_classes
from src.data.store.subsets import Subset
from src.errors import UserError
from src.progress import parallel_map
from tests.conftest import prepared, write_pair

SIDE = 65
CENTRE = np.array([32.0, 32.0])
WIDE, MIDDLE = 161, np.array([80.0, 80.0])  # large enough that a crop at the middle shows nothing mirrored


def whole(store):
    """All images of the store."""
    return Subset.ungrouped(store, range(len(store)))


def grid() -> tuple[np.ndarray, np.ndarray]:
    """An image with a bright spot of 7 × 7 at known places (x, y), and a mask with a different label for each."""
    image, mask = np.zeros((WIDE, WIDE, 1), np.uint8), np.zeros((WIDE, WIDE), np.uint8)
    for label, (x, y) in enumerate([(70, 70), (88, 78), (74, 90)], start=1):
        image[y - 3 : y + 4, x - 3 : x + 4] = 80 * label
        mask[y - 3 : y + 4, x - 3 : x + 4] = label
    return image, mask


def centroid(weights: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(weights)
    return np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize("seed", range(20))
def test_image_and_mask_move_together(params, seed):
    augment = params(**{"augment.rotate": 180, "augment.probability": 1.0}).augment
    rng = np.random.default_rng(seed)
    matrix, shift = random_matrix(augment, rng), random_shift(augment, SIDE, rng)
    image, mask = grid()
    seen, labels = warp(image, mask, MIDDLE + shift, matrix, SIDE)
    for label in (1, 2, 3):
        where = labels == label
        expected = np.linalg.inv(matrix) @ (centroid(mask == label) - MIDDLE - shift) + CENTRE
        np.testing.assert_allclose(centroid(where), expected, atol=0.75)
        assert np.median(seen[where]) == 80 * label  # the spot lies under its label


@pytest.mark.parametrize("degrees", [0, 17, 90, -120])
def test_warp_equals_scipys_affine_transform(params, degrees):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    mask = rng.integers(0, 5, (SIDE, SIDE), dtype=np.uint8)
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / 1.1
    seen, labels = warp(image, mask, CENTRE, matrix, SIDE)
    swapped = matrix[::-1, ::-1]  # SciPy counts (row, column)
    offset = CENTRE - swapped @ CENTRE
    smooth = [
        ndimage.affine_transform(image[..., c].astype(float), swapped, offset, order=1, mode="mirror") for c in range(3)
    ]
    assert np.abs(np.stack(smooth, axis=-1) - seen).max() <= 6  # OpenCV places pixels to 1/32 of a pixel
    nearest = ndimage.affine_transform(mask, swapped, offset, order=0, mode="mirror")
    assert (nearest == labels).mean() > 0.97


def mirrored(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The pixels at these places, where places outside are mirrored at the border of the whole image."""
    places = []
    for wanted, size in zip((rows, columns), pixels.shape, strict=False):
        period = max(2 * (size - 1), 1)
        places.append((size - 1) - np.abs(wanted % period - (size - 1)) if size > 1 else np.zeros_like(wanted))
    return pixels[np.ix_(*places)]


@pytest.mark.parametrize("size", [(40, 200), (32, 32), (9, 70), (1, 33), (100, 1)])
@pytest.mark.parametrize("signs", [(1, 1), (-1, 1)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.75, 1.0])
def test_a_shifted_patch_mirrors_the_image_at_the_border_of_the_image(size, signs, share):
    side, rng = 32, np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = rng.integers(0, 5, size, dtype=np.uint8)
    for down in (-share, 0, share):
        for right in (-share, 0, share):
            places = [
                0 if move < 0 else max(length - side, 0) for move, length in zip((down, right), size, strict=True)
            ]
            first = np.array(places) + np.round(np.array([down, right]) * side).astype(int)
            centre = first[::-1] + (side - 1) / 2
            seen, labels = warp(image, mask, centre, np.diag(signs).astype(float), side)
            rows, columns = (begin + np.arange(side)[::sign] for begin, sign in zip(first, signs[::-1], strict=True))
            assert (seen == mirrored(image, rows, columns)).all()
            assert (labels == mirrored(mask, rows, columns)).all()


@pytest.mark.parametrize("degrees", [30, 90, -135])
def test_a_rotated_patch_far_outside_equals_scipys(degrees):
    side, rng = 32, np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.uniform(0, 255, (90, 120)), 2).astype(np.uint8)[..., None]
    angle = np.deg2rad(degrees)
    matrix = 1.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for centre in np.array([[-20.0, 40.0], [139.0, 100.0], [60.0, -25.0], [-16.0, -16.0], [60.0, 45.0]]):
        seen, _ = warp(image, np.zeros((90, 120), np.uint8), centre, matrix, side)
        swapped = matrix[::-1, ::-1]
        offset = centre[::-1] - swapped @ [(side - 1) / 2, (side - 1) / 2]
        wanted = ndimage.affine_transform(
            image[..., 0].astype(float), swapped, offset, (side, side), order=1, mode="mirror"
        )
        assert np.abs(wanted - seen[..., 0]).max() <= 3


def test_rotation_is_in_degrees(params):
    augment = params(
        **{"augment.rotate": 30, "augment.probability": 1.0, "augment.flip": "none", "augment.scale": 0}
    ).augment
    rng = np.random.default_rng(0)
    matrices = [random_matrix(augment, rng) for _ in range(500)]
    angles = np.rad2deg([np.arctan2(matrix[1, 0], matrix[0, 0]) for matrix in matrices])
    assert -30 <= angles.min() < -25 and 25 < angles.max() <= 30


@pytest.mark.parametrize(("flip", "signs"), [("none", {(1, 1)}), ("horizontal", {(1, 1), (-1, 1)})])
def test_only_the_flips_of_the_setting_are_drawn(params, flip, signs):
    augment = params(**{"augment.flip": flip, "augment.rotate": 0, "augment.scale": 0}).augment
    rng = np.random.default_rng(0)
    assert {tuple(np.diag(random_matrix(augment, rng)).round()) for _ in range(100)} == signs


def test_probability_is_the_share_of_rotated_patches(params):
    augment = params(**{"augment.probability": 0.25, "augment.scale": 0, "augment.flip": "none"}).augment
    rng = np.random.default_rng(0)
    straight = np.mean([np.array_equal(random_matrix(augment, rng), np.eye(2)) for _ in range(2000)])
    assert straight == pytest.approx(0.75, abs=0.03)


def test_without_augmentation_a_patch_is_a_window_of_the_image(store, params):
    patches = Patches(whole(store), params(**{"data.crop": 32}).data, params().augment, seed=0)
    for index in range(50):
        crop = patches.draw(1, index, augmented=False)
        assert any(_contains(store.image(p), store.mask(p), crop.pixels, crop.mask) for p in range(len(store)))


def _contains(image, mask, pixels, labels) -> bool:
    windows = np.lib.stride_tricks.sliding_window_view(mask, labels.shape)
    for row, column in np.argwhere((windows == labels).all(axis=(2, 3))):
        if np.array_equal(image[row : row + labels.shape[0], column : column + labels.shape[1]], pixels):
            return True
    return False


@pytest.mark.parametrize("changes", [{}, *({"data.resize": side} for side in (7, 48, 200)), {"data.crop": 128}])
def test_augmentation_adds_no_labels_and_keeps_shapes(tmp_path, params, changes):
    """The mask has stripes of classes 0 and 2: interpolation between them would give 1."""
    rng = np.random.default_rng(0)
    for number in range(3):
        image = rng.integers(0, 256, (70, 64, 3), dtype=np.uint8)
        write_pair(
            tmp_path / "set", str(number), image, np.tile([0, 0, 0, 2, 2], 14)[:, None].repeat(64, 1).astype(np.uint8)
        )
    (tmp_path / "set/dataset.yaml").write_text("classes: {0: a, 1: b, 2: c}")
    store = prepared(tmp_path / "set", tmp_path)
    chosen = params(**({"data.crop": 32, "augment.probability": 1.0, "augment.rotate": 180} | changes))
    patches = Patches(Subset.ungrouped(store, range(3)), chosen.data, chosen.augment, seed=0)
    seen = set()
    for index in range(40):
        crop, side = patches.draw(1, index), chosen.data.crop
        image, mask = crop.image, crop.mask
        assert image.shape == (side, side, 3) and image.dtype == np.float32 and np.isfinite(image).all()
        assert mask.shape == (side, side) and mask.dtype == np.uint8
        seen |= set(np.unique(mask).tolist())
    assert seen == {0, 2}


def test_each_image_is_resized_once_and_read_back_unchanged(store, tmp_path, monkeypatch):
    """Whatever its size, in any order and however often it is read; no file is left behind."""
    expected = [
        (scale_image(store.image(position), 24), scale_mask(store.mask(position), 24)) for position in range(len(store))
    ]
    assert [mask.shape for _, mask in expected[:3]] == [(24, 32), (34, 24), (24, 24)]
    calls, before = [], set(tmp_path.iterdir())
    monkeypatch.setattr(resized_pairs, "scale_image", lambda *arguments: calls.append(1) or scale_image(*arguments))
    kept = resized_pairs.ResizedPairs(store, 24)
    asked = np.random.default_rng(0).integers(0, len(store), 400).tolist()
    for position, found in zip(asked, parallel_map(kept.pair, asked, threads=4, waiting=16), strict=True):
        for array, wanted in zip(found, expected[position], strict=True):
            np.testing.assert_array_equal(array, wanted, strict=True)
    assert len(calls) == len(store) and set(tmp_path.iterdir()) == before


def test_patches_resize_each_image_once(store, params, monkeypatch):
    calls = []
    monkeypatch.setattr(resized_pairs, "scale_image", lambda *arguments: calls.append(1) or scale_image(*arguments))
    chosen = params(**{"data.resize": 32, "data.crop": 16})
    patches = Patches(Subset.ungrouped(store, [2, 5]), chosen.data, chosen.augment, seed=0)
    assert len(list(patches.batches([(1, number) for number in range(20)], 4))) == 20
    assert len(calls) == 2


def test_patches_lie_anywhere_in_a_scaled_image_and_show_its_pixels(tmp_path, params):
    """Of 90 × 300 pixels scaled to 45 × 150, which square patches of a square image could not show."""
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (90, 300, 3), dtype=np.uint8), rng.integers(0, 2, (90, 300), dtype=np.uint8)
    write_pair(tmp_path / "set", "0", image, mask)
    store = prepared(tmp_path / "set", tmp_path)
    chosen = params(**{"data.resize": 45, "data.crop": 32, "model.depth": 4, "data.oversample_rare": 0})
    patches = Patches(Subset.ungrouped(store, [0]), chosen.data, chosen.augment, seed=0)
    seen, labels = scale_image(store.image(0), 45), scale_mask(store.mask(0), 45)
    assert seen.shape == (45, 150, 3)
    for index in range(20):
        patch = patches.draw(1, index, augmented=False)
        assert _contains(seen, labels, patch.pixels, patch.mask)
    centres = np.array([patches.draw_centre(np.random.default_rng(seed))[1] for seed in range(500)])
    assert centres.min(axis=0) == pytest.approx([16, 16], abs=1) and (centres.min(axis=0) >= 16).all()
    assert centres.max(axis=0) == pytest.approx([150 - 16, 45 - 16], abs=1) and (centres.max(axis=0) <= [134, 29]).all()


def test_rare_classes_are_found_in_scaled_images(tmp_path, params):
    """A spot of 1 % of the pixels, at 80 % of the width and a fifth of the height, and images of several sizes."""
    for number, (height, width) in enumerate([(100, 200), (240, 120), (60, 400)]):
        mask = np.zeros((height, width), np.uint8)
        mask[height // 5 - 3 : height // 5 + 4, width * 4 // 5 - 3 : width * 4 // 5 + 4] = 1
        write_pair(tmp_path / "set", str(number), np.repeat(100 * mask[..., None] + 50, 3, axis=2), mask)
    store = prepared(tmp_path / "set", tmp_path)
    chosen = params(**{"data.resize": 50, "data.crop": 16, "model.depth": 3, "data.oversample_rare": 1.0})
    patches = Patches(whole(store), chosen.data, chosen.augment, seed=0)
    for index in range(60):
        patch = patches.draw(1, index, augmented=False)
        assert patch.mask.any() and patch.pixels[patch.mask == 1].mean() > 120 > patch.pixels[patch.mask == 0].mean()


def test_a_full_disk_is_reported_with_the_setting_that_needs_space(store, monkeypatch):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(resized_pairs.tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(UserError, match=r"No space left on device; data\.resize stores"):
        resized_pairs.ResizedPairs(store, 24).pair(0)


@pytest.mark.parametrize(("resize", "crop"), [(0, 128), (64, 64), (0, 32)])
def test_every_patch_is_shifted(store, params, resize, crop):
    still = {
        "augment.flip": "none",
        "augment.probability": 0,
        "data.oversample_rare": 0,
        "data.resize": resize,
        "data.crop": crop,
    }
    for shift, different in ((0.0, False), (0.5, True)):
        chosen = params(**still, **{"augment.shift": shift})
        patches = Patches(Subset.ungrouped(store, [0]), chosen.data, chosen.augment, seed=0)
        same = [
            np.array_equal(patches.draw(1, i).pixels, patches.draw(1, i, augmented=False).pixels) for i in range(20)
        ]
        assert all(same) if not different else sum(same) < 5


def test_patches_do_not_accumulate_at_the_border(tmp_path, params):
    write_pair(tmp_path / "set", "0", np.zeros((256, 256, 3), np.uint8), np.tile([0, 1], (256, 128)).astype(np.uint8))
    store = prepared(tmp_path / "set", tmp_path)
    chosen = params(**{"data.crop": 128, "data.oversample_rare": 0})
    patches = Patches(Subset.ungrouped(store, [0]), chosen.data, chosen.augment, seed=0)
    centres = np.array([patches.draw_centre(np.random.default_rng(seed))[1] for seed in range(2000)])
    assert centres.min() >= 64 and centres.max() <= 192
    np.testing.assert_allclose(np.histogram(centres, bins=4, range=(64, 192))[0] / centres.size, 0.25, atol=0.03)


def test_a_patch_depends_only_on_seed_epoch_and_index(store, params):
    chosen = params(**{"data.crop": 32})

    def draw(seed, epoch, index):
        return Patches(whole(store), chosen.data, chosen.augment, seed).draw(epoch, index).image

    one = draw(0, 1, 5)
    patches = Patches(whole(store), chosen.data, chosen.augment, 0)
    batches = list(patches.batches([(1, 0), (1, 1)], 4))
    np.testing.assert_array_equal(one, batches[1][0][1])
    for other in ((1, 1, 5), (0, 2, 5), (0, 1, 6)):
        assert not np.array_equal(one, draw(*other))


def test_every_batch_is_complete(store, params):
    chosen = params(**{"data.crop": 32})
    patches = Patches(whole(store), chosen.data, chosen.augment, 0)
    assert [images.shape[0] for images, _ in patches.batches([(1, 0), (2, 0)], 4)] == [4, 4]


def test_the_requested_share_of_patches_holds_a_rare_class(store, params):
    chosen = params(**{"data.crop": 16, "data.oversample_rare": 0.5, "model.depth": 4})
    patches = Patches(whole(store), chosen.data, chosen.augment, 0)
    assert rare_classes(whole(store)) == [1, 2] == list(patches.rare)
    never = Patches(
        whole(store),
        params(**{"data.crop": 16, "data.oversample_rare": 0.0}).data,
        chosen.augment,
        0,
    )

    def held(drawn):
        return np.mean([(drawn.draw(1, index, augmented=False).mask > 0).any() for index in range(1000)])

    always = Patches(
        whole(store),
        params(**{"data.crop": 16, "data.oversample_rare": 1.0}).data,
        chosen.augment,
        0,
    )
    assert held(always) == 1 > held(patches) > held(never) + 0.1


def test_normalisation_gives_mean_0_and_deviation_1(store):
    indices = range(len(store))
    normalisation = Normalisation.of_records(store.records)
    pixels = np.concatenate([normalisation(store.image(index)).reshape(-1, 3) for index in indices])
    np.testing.assert_allclose(pixels.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(pixels.std(axis=0), 1, atol=1e-4)
    np.testing.assert_array_equal(normalisation.undo(normalisation(store.image(0)), np.uint8), store.image(0))


def test_normalise_image_uses_the_moments_of_each_image(store, params):
    """data.normalise: image uses mean and standard deviation of the image itself, not of the others."""
    still = {
        "augment.flip": "none",
        "augment.probability": 0,
        "augment.shift": 0,
        "data.crop": 32,
        "data.oversample_rare": 0,
    }
    chosen = params(**still, **{"data.normalise": "image"})
    patches = Patches(Subset.ungrouped(store, [0, 1]), chosen.data, chosen.augment, 0)
    for position in (0, 1):
        roots = np.sqrt(store.image(position).reshape(-1, 3).astype(float))
        normalisation = patches.normalisation_of(position)
        np.testing.assert_allclose(normalisation.mean, roots.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(normalisation.std, roots.std(axis=0), rtol=1e-5)
    crop = patches.draw(1, 0)
    np.testing.assert_array_equal(crop.shown(), crop.pixels)


def test_jitter_stays_in_its_ranges(params):
    augment = params(**{"augment.brightness": 0.3, "augment.contrast": 0.5, "augment.noise": 0}).augment
    rng = np.random.default_rng(0)
    zeros, ones = (np.full((8, 8, 3), value, np.float32) for value in (0, 1))
    assert max(abs(float(jitter(zeros, augment, rng).mean())) for _ in range(200)) <= 0.3
    gains = [float(np.ptp(jitter(np.concatenate([zeros, ones]), augment, rng))) for _ in range(200)]
    assert 1 / 1.5 - 1e-6 <= min(gains) < 0.75 and 1.4 < max(gains) <= 1.5 + 1e-6
