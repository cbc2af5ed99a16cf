"""Show trainings as plain text."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from src.errors import printable
from src.training_progress import TrainingProgress
from src.watch.trainings import WatchedTraining

LEVELS = "▁▂▃▄▅▆▇█"
CHART = 40  # characters of a curve and of the bar
MARGIN = 12  # characters before a line's content
SILENT = 120  # seconds without an update after which a line says so; a step takes less
ADVICE = "Start one with `dvc repro` or `dvc exp run`. `dvc exp show` lists the results."
CONTINUE = "run the same command again: training continues from its last checkpoint"
HELP = "after a killed `dvc exp run` first see docs/troubleshooting.md, {}"
HELP_PROJECT, HELP_COPY = HELP.format("A killed experiment"), HELP.format("A queue after a crash")


def overview(trainings: Sequence[WatchedTraining], root: Path, now: datetime) -> list[str]:
    """Describe the running trainings. If none is running, say so and describe the last ones.

    Args:
        trainings: All trainings of the project.
        root: The project.
        now: The time, with its time zone.

    Returns:
        Lines without line ends. Control characters in names and messages are escaped.
    """
    running = [training for training in trainings if training.running]
    blocks = [_training_text(training, root, now) for training in running or trainings]
    if not running:
        blocks.insert(0, [f"No training is running in {root}, nor in its experiments.", ADVICE])
    return [printable(line) for number, block in enumerate(blocks) for line in ([""] if number else []) + block]


def _training_text(training: WatchedTraining, root: Path, now: datetime) -> list[str]:
    """Describe one training; see `overview`."""
    progress = training.progress
    place = "" if training.project == root else f", in {_relative(training.project, root)}"
    counted = f"epoch {progress.epoch} of {progress.epochs}, step {progress.step:,} of {progress.steps:,}"
    lines = [_line(training.status, f"{counted}, process {progress.process}{place}")]
    lines += [_line("", text) for text in _status_lines(training, root, now)]
    if progress.loss is not None:
        lines.append(_line("loss", f"{progress.loss:<8.4f}{_span(training.losses)}"))
    if progress.val_dice is not None:
        lines.append(_line("val. Dice", f"{progress.val_dice:<8.4f}{sparkline(training.dice)}{_best(progress)}"))
    if progress.picture:
        lines.append(_line("picture", _relative(training.logs / progress.picture, root)))
    return lines


def _status_lines(training: WatchedTraining, root: Path, now: datetime) -> list[str]:
    """Describe the state of the training; if it does not run, the reason and how to continue."""
    progress, updated = training.progress, datetime.fromisoformat(training.progress.updated)
    if training.status == "done":
        return [f"ended {updated:%Y-%m-%d %H:%M}, after {duration(updated - datetime.fromisoformat(progress.started))}"]
    if training.status == "stopped":
        return [progress.message, *([CONTINUE] if progress.can_continue else [])]
    if training.status == "died":
        died = f"process {progress.process} was killed or has crashed; last update: {updated:%Y-%m-%d %H:%M:%S}"
        return [died, CONTINUE, HELP_PROJECT if training.project == root else HELP_COPY]
    return [_bar(progress), *([] if progress.state == "finishing" else _silence(now - updated))]


def _best(progress: TrainingProgress) -> str:
    if progress.best_val_dice is None or progress.best_epoch is None:
        return ""
    return f"  best {progress.best_val_dice:.4f} in epoch {progress.best_epoch}"


def _bar(progress: TrainingProgress) -> str:
    share = min(progress.step / progress.steps, 1)
    words = [f"{share:4.0%}"]
    if progress.state == "validating":
        words.append(f"validation image {progress.validated} of {progress.to_validate}")
    if progress.state == "finishing":
        words.append("fits the decisions and writes the results")
    elif progress.patches_per_second is not None:
        words.append(f"{progress.patches_per_second:.1f} patches/s")
    if progress.remaining_seconds is not None:
        words.append(f"about {duration(timedelta(seconds=progress.remaining_seconds))} left")
    filled = round(share * CHART)
    return f"{'█' * filled}{'░' * (CHART - filled)} {', '.join(words)}"


def _silence(time: timedelta) -> list[str]:
    if time.total_seconds() < SILENT:
        return []
    return [f"no update for {duration(time)}: the process exists, but is stopped, or a step or an image takes long"]


def _span(values: Sequence[float]) -> str:
    return f"{sparkline(values)}  from {values[0]:.4f}" if values else ""


def _line(title: str, text: str) -> str:
    return f"{title:<{MARGIN}}{text}".rstrip()


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def sparkline(values: Sequence[float], width: int = CHART) -> str:
    """Draw numbers as a line of blocks, from the lowest to the highest.

    Args:
        values: The numbers. If they are more than `width`, each block shows the mean of neighbours.
        width: Largest number of characters.
    """
    if not values:
        return ""
    parts = min(len(values), width)
    edges = [part * len(values) // parts for part in range(parts + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(means), max(means)
    shares = [(mean - low) / (high - low) if high > low else 0.0 for mean in means]
    return "".join(LEVELS[round(share * (len(LEVELS) - 1))] for share in shares)


def duration(time: timedelta) -> str:
    """Write a duration with its two largest units: 45 s, 3 min 20 s, 2 h 5 min."""
    seconds = round(time.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
