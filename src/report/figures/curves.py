"""How did training go? Loss, Dice, IoU and accuracy over the epochs."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.report.figures.style import TRAINING, VALIDATION, save

TITLES = {"loss": "Loss", "dice": "Dice", "iou": "IoU", "accuracy": "Pixel accuracy"}


def draw_curves(path: Path, table: Path, best_epoch: int) -> None:
    """Draw four charts of the training history: training patches and validation images.

    Args:
        path: The PNG file.
        table: The training history, history.csv.
        best_epoch: The epoch whose weights were kept; it is marked.
    """
    history = pd.read_csv(table)
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    for axis, (name, title) in zip(figure.subplots(2, 2).flat, TITLES.items(), strict=True):
        axis.plot(history["epoch"], history[name], color=TRAINING, label="training patches")
        axis.plot(history["epoch"], history[f"val_{name}"], color=VALIDATION, label="validation images")
        axis.axvline(best_epoch, color="0.5", linestyle=":", label=f"kept: epoch {best_epoch}")
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.axes[0].legend(frameon=False)
    save(figure, path)
