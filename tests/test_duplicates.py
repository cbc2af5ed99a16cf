"""Near duplicates are found after mild changes, and different images are not. Real images need SEG_DATASETS."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from src.data.reading.images import read_image
from src.data.similarity import duplicates
from src.data.similarity.duplicates import NEAR, clusters, fingerprint, near_pairs
from src.data.source.dataset import read_dataset
from src.data.source.package import package_pairs
from tests.conftest import ROOT


def clouds(rng, height=300, width=260, channels=3):
    """An image with structure of every size, uint8."""
    layers = [cv2.resize(rng.normal(size=(n, n)), (width, height), interpolation=cv2.INTER_CUBIC) for n in (4, 12, 40)]
    grey = 128 + 30 * sum(layers)
    return np.repeat(grey[..., None], channels, axis=2).clip(0, 255).astype(np.uint8)


def to_uint8(image):
    return np.round(image).clip(0, 255).astype(np.uint8)


def jpeg(image, quality):
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(code, cv2.IMREAD_UNCHANGED).reshape(image.shape)


def noisy(image):
    return to_uint8(image + np.random.default_rng(0).normal(0, 5, image.shape))


def resized(image, factor):
    return cv2.resize(
        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


MILD = {
    "jpeg": lambda image: jpeg(image, 50),
    "half": lambda image: resized(image, 0.5),
    "seven tenths": lambda image: resized(image, 0.7),
    "larger": lambda image: resized(image, 1.5),
    "darker": lambda image: to_uint8(image * 0.8),
    "contrast": lambda image: to_uint8((image - image.mean()) * 1.2 + image.mean()),
    "gamma": lambda image: to_uint8(255 * (image / 255) ** 0.8),
    "noise": noisy,
    "grey": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None],
}


def similarity(one, other):
    return float(fingerprint(one).astype(np.float32) @ fingerprint(other).astype(np.float32))


@pytest.mark.parametrize("change", MILD)
def test_copies_with_mild_changes_are_near_duplicates(change):
    image = clouds(np.random.default_rng(1))
    assert similarity(image, MILD[change](image)) > NEAR


def test_a_shared_vignette_or_a_moved_object_makes_no_near_duplicates():
    """The same vignette with blobs elsewhere; one object on an even ground, moved."""
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:200, :200]
    vignette = 200 - 100 * np.hypot(rows / 100 - 1, columns / 100 - 1) ** 2
    images = []
    for count, ground in [(20, vignette)] * 30 + [(1, np.full((200, 200), 90.0))] * 30:
        image = ground.copy()
        for row, column in rng.uniform(10, 190, (count, 2)):
            image[np.hypot(rows - row, columns - column) < 8] += 40
        images.append(to_uint8(image + rng.normal(0, 3, image.shape))[..., None])
    assert not list(near_pairs([fingerprint(image) for image in images]))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize(("height", "width"), [(300, 260), (64, 1000), (41, 37), (500, 3)])
def test_the_fingerprint_does_not_depend_on_number_type_scale_and_offset(height, width, channels):
    image = clouds(np.random.default_rng(3), height, width, channels)
    expected = fingerprint(image)
    assert expected.dtype == np.float16 and np.linalg.norm(expected.astype(float)) == pytest.approx(1, abs=1e-3)
    for same in (image.astype(np.uint16) * 257, image.astype(np.float32) / 255, image.astype(np.float32) / 255 - 3):
        np.testing.assert_allclose(fingerprint(same).astype(float), expected.astype(float), atol=2e-3)


@pytest.mark.parametrize(("height", "width", "enough"), [(1, 1, 0), (2, 1, 0), (7, 9, 0), (8, 8, 1), (1, 64, 1)])
def test_images_of_fewer_than_64_pixels_have_no_fingerprint(height, width, enough):
    image = np.random.default_rng(8).integers(0, 256, (height, width, 3), np.uint8)
    assert fingerprint(image).any() == enough


def test_the_fingerprint_of_a_view_equals_that_of_a_copy():
    image = np.concatenate([clouds(np.random.default_rng(4))] * 2, axis=2)[5:, 7:-9, ::-2]
    np.testing.assert_array_equal(fingerprint(image), fingerprint(image.copy()))


def test_a_subsampled_tall_image_has_a_similar_fingerprint():
    image = clouds(np.random.default_rng(5), 300, 100)
    assert similarity(image, np.repeat(image, 50, axis=0)) > 0.99


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 16), (1, 9, 3), (300, 1, 3), (517, 389, 3), (5000, 70, 1)])
def test_flat_images_match_nothing(shape, dtype):
    flat = [fingerprint(np.full(shape, value, dtype)) for value in (0, 0.1, 1, 200)]
    assert not np.any(flat) and not list(near_pairs(flat))


def test_images_with_values_that_are_not_finite_match_nothing():
    image = clouds(np.random.default_rng(6)).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf):
        image[10, 10, 0] = value
        assert not fingerprint(image).any()


def test_blockwise_pairs_equal_those_of_a_direct_comparison(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", 16)
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(70, len(fingerprint(clouds(rng)))))
    for i, j, noise in [(0, 1, 0.1), (15, 16, 0.1), (3, 69, 0), (31, 48, 0.2), (40, 41, 0.5), (0, 50, 0.1)]:
        vectors[j] = vectors[i] + noise * rng.normal(size=vectors.shape[1])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[5, 20]] = 0
    prints = vectors.astype(np.float16)
    exact = prints.astype(float)
    expected = [(i, j) for i in range(70) for j in range(i + 1, 70) if exact[i] @ exact[j] >= NEAR]
    for found in (sorted(near_pairs(prints)), sorted(near_pairs(list(prints)))):
        assert [pair[:2] for pair in found] == expected and len(expected) == 6
        for i, j, similar in found:
            assert similar == pytest.approx(min(exact[i] @ exact[j], 1), abs=1e-5)


def test_without_images_there_are_no_pairs_and_no_clusters():
    assert not list(near_pairs([])) and clusters([], 0) == [] and clusters([], 3) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_connected_components(seed):
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, 200, (2, 120))
    graph = coo_array((np.ones(120), (i, j)), shape=(200, 200))
    labels = connected_components(graph, directed=False)[1]
    expected = [int(np.argmax(labels == label)) for label in labels]
    assert clusters(zip(i.tolist(), j.tolist(), [1.0] * 120, strict=True), 200) == expected


def real_images(name):
    if name == "map tiles":
        return [pair.read(None).image for pair in package_pairs(read_dataset(ROOT / "data/blue-marble").package)]
    return [read_image(path) for path in sorted((Path(os.environ["SEG_DATASETS"]) / name / "images").iterdir())]


@pytest.mark.skipif("SEG_DATASETS" not in os.environ, reason="SEG_DATASETS is not set")
@pytest.mark.parametrize("name", ["nuclei", "vessels", "map tiles"])
def test_real_images_hold_no_near_duplicates_and_changed_copies_are_found(name):
    """No two are near duplicates; of one in three, every mild change is found in 19 of 20."""
    images = real_images(name)
    prints = [fingerprint(image) for image in images]
    assert not list(near_pairs(prints))
    some = range(0, len(images), 3)
    for change in MILD.values():
        found = [prints[i].astype(np.float32) @ fingerprint(change(images[i])).astype(np.float32) >= NEAR for i in some]
        assert np.mean(found) >= 0.95
