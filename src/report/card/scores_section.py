"""What does the model card say about quality? Scores, calibration, decisions, and where the model fails."""

import numpy as np

from src.archive.project import Project
from src.data.store.store import Store
from src.data.store.subsets import FEWEST_GROUPS
from src.report.run.run_results import RunResults
from src.report.text.format import ABSENT, Rows, Scores, class_interval, interval, number, setting
from src.report.text.markdown import Cells, code, markdown_table, names, prose
from src.report.text.summary import Wording, decisions, false_alarms, largest_class, left_out, measured

MOST_WORST = 5  # images that are listed
LOWEST = 3  # classes that are named for their low scores
IMAGES = "test images"


def scores_section(results: RunResults) -> str:
    """Write the mean scores, and a table of the mean and each class."""
    test, wording = results.test, Wording(IMAGES, results.store.dataset.length_unit)
    header = ["", "Dice", "95 % interval", "colour alone", "IoU", "95 % interval", "surface Dice", "HD95"]
    header += ["pooled Dice", "images", "groups"]
    rows = [_mean_row(test), *(_class_row(test, name, results.classes) for name in test["classes"])]
    notes = (
        "Scores are means over the images that hold the class in truth or prediction. The mean is over the classes "
        "marked “in means” above that the test images hold. Intervals are over groups of images. “Colour alone” is the "
        "Dice of a classifier that sees the colour of single pixels. For pooled Dice, the pixel counts of all images "
        "are added first."
    )
    lines = [*measured(test, wording), *largest_class(test, wording)]
    warning = [f"**{prose(results.warning)}**"] if results.warning else []
    return "\n\n".join([prose(" ".join(lines)), *warning, markdown_table(header, rows), notes])


def _mean_row(test: Scores) -> Cells:
    dice, iou = test.get("dice", {}), test.get("iou", {})
    baseline = test.get("baseline", {}).get("dice", {})
    cells = [number(dice.get("mean")), interval(dice), number(baseline.get("mean")), number(iou.get("mean"))]
    cells += [interval(iou), number(test.get("surface_dice", {}).get("mean"))]
    cells += [number(test.get("hd95", {}).get("mean"), 1), ABSENT, str(test["images"]), str(test["groups"])]
    return ["mean", *cells]


def _class_row(test: Scores, name: str, classes: Rows) -> Cells:
    scores, colour = test["classes"][name], test.get("baseline", {}).get("classes", {}).get(name, {})
    row = [code(name), number(scores.get("dice")), interval(class_interval(classes, name, "dice"))]
    row += [number(colour.get("dice")), number(scores.get("iou")), interval(class_interval(classes, name, "iou"))]
    row += [number(scores.get("surface_dice")), number(scores.get("hd95"), 1)]
    row.append(number(test.get("pooled", {}).get(name, {}).get("dice")))
    return [*row, str(scores.get("images", 0)), str(scores.get("groups", 0))]


def calibration_section(project: Project, test: Scores) -> str:
    """Write the calibration error and the Brier score.

    Args:
        project: The metadata of the model.
        test: Content of metrics/test.json.
    """
    found = test.get("calibration", {})
    if not found:
        return "Not measured."
    which = ", mean over the classes" if project.overlap else " of the likeliest class"
    titles = {"ece": f"expected calibration error{which} (15 bins)", "brier": "Brier score"}
    rows = [[title, number(found.get(key)), number(found.get(f"{key}_undecided"))] for key, title in titles.items()]
    meaning = "How well the probabilities agree with the frequencies, over all test pixels; 0 is best."
    return f"{meaning}\n\n{markdown_table(['', 'with the decisions', 'without'], rows)}"


def decisions_section(project: Project, train: Scores, test: Scores) -> str:
    """Write the decisions in force, and their gain on the validation images.

    Args:
        project: The metadata of the model, with the values in force.
        train: Content of metrics/train.json, with the gains.
        test: Content of metrics/test.json.
    """
    tried, default = train.get("decisions", {}), project.default_values
    rows = [
        [code(name), setting(value), "no" if value == default[name] else "yes", *_gained(tried.get(name, {}))]
        for name, value in project.decision_values.items()
    ]
    header = ["", "in force", "differs from the default", "gain in validation", "95 % interval"]
    sentences = decisions(test) or ["No decision changes the plain network."]
    return f"{prose(' '.join(sentences))}\n\n{markdown_table(header, rows)}"


def _gained(tried: Scores) -> Cells:
    return [f"{tried['gain']:+.4f}" if "gain" in tried else ABSENT, interval(tried, "+.4f")]


def failures_section(results: RunResults) -> str:
    """Write the weakest classes, the false alarms, what was not tested, and the images with the lowest Dice."""
    test, wording = results.test, Wording(IMAGES, name=code)
    found = {name: empty for name, empty in test.get("empty", {}).items() if empty.get("false_alarms")}
    lines = [*_weakest(test, results.store), *false_alarms({**test, "empty": found}, wording)]
    lines += [*_not_tested(results), *left_out(test, wording)]
    lines.append("Not tested: images of other sources, devices or times than those of the data set.")
    parts = ["\n".join(f"- {line}" for line in lines)]
    scored = [row for row in results.worst if row["dice"]]
    if scored:
        rows = [
            [code(row["id"]), number(float(row["dice"])), code(row["worst_class"]), prose(row["reasons"])]
            for row in scored[:MOST_WORST]
        ]
        table = markdown_table(["image", "mean Dice", "worst class", "what is unusual about it"], rows, left=4)
        path = results.files.worst.as_posix()
        parts.append(f"The worst of {len(scored)} test images; all are in `{path}`:\n\n{table}")
    return "\n\n".join(parts)


def _weakest(test: Scores, store: Store) -> list[str]:
    """Name the foreground classes with the lowest Dice, if there are several."""
    foreground = [store.dataset.names[index] for index in store.dataset.foreground]
    dice = {name: test["classes"].get(name, {}).get("dice") for name in foreground}
    known = sorted((value, name) for name, value in dice.items() if value is not None)
    if len(known) < 2:
        return []
    return ["Lowest Dice: " + ", ".join(f"{code(name)} {value:.3f}" for value, name in known[:LOWEST]) + "."]


def _not_tested(results: RunResults) -> list[str]:
    """Name the classes that no test or training image holds, and those tested in few groups."""
    test, store, lines = results.test, results.store, []
    for subset, words in (
        ("test", "Not tested: no test image holds"),
        ("train", "Not trained: no training image holds"),
    ):
        own = [store.position[row["id"]] for row in results.splits if row["subset"] == subset]
        pixels = np.array([store.records[index].pixels for index in own]).reshape(len(own), -1).sum(axis=0)
        absent = [name for name, count in zip(store.dataset.names, pixels, strict=True) if not count] if own else []
        lines += [f"{words} {names(absent)}."] if absent else []
    groups = {name: scores.get("groups", 0) for name, scores in test["classes"].items()}
    if few := [name for name, count in groups.items() if 0 < count < FEWEST_GROUPS]:
        lines.append(f"Tested in fewer than {FEWEST_GROUPS} groups, too few for an interval: {names(few)}.")
    return lines
