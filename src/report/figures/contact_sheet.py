"""The contact sheet: images with their masks laid over, on which a wrong pairing shows at a glance."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.data.checks.dataset_checks import CheckResult
from src.data.source.dataset import Dataset
from src.report.figures.panels import Drawing, blended, class_patches, plain, shown
from src.report.figures.style import save

COLUMNS = 8
STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))
LONGEST = 24  # characters of a name


def draw_contact_sheet(path: Path, gate: CheckResult) -> None:
    """Every preview of the gate, with its name; masks that nobody can read yet are coloured by their raw values."""
    entries = [entry for entry in gate.pairs.values() if entry.preview is not None]
    dataset = gate.encoding.dataset
    rows = max(1, -(-len(entries) // COLUMNS))
    figure = Figure(figsize=(1.6 * COLUMNS, 1.75 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    masks = []
    for axis in axes:
        axis.axis("off")
    for axis, entry in zip(axes, entries, strict=False):
        assert entry.preview is not None
        image, codes = entry.preview
        picture = shown(image, stretched=True)
        if dataset.classes:
            mask = gate.encoding.lookup(entry.values)[codes]
            masks.append(mask)
            axis.imshow(outlined(picture, mask, dataset))
        else:
            axis.imshow(_raw(picture, codes))
        axis.set_title(plain(entry.id[-LONGEST:]), fontsize=6)
    figure.suptitle(plain(f"{gate.source}: {len(entries)} of {len(gate.pairs)} pairs, masks laid over"), fontsize=10)
    if masks:
        figure.legend(handles=class_patches(dataset, *masks), loc="outside lower center", ncols=8, frameon=False)
    save(figure, path)


def outlined(image: Drawing, mask: NDArray[np.uint8], dataset: Dataset) -> Drawing:
    """The mask's colours thinly over the image, and in full along their inner borders."""
    padded = np.pad(mask, 1, mode="edge")
    neighbours = [padded[1 + y : 1 + y + mask.shape[0], 1 + x : 1 + x + mask.shape[1]] for y, x in STEPS]
    border = np.any([neighbour != mask for neighbour in neighbours], axis=0)
    thin, full = blended(image, mask, dataset, 0.2), blended(image, mask, dataset, 1.0)
    return np.where(border[..., None], full, thin)


def _raw(image: Drawing, codes: NDArray[np.uint8]) -> Drawing:
    """The codes of a mask in a range of colours over the image; code 0 stays clear."""
    present, rank = np.unique(codes, return_inverse=True)
    painted = matplotlib.colormaps["turbo"](rank.reshape(codes.shape) / max(len(present) - 1, 1))[..., :3] * 255
    return np.where(codes[..., None] > 0, 0.4 * image + 0.6 * painted, image).astype(np.uint8)
