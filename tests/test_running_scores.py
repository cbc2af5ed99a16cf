"""Running sums of confusion matrices against the scores of all images at once."""

import pickle

import numpy as np
import pytest

from src.evaluation.metrics.confusion import classes_present, dice, iou, mean_over_classes, overlap
from src.evaluation.metrics.running_scores import RunningScores


def confusions(images, classes, seed=0):
    """Some classes are in no truth, or in truth alone; some images hold few of them."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 50, (images, classes, classes)) * (rng.random((images, classes, classes)) < 0.3)
    counts[:, -1] = 0  # never in the truth
    return counts


@pytest.mark.parametrize("foreground", [[1, 2, 3], [0], [2, 4], [4]])
def test_means_equal_those_over_all_images(foreground):
    counts, tally = confusions(23, 5), RunningScores(5)
    for part in np.split(counts, [1, 9, 10]):
        tally.add(part)
    pixels = overlap(counts)
    classes = classes_present(pixels.true, foreground)
    wanted = [mean_over_classes(score, classes) if classes else 0 for score in (dice(pixels), iou(pixels))]
    np.testing.assert_allclose(tally.means(foreground), wanted, rtol=1e-12)
    assert (tally.pooled == counts.sum(axis=0)).all()


def test_the_size_does_not_grow_with_the_number_of_images():
    tally, sizes = RunningScores(4), []
    for _ in range(3):
        tally.add(confusions(400, 4))
        sizes.append(len(pickle.dumps(tally)))  # everything that the object holds
    assert len(set(sizes)) == 1
