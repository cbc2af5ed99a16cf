"""Masks in the classes of a model."""

import numpy as np

from src.data.labelled.remap_classes import remap_classes


def test_remap_classes_rewrites_masks_counts_and_description(store):
    before = [np.array(store.mask(index)) for index in range(len(store))]
    names = ["lake", "sea", "land", "nothing"]
    after = remap_classes(store, [2, 0, 1], names, 1, {"sea": "#0000FF"})
    assert after.dataset.names == names and after.dataset.background_index == 1 and after.dataset.ignore is None
    assert after.dataset.class_colours["sea"] == "#0000FF"
    for index, mask in enumerate(before):
        np.testing.assert_array_equal(after.mask(index), np.array([2, 0, 1], np.uint8)[mask])
        assert after.records[index].pixels == np.bincount(after.mask(index).ravel(), minlength=4).tolist()
        np.testing.assert_array_equal(after.image(index), store.image(index))
