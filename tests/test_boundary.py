"""Boundaries against plain code, SciPy's distance transform and DeepMind's package, on random masks."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial.distance import cdist
from surface_distance import metrics

import src.evaluation.metrics.boundary as boundary_module
from src.data.classes.label_format import LabelFormat
from src.data.source.dataset import IGNORE
from src.evaluation.metrics.boundary import MEASURES, Distances, boundary_scores, class_boundary_scores, count_distances
from tests.pixel_masks import class_images

pytestmark = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # inside surface_distance

COUNT = 1000
PATHS = {  # so that every way to find distances is taken on small masks too
    "as for users": {},
    "trees only": {"TREE": 0},
    "no trees": {"TREE": 10**9},
    "narrow windows": {"TREE": 10**9, "REACH": 3, "WINDOW": 9},
    "narrow windows and trees": {"TREE": 1, "REACH": 2, "WINDOW": 8},
}


@cache
def cases():
    """(truth, prediction, spacing, tolerance), masks bool; no distance is as long as the tolerance but for rounding."""
    rng = np.random.default_rng(7)
    found = []
    for truth, prediction in class_images(0, COUNT, 2, ignored=False):
        equal = rng.random() < 0.5
        spacing = (rng.choice([1, 0.37, 2.5]),) * 2 if equal else tuple(rng.uniform(0.3, 3, 2))
        found.append((truth == 1, prediction == 1, tuple(map(float, spacing)), float(rng.uniform(0.01, 4))))
    return found


def plain_contour(mask, spacing):
    """Points [n, 2] in the data's units and their lengths, from every window of 2 × 2 pixels."""
    height, width = spacing
    diagonal = (height**2 + width**2) ** 0.5
    inside = np.pad(mask, 1).tolist()
    points, lengths = [], []
    for row in range(len(inside) - 1):
        for column in range(len(inside[0]) - 1):
            above, below = inside[row][column : column + 2], inside[row + 1][column : column + 2]
            number = sum(above) + sum(below)
            if number in (0, 4):
                continue
            if number != 2:
                length = diagonal / 2
            elif above == below:
                length = height  # one beside the other: the contour runs down between them
            elif above[0] == above[1]:
                length = width
            else:
                length = diagonal
            points.append((row * height, column * width))
            lengths.append(length)
    return np.array(points).reshape(-1, 2), np.array(lengths)


def plain_measures(there, back, lengths, tolerance):
    """The three measures from distances in both directions and the lengths of both contours."""
    percentiles, within, total = [], 0.0, 0.0
    for values, weights in zip((there, back), lengths, strict=True):
        whole, reached = sum(weights), 0.0
        for value, weight in sorted(zip(values, weights, strict=True)):
            reached += weight
            if reached >= 0.95 * whole - 1e-9:
                percentiles.append(value)
                break
        within += sum(weight for value, weight in zip(values, weights, strict=True) if value <= tolerance)
        total += sum(value * weight for value, weight in zip(values, weights, strict=True))
    length = sum(map(sum, lengths))
    return within / length, max(percentiles), total / length


def brute_force(truth, prediction, spacing, tolerance):
    (one, first), (other, second) = (plain_contour(mask, spacing) for mask in (truth, prediction))
    if not len(one) or not len(other):
        return (0.0 if len(one) or len(other) else np.nan), np.nan, np.nan
    apart = cdist(one, other)
    return plain_measures(apart.min(axis=1), apart.min(axis=0), (first, second), tolerance)


def by_transform(truth, prediction, spacing, tolerance):
    grids, lengths = [], []
    for mask in (truth, prediction):
        points, length = plain_contour(mask, spacing)
        grid = np.zeros(np.add(mask.shape, 1), bool)
        grid[tuple(np.rint(points / spacing).astype(int).T)] = True  # in the same order: row by row
        grids.append(grid)
        lengths.append(length)
    apart = [distance_transform_edt(~grid, sampling=spacing) for grid in grids]
    return plain_measures(apart[1][grids[0]], apart[0][grids[1]], lengths, tolerance)


def by_package(truth, prediction, spacing, tolerance):
    found = metrics.compute_surface_distances(truth, prediction, spacing)
    weighted = [
        (found[f"distances_{way}"] @ found[f"surfel_areas_{of}"], found[f"surfel_areas_{of}"].sum())
        for way, of in (("gt_to_pred", "gt"), ("pred_to_gt", "pred"))
    ]
    mean = sum(value for value, _ in weighted) / sum(length for _, length in weighted)
    dice = metrics.compute_surface_dice_at_tolerance(found, tolerance)
    percent = 95 - 1e-9  # its running sums of lengths miss a share by rounding that they reach exactly, once in 1,000
    return dice, metrics.compute_robust_hausdorff(found, percent), mean


REFERENCES = {"brute force": brute_force, "transform": by_transform, "package": by_package}


@cache
def expected(name):
    """What a reference says of the cases; only of those with both contours, but for brute force."""
    return [
        REFERENCES[name](*case) if name == "brute force" or (case[0].any() and case[1].any()) else None
        for case in cases()
    ]


def differences(name):
    """The largest difference of each measure from a reference, over all cases; NaN and numbers never meet."""
    pairs = [
        (class_boundary_scores(*case), value)
        for case, value in zip(cases(), expected(name), strict=True)
        if value is not None
    ]
    ours, theirs = (np.array(values) for values in zip(*pairs, strict=True))
    assert (np.isnan(ours) == np.isnan(theirs)).all() and len(ours) > 0.8 * COUNT
    return dict(zip(MEASURES, np.nanmax(np.abs(ours - theirs), axis=0), strict=True))


@pytest.mark.parametrize("name", REFERENCES)
def test_scores_of_random_masks_equal_the_references(name):
    assert max(differences(name).values()) < 1e-9


@pytest.mark.parametrize("path", PATHS)
def test_every_way_to_compute_distances_agrees_with_brute_force(path, monkeypatch):
    for name, value in PATHS[path].items():
        monkeypatch.setattr(boundary_module, name, value)
    assert max(differences("brute force").values()) < 1e-9


def test_classes_of_an_image_are_scored_each_with_ignored_pixels_outside():
    for truth, prediction in class_images(1, 150, 4, side=25):
        found = boundary_scores(truth, prediction, LabelFormat(4), (1.0, 1.0), 1.2)
        for label in range(4):
            inside = truth != IGNORE
            wanted = brute_force((truth == label) & inside, (prediction == label) & inside, (1.0, 1.0), 1.2)
            np.testing.assert_allclose([found[name][label] for name in MEASURES], wanted, atol=1e-9)


def test_scores_are_nan_for_two_empty_masks_and_distances_for_one():
    truth, prediction = np.array([[0, 0, 1]], np.uint8), np.array([[0, 0, 2]], np.uint8)
    found = boundary_scores(truth, prediction, LabelFormat(4), (1, 1), 1)
    np.testing.assert_array_equal(found["surface_dice"], [1, 0, 0, np.nan])
    for name in ("hd95", "assd"):
        np.testing.assert_array_equal(found[name], [0, np.nan, np.nan, np.nan])


def test_all_ignored_has_no_score():
    found = boundary_scores(np.full((4, 4), IGNORE, np.uint8), np.zeros((4, 4), np.uint8), LabelFormat(2), (1, 1), 1)
    assert all(values.shape == (2,) and np.isnan(values).all() for values in found.values())


def test_distances_of_a_shifted_square_equal_the_shift():
    one, other = np.zeros((2, 40, 40), bool)
    one[10:20, 10:20], other[10:20, 13:23] = True, True
    share, hd95, _ = class_boundary_scores(one, other, (0.5, 0.5), 0.1)
    assert hd95 == 1.5 and share == pytest.approx(14 / 36, rel=0.05)  # of each side above and below 7 of 10 coincide
    assert class_boundary_scores(one, one, (0.5, 0.5), 0) == (1, 0, 0)


def test_a_tolerance_includes_distances_that_rounding_lengthens():
    one, other = np.zeros((2, 5, 30), bool)
    one[:, :10], other[:, :13] = True, True
    assert 3 * 0.1 > 0.3
    assert (
        class_boundary_scores(one, other, (0.1, 0.1), 0.3)[0]
        == 1
        > class_boundary_scores(one, other, (0.1, 0.1), 0.2999)[0]
    )


def test_a_percentile_ignores_rounding_errors_of_the_length():
    """1,900 of 2,000 equal lengths are 95 %: their sum falls short for some lengths."""
    for length in np.linspace(0.1, 3, 200):
        found = Distances(np.arange(2000.0), np.full(2000, length))
        assert found.percentile(0.95) == 1899


def test_truth_values_beyond_the_classes_are_ignored():
    truth, prediction = np.array([[1, 1, 2, 2, 0]], np.uint8), np.array([[1, 1, 1, 1, 0]], np.uint8)
    assert boundary_scores(truth, prediction, LabelFormat(2), (1, 1), 0)["surface_dice"].tolist() == [1, 1]


def test_distances_are_exact_beyond_the_reach_of_single_precision():
    """Both contours noise in a corner each, 5,000 pixels apart: no shortcut holds there."""
    rng = np.random.default_rng(0)
    one, other = np.zeros((2, 60, 9000), np.uint8)
    one[:, :600], other[:, -4100:] = rng.random((60, 600)) < 0.5, rng.random((60, 4100)) < 0.5
    one[:, -700:] = rng.random((60, 700)) < 0.5
    kinds = [boundary_module.contour(mask) for mask in (one, other)]
    indices = distance_transform_edt(kinds[1] == 0, return_distances=False, return_indices=True)
    wanted = np.hypot(*(index - place for index, place in zip(indices, np.indices(kinds[1].shape), strict=True)))
    found = boundary_module.contour_distances(*kinds, (1.0, 1.0))
    wanted = wanted[kinds[0] > 0]
    counts, far = count_distances(*kinds)
    assert counts.sum() == (wanted <= boundary_module.REACH).sum() and len(far) + counts.sum() == len(wanted)
    weights = boundary_module.kind_lengths((1, 1))[kinds[0][kinds[0] > 0]]
    assert found.values @ found.lengths == pytest.approx(wanted @ weights, rel=1e-13)
    assert found.values[-1] == pytest.approx(wanted.max(), rel=1e-15)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="truth is"):
        boundary_scores(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), LabelFormat(2), (1, 1), 1)
