"""Of a model card: scores, calibration, decisions, and where the model fails."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from src.archive.project import Project
from src.data.store.store import Store
from src.data.store.subsets import FEWEST_GROUPS
from src.report.text.markdown import Cells, code, markdown_table, names, prose
from src.report.text.summary import decisions, measured, number

MOST_WORST = 5  # images that are shown
LOWEST = 3  # classes that are named for their low scores
Rows = Sequence[Mapping[str, str]]
Scores = Mapping[str, Any]


def scores_section(test: Scores, classes: Rows, unit: str, warning: str = "") -> str:
    """Headlines and a table of the mean and each class; classes: rows of classes.csv; unit: of distances.

    warning: what limits the intervals, see src/data/splits/split_warnings.py.
    """
    header = ["", "Dice", "95 % interval", "colour alone", "IoU", "95 % interval", "surface Dice", "HD95"]
    header += ["pooled Dice", "images", "groups"]
    rows = [_mean_row(test), *(_class_row(test, name, classes) for name in test["classes"])]
    notes = (
        "Means over the images that hold the class, in truth or prediction; the mean is over the classes marked “in "
        "means” above that the test images hold. Intervals are over groups of images. “Colour alone” is the Dice of a "
        "classifier that sees single pixels: what the network adds is the difference. Pooled: counts of all images "
        "added first."
    )
    lines = [*measured(test, unit, "test images"), *_largest(test)]
    bold = [f"**{prose(warning)}**"] if warning else []
    return "\n\n".join([prose(" ".join(lines)), *bold, markdown_table(header, rows), notes])


def _mean_row(test: Scores) -> Cells:
    dice, iou = test.get("dice", {}), test.get("iou", {})
    baseline = test.get("baseline", {}).get("dice", {})
    cells = [number(dice.get("mean")), between(dice), number(baseline.get("mean")), number(iou.get("mean"))]
    cells += [between(iou), number(test.get("surface_dice", {}).get("mean"))]
    cells += [number(test.get("hd95", {}).get("mean"), 1), "–", str(test["images"]), str(test["groups"])]
    return ["mean", *cells]


def _class_row(test: Scores, name: str, classes: Rows) -> Cells:
    scores, colour = test["classes"][name], test.get("baseline", {}).get("classes", {}).get(name, {})
    row = [code(name), number(scores.get("dice")), between(_interval(classes, name, "dice"))]
    row += [number(colour.get("dice")), number(scores.get("iou")), between(_interval(classes, name, "iou"))]
    row += [number(scores.get("surface_dice")), number(scores.get("hd95"), 1)]
    row.append(number(test.get("pooled", {}).get(name, {}).get("dice")))
    return [*row, str(scores.get("images", 0)), str(scores.get("groups", 0))]


def _interval(classes: Rows, name: str, measure: str) -> dict[str, float]:
    """The interval of a class, empty if there is none."""
    for row in classes:
        if (row["class"], row["measure"]) == (name, measure) and row["low"]:
            return {"low": float(row["low"]), "high": float(row["high"])}
    return {}


def between(bounds: Mapping[str, float]) -> str:
    """An interval as `0.553 – 0.722`, or a dash."""
    return f"{bounds['low']:.3f} – {bounds['high']:.3f}" if "low" in bounds else "–"


def _largest(test: Scores) -> list[str]:
    shares = test.get("baseline", {}).get("largest_class", {})
    return [
        f"Answering {name} everywhere would be right on {share:.1%} of the pixels." for name, share in shares.items()
    ]


def calibration_section(test: Scores) -> str:
    found = test.get("calibration", {})
    if not found:
        return "Not measured."
    names_of = {"ece": "expected calibration error of the likeliest class (15 bins)", "brier": "Brier score"}
    rows = [[words, number(found.get(key)), number(found.get(f"{key}_undecided"))] for key, words in names_of.items()]
    told = "Whether probabilities mean what they say, over all test pixels; 0 is best."
    return f"{told}\n\n{markdown_table(['', 'with the decisions', 'without'], rows)}"


def decisions_section(project: Project, train: Scores, test: Scores) -> str:
    """What is in force, and what was tried on the validation images."""
    tried, changed = train.get("decisions", {}), project.decisions.model_dump(exclude_defaults=True)
    rows = [
        [code(name), _shown(value), "yes" if name in changed else "no", *_gained(tried.get(name, {}))]
        for name, value in project.decisions.model_dump().items()
    ]
    header = ["", "in force", "other than usual", "gain in validation", "95 % interval"]
    said = decisions(test) or ["No decision changes the plain network."]
    return f"{prose(' '.join(said))}\n\n{markdown_table(header, rows)}"


def _gained(tried: Mapping[str, float]) -> Cells:
    gain = f"{tried['gain']:+.4f}" if "gain" in tried else "–"
    return [gain, f"{tried['low']:+.4f} – {tried['high']:+.4f}" if "low" in tried else "–"]


def _shown(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}"


def failures_section(test: Scores, worst: Rows, store: Store, splits: Rows) -> str:
    """The weakest classes, false alarms, the worst images with what is unusual about them, and what was not tested."""
    parts = [
        "\n".join(f"- {line}" for line in [*_weakest(test, store), *_alarms(test), *_untested(test, store, splits)])
    ]
    scored = [row for row in worst if row["dice"]]
    if scored:
        rows = [
            [code(row["id"]), number(float(row["dice"])), code(row["worst_class"]), prose(row["reasons"])]
            for row in scored[:MOST_WORST]
        ]
        table = markdown_table(["image", "mean Dice", "worst class", "what is unusual about it"], rows, left=4)
        parts.append(f"The worst of {len(scored)} test images; all are in `data/evaluation/worst.csv`:\n\n{table}")
    return "\n\n".join(parts)


def _weakest(test: Scores, store: Store) -> list[str]:
    """The foreground classes with the lowest Dice, if there are several."""
    own = [store.dataset.names[index] for index in store.dataset.foreground]
    dice = {name: test["classes"].get(name, {}).get("dice") for name in own}
    known = sorted((score, name) for name, score in dice.items() if score is not None)
    if len(known) < 2:
        return []
    return ["Lowest Dice: " + ", ".join(f"{code(name)} {score:.3f}" for score, name in known[:LOWEST]) + "."]


def _alarms(test: Scores) -> list[str]:
    return [
        f"False alarms: {code(name)} on {found['false_alarms']} of {found['images']} test images without it, on "
        f"{100 * found['area']:.2g} % of their pixels in the mean."
        for name, found in test.get("empty", {}).items()
        if found.get("false_alarms")
    ]


def _untested(test: Scores, store: Store, splits: Rows) -> list[str]:
    """What the scores say nothing of, or little."""
    lines = []
    for subset, words in (
        ("test", "Not tested: no test image holds"),
        ("train", "Not trained: no training image holds"),
    ):
        own = [store.position[row["id"]] for row in splits if row["subset"] == subset]
        pixels = np.array([store.records[index].pixels for index in own]).reshape(len(own), -1).sum(axis=0)
        absent = [name for name, found in zip(store.dataset.names, pixels, strict=True) if not found] if own else []
        lines += [f"{words} {names(absent)}."] if absent else []
    few = [name for name, scores in test["classes"].items() if 0 < scores.get("groups", FEWEST_GROUPS) < FEWEST_GROUPS]
    lines += (
        [f"Tested in fewer than {FEWEST_GROUPS} groups, too few to tell how much it varies: {names(few)}."]
        if few
        else []
    )
    if test.get("left_out"):
        lines.append(f"Boundaries and objects of {test['left_out']} test images above 64 megapixels were not scored.")
    return [*lines, "Not tested: images of other sources, devices or times than those of the data set."]
