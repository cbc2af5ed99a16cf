"""Measures of objects against scikit-image's regionprops."""

import numpy as np
import pytest
from skimage.measure import regionprops

import src.objects.components as components
import src.objects.measure as measure
from src.data.classes.label_format import LabelFormat
from src.objects.components import number_objects
from src.objects.measure import measure_objects
from tests.outlined import blobs
from tests.test_object_components import small_strips


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_measures_equal_those_of_scikit_image(tmp_path, monkeypatch, rows, dtype):
    for module in (components, measure):
        monkeypatch.setattr(module, "strips", lambda *size: small_strips(*size, rows))
    mask, rng = blobs(3, 60, 72), np.random.default_rng(0)
    image = (rng.random((*mask.shape, 2)) * 200 - (100 if dtype == np.float32 else 0)).astype(dtype)
    shares = rng.random(mask.shape)
    objects = number_objects(mask, LabelFormat(3), [1, 2], tmp_path)
    found = measure_objects(objects, image, lambda part: shares[part])
    eccentricities = found.eccentricities()
    for index, region in enumerate(regionprops(objects.numbers.astype(np.int32), np.dstack([image, shares]))):
        assert found.areas[index] == region.area
        y, x = region.centroid
        *means, probability = region.intensity_mean
        expected = [region.perimeter, x + 0.5, y + 0.5, region.equivalent_diameter_area, region.eccentricity]
        values = [found.perimeters[index], *found.centres[index], found.diameters[index], eccentricities[index]]
        np.testing.assert_allclose(values, expected, atol=1e-6)
        np.testing.assert_allclose([*found.means[index], found.probabilities[index]], [*means, probability], rtol=1e-6)
        np.testing.assert_array_equal(found.maxima[index], region.intensity_max[:2].astype(dtype))


def test_shape_does_not_depend_on_the_place_in_a_large_image(tmp_path):
    mask = np.zeros((4, 60_000), np.uint8)
    mask[1:3, 100:110] = mask[1:3, 59_900:59_910] = 1
    image = np.zeros((*mask.shape, 1), np.uint8)
    objects = number_objects(mask, LabelFormat(2), [1], tmp_path)
    found = measure_objects(objects, image, lambda rows: np.ones(mask[rows].shape))
    np.testing.assert_allclose(found.spreads[0], found.spreads[1], atol=1e-5)
    np.testing.assert_allclose(*found.eccentricities(), atol=1e-8)


def test_eccentricity_takes_the_shape_of_pixels_into_account(tmp_path):
    mask = np.zeros((20, 20), np.uint8)
    mask[2:6, 3:11] = 1  # 4 rows of 2 mm, 8 columns of 1 mm
    objects = number_objects(mask, LabelFormat(2), [1], tmp_path)
    found = measure_objects(objects, mask[..., None], lambda rows: np.ones(mask[rows].shape))
    (stored,), (real,) = found.eccentricities(), found.eccentricities((2.0, 1.0))
    assert stored > 0.8 and 0 <= real < 0.3


def test_no_objects_have_no_measures(tmp_path):
    mask = np.zeros((3, 4), np.uint8)
    objects = number_objects(mask, LabelFormat(2), [1], tmp_path)
    found = measure_objects(objects, mask[..., None], lambda rows: np.ones(mask[rows].shape))
    assert found.areas.shape == found.eccentricities().shape == (0,) and found.means.shape == (0, 1)
