"""Predict a large image in tiles, and blend neighbouring tiles where they overlap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]  # rows and columns of an image
Logits = NDArray[np.float32]  # [height, width, n]; n = 1 for two classes, else one for each class


@dataclass(frozen=True)
class Span:
    """One tile along one axis. It is predicted from `start` to `stop`, and fades in and out where it overlaps others.

    Attributes:
        start: first pixel.
        stop: pixel after the last one.
        complete: pixel up to which this tile and those before it give the result.
        fade_in: pixels at the start that it shares with the tile before it.
        fade_out: pixels at the stop that it shares with the tile after it.
    """

    start: int
    stop: int
    complete: int
    fade_in: int
    fade_out: int

    @property
    def weights(self) -> NDArray[np.float32]:
        """Weight of each pixel, float32 [stop - start]; those of all tiles add up to 1."""
        weights = np.ones(self.stop - self.start, np.float32)
        weights[: self.fade_in] = (np.arange(self.fade_in) + 0.5) / max(self.fade_in, 1)
        if self.fade_out:
            weights[-self.fade_out :] = 1 - (np.arange(self.fade_out, dtype=np.float32) + 0.5) / self.fade_out
        return weights


def spans(size: int, tile: int, overlap: int) -> list[Span]:
    """Divide one axis of an image into tiles.

    Args:
        size: of the image in pixels.
        tile: distance between the centres of two tiles in pixels, at least `overlap`.
        overlap: pixels that neighbouring tiles share; an even number.
    """
    half, found = overlap // 2, []
    for start in range(0, size, tile):
        first, last = start == 0, start + tile >= size
        if not first and size - start <= half:
            break  # the tile before this one reaches the border already
        last = last or size - start - tile <= half
        stop = size if last else start + tile + half
        found.append(
            Span(
                start=0 if first else start - half,
                stop=stop,
                complete=size if last else start + tile - half,
                fade_in=0 if first else overlap,
                fade_out=0 if last else overlap,
            )
        )
        if last:
            break
    return found


def blend_tiles(
    height: int, width: int, tile: int, overlap: int, predict: Callable[[Window], Logits]
) -> Iterator[tuple[Window, Logits]]:
    """Predict an image tile by tile.

    Between two tiles, only what they share is kept: a strip of `overlap` rows and one of `overlap` columns.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        tile: side of a tile in pixels, at least 2 × `overlap`.
        overlap: pixels that neighbouring tiles share. With 0, tiles lie side by side, and nothing is blended.
        predict: returns the logits of a window, float32 [rows, columns, n].

    Yields:
        Windows that cover the image once, each with its logits. Where tiles overlap, the weight of each falls linearly
        towards its border.
    """
    columns = spans(width, tile, overlap)
    above: Logits | None = None  # the last rows of the tiles above, weighted
    top = 0
    for rows in spans(height, tile, overlap):
        below: list[Logits] = []
        left, beside = 0, None  # the last columns of the tile to the left, weighted
        for span in columns:
            logits = predict((slice(rows.start, rows.stop), slice(span.start, span.stop)))
            if len(columns) > 1 or rows.fade_in or rows.fade_out:
                logits = logits * rows.weights[:, None, None] * span.weights[:, None]
            if beside is not None:
                logits[:, : span.fade_in] += beside
            beside = logits[:, len(logits[0]) - span.fade_out :].copy() if span.fade_out else None
            done = logits[:, : span.complete - span.start]
            if above is not None:
                done[: rows.fade_in] += above[:, left : span.complete]
            yield (slice(top, rows.complete), slice(left, span.complete)), done[: rows.complete - rows.start]
            if rows.fade_out:
                below.append(done[len(done) - rows.fade_out :].copy())
            left = span.complete
        above = np.concatenate(below, axis=1) if below else None
        top = rows.complete
