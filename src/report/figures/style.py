"""Which style and colours do the pictures share? Okabe and Ito's palette, which colour-blind readers can tell apart."""

import warnings
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from src.files import atomic

matplotlib.use("Agg")  # draws to files and needs no display
matplotlib.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True})
matplotlib.rcParams.update({"grid.alpha": 0.3, "savefig.dpi": 110, "axes.formatter.useoffset": False})

HIT, MISS, FALSE_ALARM = "#009E73", "#F0E442", "#CC79A7"
TRAINING, VALIDATION = "#0072B2", "#D55E00"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG without date or version, so that equal pictures are equal files.

    Args:
        figure: The figure.
        path: The file; it is replaced as a whole.
    """
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script that the font lacks
        figure.savefig(temporary, format="png", metadata={"Software": None}, bbox_inches="tight")
