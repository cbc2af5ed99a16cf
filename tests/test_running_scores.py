"""Running sums of pixel counts against the scores of all images at once."""

import pickle

import numpy as np
import pytest

from src.data.classes.label_format import LabelFormat
from src.evaluation.metrics.confusion import PixelCounts, classes_present, dice, iou, mean_over_classes, pixel_counts
from src.evaluation.metrics.running_scores import RunningScores


def counts_of(images, classes, seed=0):
    """Some classes are in no truth, or in truth alone; some images hold few of them."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 50, (images, classes, classes)) * (rng.random((images, classes, classes)) < 0.3)
    counts[:, -1] = 0  # never in the truth
    return pixel_counts(counts, LabelFormat(classes))


@pytest.mark.parametrize("foreground", [[1, 2, 3], [0], [2, 4], [4]])
def test_means_equal_those_over_all_images(foreground):
    pixels, tally = counts_of(23, 5), RunningScores(5)
    for part in zip(*(np.split(counts, [1, 9, 10]) for counts in pixels), strict=True):
        tally.add(PixelCounts(*part))
    classes = classes_present(pixels.true, foreground)
    wanted = [mean_over_classes(score, classes) if classes else 0 for score in (dice(pixels), iou(pixels))]
    np.testing.assert_allclose(tally.means(foreground), wanted, rtol=1e-12)
    assert (tally.counts == [counts.sum(axis=0) for counts in pixels]).all()


def test_the_size_does_not_grow_with_the_number_of_images():
    tally, sizes = RunningScores(4), []
    for _ in range(3):
        tally.add(counts_of(400, 4))
        sizes.append(len(pickle.dumps(tally)))  # everything that the object holds
    assert len(set(sizes)) == 1
