"""Tiles of large images: they cover each pixel once, and what they share is blended."""

import numpy as np
import pytest

from src.model.inference.tiling import blend_tiles

SHAPES = [(100, 230, 32, 8), (33, 33, 32, 8), (36, 37, 32, 8), (10, 500, 32, 16), (64, 64, 32, 0), (65, 1, 32, 0)]


def put_together(height, width, tile, overlap, predict):
    """The logits of the whole image; each pixel must be yielded once."""
    times, whole = np.zeros((height, width), int), np.full((height, width, 2), np.nan, np.float32)
    for window, logits in blend_tiles(height, width, tile, overlap, predict):
        times[window] += 1
        whole[window] = logits
    assert (times == 1).all()
    return whole


@pytest.mark.parametrize(("height", "width", "tile", "overlap"), [*SHAPES, (1, 1, 32, 8), (96, 96, 32, 16)])
def test_tiles_that_agree_give_what_they_agree_on(height, width, tile, overlap):
    logits = np.random.default_rng(0).normal(size=(height, width, 2)).astype(np.float32)
    found = put_together(height, width, tile, overlap, lambda window: logits[window])
    np.testing.assert_allclose(found, logits, atol=1e-6)


def test_tiles_that_differ_are_blended_linearly():
    calls = []

    def constant(window):
        calls.append(window)
        rows, columns = window
        return np.full((rows.stop - rows.start, columns.stop - columns.start, 2), len(calls), np.float32)

    found = put_together(8, 64, 32, 8, constant)
    assert len(calls) == 2
    expected = np.concatenate([np.ones(28), 1 + (np.arange(8) + 0.5) / 8, np.full(28, 2)])
    np.testing.assert_allclose(found[..., 0], np.tile(expected, (8, 1)), atol=1e-6)
