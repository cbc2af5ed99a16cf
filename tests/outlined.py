"""Objects for the tests of outlines and their formats: random nested masks, and their annotations."""

import numpy as np
from skimage.measure import label, regionprops

from src.objects.annotated import AnnotatedImage, OutlinedObject
from src.objects.outlines import trace_outlines

NAMES = ["background", "cell", "tree"]


def blobs(seed, height=40, width=56, classes=3):
    """Class indices of random blobs of all sizes, with holes, islands in them and pixels that touch by corners."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1)
    fine = rng.integers(0, classes, (height, width))
    return np.where(rng.random((height, width)) < 0.15, fine, coarse).astype(np.uint8)


def numbered(mask):
    """The 8-connected components of each class above 0, numbered through, by scikit-image."""
    numbers = np.zeros(mask.shape, np.int32)
    for value in range(1, int(mask.max()) + 1):
        own = label(mask == value, connectivity=2)
        numbers[own > 0] = own[own > 0] + numbers.max()
    return numbers


def annotated(mask, file="a.png", names=NAMES):
    """The components of a mask as objects."""
    numbers, found = numbered(mask), []
    outlines = trace_outlines(numbers)
    for region in regionprops(numbers):
        name = names[mask[tuple(region.coords[0])]]
        found.append(OutlinedObject(region.label, name, outlines[region.label], int(region.area), 0.75))
    return AnnotatedImage(file, mask.shape[1], mask.shape[0], found)
