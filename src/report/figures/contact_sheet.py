"""Do images and masks belong together? The contact sheet shows them as overlays, so that a wrong pairing is visible."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.data.checks.dataset_checks import CheckResult
from src.data.drawing.drawing import Drawing, blended, shown
from src.data.source.dataset import Dataset
from src.report.figures.panels import class_patches, plain
from src.report.figures.style import save

COLUMNS = 8
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))
MOST_CHARACTERS = 24  # of a name


def draw_contact_sheet(path: Path, result: CheckResult) -> None:
    """Draw every preview with its name. Masks whose classes are not known yet are coloured by their stored values.

    Args:
        path: The PNG file.
        result: The result of the data set checks.
    """
    pairs = [pair for pair in result.pairs.values() if pair.preview is not None]
    dataset = result.encoding.dataset
    rows = max(1, -(-len(pairs) // COLUMNS))
    figure = Figure(figsize=(1.6 * COLUMNS, 1.75 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    masks = []
    for axis in axes:
        axis.axis("off")
    for axis, pair in zip(axes, pairs, strict=False):
        assert pair.preview is not None
        image, codes = pair.preview
        picture = shown(image, stretched=True)
        if dataset.classes:
            mask = result.encoding.lookup(pair.values)[codes]
            masks.append(mask)
            axis.imshow(outlined(picture, mask, dataset))
        else:
            axis.imshow(_raw(picture, codes))
        axis.set_title(plain(pair.id[-MOST_CHARACTERS:]), fontsize=6)
    figure.suptitle(plain(f"{result.source}: {len(pairs)} of {len(result.pairs)} pairs with masks"), fontsize=10)
    if masks:
        figure.legend(handles=class_patches(dataset, *masks), loc="outside lower center", ncols=8, frameon=False)
    save(figure, path)


def outlined(image: Drawing, mask: NDArray[np.uint8], dataset: Dataset) -> Drawing:
    """Lay a mask over an image: transparent inside, opaque along the border of each class.

    Args:
        image: uint8 [height, width, 3].
        mask: Class indices, uint8 [height, width].
        dataset: The classes and their colours.

    Returns:
        uint8 [height, width, 3].
    """
    padded = np.pad(mask, 1, mode="edge")
    neighbours = [padded[1 + y : 1 + y + mask.shape[0], 1 + x : 1 + x + mask.shape[1]] for y, x in STEPS]
    border = np.any([neighbour != mask for neighbour in neighbours], axis=0)
    thin, full = blended(image, mask, dataset, 0.2), blended(image, mask, dataset, 1.0)
    return np.where(border[..., None], full, thin)


def _raw(image: Drawing, codes: NDArray[np.uint8]) -> Drawing:
    """Lay the codes of a mask over an image in a range of colours; code 0 is transparent."""
    present, rank = np.unique(codes, return_inverse=True)
    painted = matplotlib.colormaps["turbo"](rank.reshape(codes.shape) / max(len(present) - 1, 1))[..., :3] * 255
    return np.where(codes[..., None] > 0, 0.4 * image + 0.6 * painted, image).astype(np.uint8)
