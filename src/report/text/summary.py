"""What was trained and how good it is, in words and small tables; the closing words in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.data.source.dataset import Dataset
from src.data.store.subsets import FEWEST_GROUPS


def score(measure: Mapping[str, float], digits: int = 3) -> str:
    """A mean with its interval in words: `0.812 (95 % interval 0.790 – 0.831)`."""
    if "mean" not in measure:
        return "not to be told (no image counts for it)"
    text = f"{measure['mean']:.{digits}f}"
    if "low" not in measure:
        return f"{text} (no interval: a class counts in fewer than {FEWEST_GROUPS} groups, or all groups score alike)"
    return f"{text} (95 % interval {measure['low']:.{digits}f} – {measure['high']:.{digits}f})"


def number(value: float | None, digits: int = 3) -> str:
    """Some decimals, or a dash for what cannot be told."""
    return "–" if value is None else f"{value:.{digits}f}"


def class_table(test: Mapping[str, Any]) -> list[list[str]]:
    """Header, and a row for each class; beside its Dice the colour classifier's, where that was scored, too."""
    colour = test.get("baseline")
    beside, pooled = (["colour alone"], ["colour pooled"]) if colour else ([], [])
    rows = [["class", "Dice", *beside, "IoU", "surface Dice", "HD95", "pooled Dice", *pooled, "images"]]
    for name, scores in test["classes"].items():
        alone, added = (
            [number(colour.get(kind, {}).get(name, {}).get("dice"))] if colour else [] for kind in ("classes", "pooled")
        )
        row = [name, number(scores.get("dice")), *alone, number(scores.get("iou")), number(scores.get("surface_dice"))]
        row += [number(scores.get("hd95"), 1), number(test.get("pooled", {}).get(name, {}).get("dice")), *added]
        rows.append([*row, str(scores["images"])])
    return rows


def averages(dataset: Dataset) -> str:
    """A sentence on which class the averages over classes exclude."""
    if dataset.background_index is None:
        return f"Averages are over all {len(dataset.names)} classes: none of them is the background."
    return f"Averages over classes exclude the background, {dataset.names[dataset.background_index]!r}."


def sentences(
    train: Mapping[str, Any], test: Mapping[str, Any], unit: str = "pixels", warnings: Sequence[str] = ()
) -> list[str]:
    """What was trained and how good it is, a line each; unit: of distances; warnings: see `measured`."""
    images, baseline = train["images"], test.get("baseline", {})
    lines = [
        f"U-Net with {train['parameters']:,} parameters, trained on {images['train']} images and validated on "
        f"{images['validation']}; kept is epoch {train['best_epoch']} of {train['epochs']}.",
        *measured(test, unit, "test images", warnings),
    ]
    if "mean" in baseline.get("dice", {}):
        lines.append(f"The colour of a pixel alone reaches mean Dice {number(baseline['dice']['mean'])}.")
    return [*lines, *_largest(test), *decisions(test)]


def measured(test: Mapping[str, Any], unit: str, what: str = "images", warnings: Sequence[str] = ()) -> list[str]:
    """How good it is, a line for each of regions, boundaries and false alarms; unit: of distances; what: was scored.

    warnings: what a reader of the headline needs to know; they follow it.
    """
    groups = f"{test['groups']} group{'s' if test['groups'] != 1 else ''}"
    lines = [
        f"On {test['images']} {what} in {groups}, mean Dice {score(test.get('dice', {}))},",
        f"mean IoU {score(test.get('iou', {}))}, pixel accuracy {number(test.get('accuracy'))}.",
    ]
    lines += [*warnings, *_untested(test, what), *_few(test)]
    if "mean" in test.get("surface_dice", {}):
        lines.append(f"Boundaries: surface Dice {score(test['surface_dice'])},")
        lines.append(f"95 % Hausdorff distance {score(test.get('hd95', {}), 1)} {unit}.")
    return [*lines, *_left_out(test, what), *_alarms(test, what)]


def score_warnings(test: Mapping[str, Any], what: str) -> list[str]:
    """What the headline scores do not show, a line each; what: was scored."""
    return [*_untested(test, what), *_few(test), *_left_out(test, what), *_alarms(test, what), *_largest(test)]


def _few(test: Mapping[str, Any]) -> list[str]:
    if "low" in test.get("dice", {}):
        return []
    groups = {name: scores.get("groups", 0) for name, scores in test["classes"].items() if name not in _absent(test)}
    few = ", ".join(f"{name} in {held}" for name, held in groups.items() if 0 < held < FEWEST_GROUPS)
    return [f"Too few groups for intervals of such means: {few}; {FEWEST_GROUPS} are needed."] if few else []


def _untested(test: Mapping[str, Any], what: str) -> list[str]:
    absent = _absent(test)
    return [f"None of the {what} holds {', '.join(absent)}: left out of the means."] if absent else []


def _absent(test: Mapping[str, Any]) -> list[str]:
    """The foreground classes that no image holds."""
    return [name for name, found in test.get("empty", {}).items() if found["images"] == test["images"]]


def _left_out(test: Mapping[str, Any], what: str) -> list[str]:
    if not test.get("left_out"):
        return []
    return [f"Boundaries and objects leave out {test['left_out']} {what} of more than 64 megapixels."]


def _alarms(test: Mapping[str, Any], what: str) -> list[str]:
    alarms = [
        f"{name} on {found['false_alarms']} of {found['images']}" for name, found in test.get("empty", {}).items()
    ]
    return [f"False alarms on {what} without the class: {', '.join(alarms)}."] if alarms else []


def _largest(test: Mapping[str, Any]) -> list[str]:
    shares = test.get("baseline", {}).get("largest_class", {})
    return [
        f"Answering {name} everywhere would be right on {share:.1%} of the pixels." for name, share in shares.items()
    ]


def decisions(test: Mapping[str, Any]) -> list[str]:
    """What was decided on validation images, and what that brought on the test images; nothing if nothing was."""
    decided = dict(test.get("decisions", {}))
    gained, calibration = decided.pop("dice", {}), test.get("calibration", {})
    if not decided:
        return []
    named = ", ".join(f"{name} {value:.4g}" for name, value in decided.items())
    between = f" ({gained['low']:+.3f} – {gained['high']:+.3f})" if "low" in gained else ""
    changes = [f"mean Dice by {gained['gain']:+.3f}{between}"] if "gain" in gained else []
    before, after = (number(calibration.get(name)) for name in ("ece_undecided", "ece"))
    changes.append(f"the calibration error from {before} to {after}")
    return [f"Added to the plain network: {named}; on the test images that changes {', '.join(changes)}."]


def terminal_summary(
    train: Mapping[str, Any],
    test: Mapping[str, Any],
    page: str,
    unit: str = "pixels",
    warnings: Sequence[str] = (),
) -> str:
    """The closing words of a run; unit: of distances; warnings: see `measured`."""
    lines = [
        "",
        *sentences(train, test, unit, warnings),
        "",
        *aligned(class_table(test)),
        "",
        f"Look at it: {page}",
        "",
    ]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text: columns as wide as their widest cell, the first one set left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return ["  ".join(line) for line in cells]
