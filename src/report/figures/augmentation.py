"""What does training see? Patches before and after augmentation."""

from pathlib import Path

from src.data.crops.sampling import Patches
from src.data.drawing.drawing import blended, shown
from src.files import atomic
from src.report.figures.panels import class_patches, grid

PICTURES, ROWS = 4, 3  # pictures, and patches in each


def draw_augmentation(folder: Path, patches: Patches) -> None:
    """Draw the first patches of the first epoch, as stored and augmented, with their masks.

    Args:
        folder: Where `PICTURES` pictures NN.png are written; the folder is replaced as a whole.
        patches: The patches that training draws.
    """
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
