"""Which figures does the documentation show? They are drawn from the files of a run."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from src.report.figures.style import TRAINING, save
from src.report.text.format import Scores, aligned
from src.report.text.summary import class_table

WIDTH = 2.5  # inches from one stage to the next
Stages = Scores  # the section `stages` of dvc.yaml


def draw_figures(folder: Path, pipeline: Mapping[str, Stages], test: Scores, plots: Path) -> list[str]:
    """Draw pipeline.png, scores.png, curves.png and overlay.png.

    The overlay shows the image in the middle between worst and best. There is none if no test image has a Dice.

    Args:
        folder: Where the figures are written.
        pipeline: Content of dvc.yaml.
        test: Content of metrics/test.json.
        plots: Folder of the run's plots.

    Returns:
        The names of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_pipeline(folder / "pipeline.png", pipeline["stages"])
    draw_text(folder / "scores.png", aligned(class_table(test)))
    shutil.copyfile(plots / "curves.png", folder / "curves.png")
    overlays = sorted((plots / "overlays").glob("*.png"))
    if overlays:
        shutil.copyfile(overlays[len(overlays) // 2], folder / "overlay.png")
    else:
        (folder / "overlay.png").unlink(missing_ok=True)  # from an earlier run
    return sorted(path.name for path in folder.glob("*.png"))


def draw_pipeline(path: Path, stages: Stages) -> None:
    """Draw the stages in a row, the files that each writes, and arrows to the stages that read them.

    Args:
        path: The PNG file.
        stages: The section `stages` of dvc.yaml.
    """
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


def written(stage: Scores) -> list[str]:
    """The files that a stage of dvc.yaml writes."""
    outs = [*stage.get("outs", []), *stage.get("plots", []), *stage.get("metrics", [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in outs]


def edges(stages: Stages) -> list[tuple[int, int]]:
    """The dependencies between stages, without those that follow from others (the transitive reduction).

    Returns:
        Pairs of positions: the second stage reads a file that the first writes.
    """
    parts = list(stages.values())
    direct = {
        (first, second)
        for second, reader in enumerate(parts)
        for first, writer in enumerate(parts[:second])
        if set(written(writer)) & set(reader.get("deps", []))
    }
    after: dict[int, set[int]] = {}  # position → all positions that depend on it, also indirectly
    for first in reversed(range(len(parts))):
        own = {second for one, second in direct if one == first}
        after[first] = own.union(*(after[second] for second in own))
    return sorted(
        (first, second)
        for first, second in direct
        if not any(second in after[other] for one, other in direct if one == first)
    )


def draw_text(path: Path, lines: Sequence[str]) -> None:
    """Draw the lines of a table in a monospaced font.

    Args:
        path: The PNG file.
        lines: The lines.
    """
    figure = Figure(figsize=(9, 0.25 * len(lines) + 0.2))
    figure.text(0.02, 0.95, "\n".join(lines).replace("$", r"\$"), family="monospace", fontsize=11, va="top")
    save(figure, path)
