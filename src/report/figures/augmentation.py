"""Pictures of what training sees."""

from pathlib import Path

from src.data.crops.sampling import Patches
from src.files import atomic
from src.report.figures.panels import blended, class_patches, grid, shown

PICTURES, ROWS = 4, 3  # pictures, and patches in each


def draw_augmentation(folder: Path, patches: Patches) -> None:
    """`PICTURES` pictures NN.png of the first epoch's first patches, as stored and as training sees them."""
    dataset = patches.store.dataset
    with atomic(folder) as temporary:
        temporary.mkdir()
        for picture in range(PICTURES):
            rows, masks = [], []
            for index in range(picture * ROWS, (picture + 1) * ROWS):
                before, after = patches.draw(1, index, augmented=False), patches.draw(1, index)
                masks += [before.mask, after.mask]
                drawings = [(shown(crop.shown()), crop.mask) for crop in (before, after)]
                rows.append(
                    {
                        "as stored": drawings[0][0],
                        "with its mask": blended(*drawings[0], dataset),
                        "augmented": drawings[1][0],
                        "with its mask ": blended(*drawings[1], dataset),
                    }
                )
            grid(temporary / f"{picture:02d}.png", "What training sees", rows, class_patches(dataset, *masks))
