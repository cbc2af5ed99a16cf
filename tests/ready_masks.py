"""A labelled folder and ready masks for it, for the tests of tools.score."""

import cv2
import numpy as np

from src.data.labelled.folder import read_labelled
from src.data.labelled.ready_masks import ignore_undecided, read_ready_masks
from src.evaluation.scoring.score import score_ready
from tests.conftest import changed_params, write_pair
from tools.score import show_findings

RESAMPLES = {"evaluate.resamples": 200}


def write_masks(folder, masks):
    """Write masks as PNG; `masks`: stem → mask."""
    for stem, mask in masks.items():
        path = folder / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", np.asarray(mask, np.uint8))[1].tobytes())


def row(*values):
    """A mask of 8 × 8 pixels with these columns."""
    return np.tile(np.array(values, np.uint8), (8, 1))


LEFT = row(255, 255, 255, 255, 0, 0, 0, 0)
THIRD = row(0, 0, 255, 255, 255, 255, 255, 255)


def write_halves(folder):
    """Four images whose masks are their left half. The masks in other/ overlap them in two of eight columns."""
    rng = np.random.default_rng(0)
    for number in range(4):
        write_pair(folder, f"p{number // 2}-{number}", rng.integers(0, 255, (8, 8, 3), np.uint8), LEFT)
        write_masks(folder / "other", {f"p{number // 2}-{number}": THIRD})
    return folder


def scored(folder, work, prediction=None, masks="masks", only=None, **changes):
    """Scores of a folder of ready masks, the labelled folder, the ready masks, and the newly ignored pixels."""
    read = changed_params(**RESAMPLES, **changes)
    work.mkdir()
    labelled = read_labelled(folder, read, work, show_findings, masks=masks, only=only)
    ready = read_ready_masks(prediction or folder / "other", labelled, read.data.masks, work)
    taken = ignore_undecided(labelled.store, ready)
    return score_ready(labelled, ready, 2.0), labelled, ready, taken
