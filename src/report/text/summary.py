"""What was trained, and how good is it? Sentences for the terminal, the report page and the model card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from src.data.source.dataset import Dataset
from src.data.store.subsets import FEWEST_GROUPS
from src.evaluation.metrics.limits import LARGEST
from src.report.text.format import Scores, aligned, interval, interval_in_brackets, number


@dataclass(frozen=True)
class Wording:
    """How scores are put into words.

    Attributes:
        images: What was scored, in the plural: "images", "test images".
        unit: Unit of distances.
        warnings: Sentences that follow the mean scores and limit what they say, such as a split warning.
        name: Writes the name of a class, for example as code in Markdown.
    """

    images: str = "images"
    unit: str = "pixels"
    warnings: Sequence[str] = ()
    name: Callable[[str], str] = str


def score(measure: Mapping[str, float], digits: int = 3) -> str:
    """Write a mean with its interval: `0.812 (95 % interval 0.790 – 0.831)`.

    Args:
        measure: An object with the keys `mean`, `low` and `high`; all may be missing.
        digits: Number of decimals.
    """
    if "mean" not in measure:
        return "n/a (no image counts for it)"
    mean = number(measure["mean"], digits)
    if "low" not in measure:
        return f"{mean} (no interval: a class counts in fewer than {FEWEST_GROUPS} groups, or all groups score alike)"
    return mean + interval_in_brackets(measure, f".{digits}f")


def class_table(test: Scores) -> list[list[str]]:
    """A header, and a row for each class; with the colour baseline's Dice if that was scored.

    Args:
        test: Scores as in metrics/test.json or in scores.json of tools.score.
    """
    colour = test.get("baseline")
    alone_title, pooled_title = (["colour alone"], ["colour pooled"]) if colour else ([], [])
    rows = [["class", "Dice", *alone_title, "IoU", "surface Dice", "HD95", "pooled Dice", *pooled_title, "images"]]
    for name, scores in test["classes"].items():
        alone, pooled = (
            [number(colour.get(kind, {}).get(name, {}).get("dice"))] if colour else [] for kind in ("classes", "pooled")
        )
        row = [name, number(scores.get("dice")), *alone, number(scores.get("iou")), number(scores.get("surface_dice"))]
        row += [number(scores.get("hd95"), 1), number(test.get("pooled", {}).get(name, {}).get("dice")), *pooled]
        rows.append([*row, str(scores["images"])])
    return rows


def averages(dataset: Dataset) -> str:
    """A sentence that names the class that averages exclude."""
    if dataset.overlap:
        return f"Averages are over all {len(dataset.names)} classes, which may overlap."
    if dataset.background_index is None:
        return f"Averages are over all {len(dataset.names)} classes: none of them is the background."
    return f"Averages over classes exclude the background, {dataset.names[dataset.background_index]!r}."


def training_sentence(train: Scores, precision: bool = False) -> str:
    """A sentence on the network, its training images and the epoch whose weights were kept.

    Args:
        train: Content of metrics/train.json.
        precision: Name the number type of the computation, too.
    """
    images = train["images"]
    computed = f" in {train.get('precision', 'float32')}" if precision else ""
    after, by = train.get("shortened_after"), train.get("shortened_by")
    shortened = f" The training was shortened after step {after:,} by {by}." if after else ""
    return (
        f"U-Net with {train['parameters']:,} parameters, trained{computed} on {images['train']} images and validated "
        f"on {images['validation']}; the weights of epoch {train['best_epoch']} of {train['epochs']} were kept."
        f"{shortened}"
    )


def measured(test: Scores, wording: Wording) -> list[str]:
    """Sentences on the mean scores, boundaries and false alarms, each on a line.

    Args:
        test: Scores as in metrics/test.json or in scores.json of tools.score.
        wording: What was scored, the unit of distances, and warnings.
    """
    groups = f"{test['groups']} group{'s' if test['groups'] != 1 else ''}"
    lines = [
        f"On {test['images']} {wording.images} in {groups}, mean Dice {score(test.get('dice', {}))},",
        f"mean IoU {score(test.get('iou', {}))}, pixel accuracy {number(test.get('accuracy'))}.",
    ]
    lines += [*wording.warnings, *absent_classes(test, wording), *few_groups(test)]
    if "mean" in test.get("surface_dice", {}):
        lines.append(f"Boundaries: surface Dice {score(test['surface_dice'])},")
        lines.append(f"95 % Hausdorff distance {score(test.get('hd95', {}), 1)} {wording.unit}.")
    return [*lines, *numbered_objects(test), *left_out(test, wording), *false_alarms(test, wording)]


def numbered_objects(test: Scores) -> list[str]:
    """Sentences on the scores of objects, where the masks number them, each on a line."""
    if "mean" not in test.get("object_ap", {}):
        return []
    return [
        f"Objects, against the numbers of the masks: F1 {score(test.get('object_f1', {}))},",
        f"AP at an IoU of 0.5 to 0.9 {score(test['object_ap'])}.",
    ]


def score_warnings(test: Scores, wording: Wording) -> list[str]:
    """Sentences on what the mean scores do not show.

    Args:
        test: Content of metrics/test.json.
        wording: What was scored.
    """
    return [
        *absent_classes(test, wording),
        *few_groups(test),
        *left_out(test, wording),
        *false_alarms(test, wording),
        *largest_class(test, wording),
    ]


def few_groups(test: Scores) -> list[str]:
    """Name the classes that count in too few groups for an interval; nothing if the mean Dice has an interval."""
    if "low" in test.get("dice", {}):
        return []
    groups = {name: scores.get("groups", 0) for name, scores in test["classes"].items() if name not in _absent(test)}
    few = ", ".join(f"{name} in {count}" for name, count in groups.items() if 0 < count < FEWEST_GROUPS)
    return [f"Too few groups for an interval: {few}; it needs {FEWEST_GROUPS} groups."] if few else []


def absent_classes(test: Scores, wording: Wording) -> list[str]:
    """Name the foreground classes that no image holds.

    Args:
        test: Content of metrics/test.json.
        wording: What was scored, and how a class is named.
    """
    absent = ", ".join(map(wording.name, _absent(test)))
    return [f"None of the {wording.images} holds {absent}: left out of the means."] if absent else []


def _absent(test: Scores) -> list[str]:
    return [name for name, counts in test.get("empty", {}).items() if counts["images"] == test["images"]]


def left_out(test: Scores, wording: Wording) -> list[str]:
    """Count the images that are too large for scores of boundaries and objects.

    Args:
        test: Content of metrics/test.json.
        wording: What was scored.
    """
    if not test.get("left_out"):
        return []
    size = f"more than {LARGEST // 10**6} megapixels"
    return [f"Boundaries and objects leave out {test['left_out']} {wording.images} of {size}."]


def false_alarms(test: Scores, wording: Wording) -> list[str]:
    """Count the images in which a class was predicted although the truth does not hold it.

    Args:
        test: Content of metrics/test.json.
        wording: What was scored, and how a class is named.
    """
    counts = [
        f"{wording.name(name)} on {found['false_alarms']} of {found['images']}{_mean_area(found)}"
        for name, found in test.get("empty", {}).items()
    ]
    return [f"False alarms on {wording.images} without the class: {', '.join(counts)}."] if counts else []


def _mean_area(found: Mapping[str, float]) -> str:
    """The share of such an image's pixels that is predicted as the class."""
    return f" ({100 * found['area']:.2g} % of their pixels)" if found.get("false_alarms") and "area" in found else ""


def largest_class(test: Scores, wording: Wording) -> list[str]:
    """The pixel accuracy of a constant answer: the class with the most training pixels.

    Args:
        test: Content of metrics/test.json.
        wording: How a class is named.
    """
    shares = test.get("baseline", {}).get("largest_class", {})
    return [
        f"Answering {wording.name(name)} everywhere would be right on {share:.1%} of the pixels."
        for name, share in shares.items()
    ]


def decisions(test: Scores) -> list[str]:
    """A sentence on the decisions made on validation images, and their effect on the test images; nothing without any.

    Args:
        test: Content of metrics/test.json.
    """
    decided = dict(test.get("decisions", {}))
    gained, calibration = decided.pop("dice", {}), test.get("calibration", {})
    if not decided:
        return []
    named = ", ".join(f"{name} {value:.4g}" for name, value in decided.items())
    bounds = f" ({interval(gained, '+.3f')})" if "low" in gained else ""
    changes = [f"mean Dice by {gained['gain']:+.3f}{bounds}"] if "gain" in gained else []
    before, after = (number(calibration.get(name)) for name in ("ece_undecided", "ece"))
    changes.append(f"the calibration error from {before} to {after}")
    return [f"Added to the plain network: {named}; on the test images that changes {', '.join(changes)}."]


def terminal_summary(train: Scores, test: Scores, page: str, wording: Wording) -> str:
    """The closing lines of `dvc repro`.

    Args:
        train: Content of metrics/train.json.
        test: Content of metrics/test.json.
        page: Path of the report page.
        wording: What was scored, the unit of distances, and warnings.
    """
    lines = ["", training_sentence(train), *measured(test, wording)]
    baseline = test.get("baseline", {}).get("dice", {})
    if "mean" in baseline:
        lines.append(f"The colour of a pixel alone reaches mean Dice {number(baseline['mean'])}.")
    lines += [*largest_class(test, wording), *decisions(test), "", *aligned(class_table(test))]
    return "\n".join([*lines, "", f"Look at it: {page}", ""])
