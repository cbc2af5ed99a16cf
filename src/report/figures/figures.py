"""The figures of README.md and docs, from the files of a run."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from src.report.figures.style import TRAINING, save
from src.report.text.summary import aligned, class_table

WIDTH = 2.5  # inches from one stage to the next


def draw_figures(folder: Path, pipeline: Mapping[str, Any], test: Mapping[str, Any], plots: Path) -> list[str]:
    """pipeline.png, scores.png, curves.png and overlay.png; pipeline: dvc.yaml; plots: the folder of the run's plots.

    The overlay is that of the image in the middle of all, from the worst to the best. There is none if no test image
    has a Dice, so that nothing was drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_pipeline(folder / "pipeline.png", pipeline["stages"])
    draw_text(folder / "scores.png", aligned(class_table(test)))
    shutil.copyfile(plots / "curves.png", folder / "curves.png")
    overlays = sorted((plots / "overlays").glob("*.png"))
    if overlays:
        shutil.copyfile(overlays[len(overlays) // 2], folder / "overlay.png")
    else:
        (folder / "overlay.png").unlink(missing_ok=True)  # of an earlier run
    return sorted(path.name for path in folder.glob("*.png"))


def draw_pipeline(path: Path, stages: Mapping[str, Any]) -> None:
    """The stages in a row, below each what it writes, and arrows to those that read its files."""
    figure = Figure(figsize=(WIDTH * len(stages), 2.6))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.55, len(stages) - 0.45), ylim=(-1.0, 0.75))
    axis.axis("off")
    for place, (name, stage) in enumerate(stages.items()):
        box = {"boxstyle": "round,pad=0.6", "facecolor": "white", "edgecolor": TRAINING, "linewidth": 2}
        axis.text(place, 0, name, ha="center", va="center", fontsize=15, bbox=box)
        axis.text(place, -0.4, "\n".join(written(stage)), ha="center", va="top", fontsize=10, color="0.35")
    for first, second in edges(stages):
        bend = 0 if second == first + 1 else -0.3 / (second - first)
        start, end = (first + 0.28, 0) if not bend else (first, 0.2), (second - 0.32, 0) if not bend else (second, 0.2)
        arrow = {"arrowstyle": "-|>", "color": "0.45", "connectionstyle": f"arc3,rad={bend}"}
        axis.annotate("", xy=end, xytext=start, arrowprops=arrow)
    save(figure, path)


def written(stage: Mapping[str, Any]) -> list[str]:
    """The files that a stage writes."""
    outs = [*stage.get("outs", []), *stage.get("plots", []), *stage.get("metrics", [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in outs]


def edges(stages: Mapping[str, Any]) -> list[tuple[int, int]]:
    """From which to which place, where the second reads what the first writes and no longer way leads there."""
    parts = list(stages.values())
    direct = {
        (first, second)
        for second, reader in enumerate(parts)
        for first, writer in enumerate(parts[:second])
        if set(written(writer)) & set(reader.get("deps", []))
    }
    after: dict[int, set[int]] = {}  # place → the places that any way leads to
    for first in reversed(range(len(parts))):
        own = {second for one, second in direct if one == first}
        after[first] = own.union(*(after[second] for second in own))
    return sorted(
        (first, second)
        for first, second in direct
        if not any(second in after[other] for one, other in direct if one == first)
    )


def draw_text(path: Path, lines: Sequence[str]) -> None:
    """Lines of a table, all characters as wide."""
    figure = Figure(figsize=(9, 0.25 * len(lines) + 0.2))
    figure.text(0.02, 0.95, "\n".join(lines).replace("$", r"\$"), family="monospace", fontsize=11, va="top")
    save(figure, path)
