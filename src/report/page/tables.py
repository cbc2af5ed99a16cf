"""Which words and tables does the report page show? The first row of a table is its header. Nothing is escaped here."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from src.archive.project import Project
from src.data.source.dataset import SUBSETS
from src.files import flatten
from src.report.text.format import (
    ABSENT,
    Rows,
    Scores,
    class_interval,
    interval,
    interval_in_brackets,
    number,
    setting,
)

MOST_FINDINGS = 100  # findings that are shown
MOST_GROUPS = 12  # groups that are named
TITLES = {"dice": "mean Dice", "iou": "mean IoU", "surface_dice": "surface Dice", "object_f1": "object F1"}
TITLES["object_ap"] = "object AP, IoU 0.5 – 0.9"  # only where masks number their objects
VERDICTS = {
    "better": "The network is better than the colour of single pixels alone",
    "worse": "The network is worse than the colour of single pixels alone",
}
UNDECIDED = "These test images cannot tell whether the network is better than the colour of single pixels alone"
Table = list[list[str]]


def verdict_sentence(test: Scores, gain: Scores) -> str:
    """A sentence on how good the network is, and whether it is better than the colour baseline.

    Args:
        test: Content of metrics/test.json.
        gain: Difference between network and colour baseline, see src/evaluation/scoring/baseline_gain.py; may be empty.
    """
    if "mean" not in test.get("dice", {}):
        return f"No class can be scored on the {test['images']} test images."
    where = f"on {test['images']} test images in {test['groups']} group{'s' if test['groups'] != 1 else ''}"
    mean = f"mean Dice {number(test['dice']['mean'])}{interval_in_brackets(test['dice'])} {where}"
    if "difference" not in gain:
        return f"The network reaches {mean}."
    baseline = number(test.get("baseline", {}).get("dice", {}).get("mean"))
    difference = f"{gain['difference']:+.3f}{interval_in_brackets(gain, '+.3f')}"
    return f"{VERDICTS.get(gain['verdict'], UNDECIDED)}: {mean}, against {baseline}, a difference of {difference}."


def headline_scores(test: Scores, unit: str) -> list[dict[str, str]]:
    """The mean scores at the top of the page: title, value, interval, and the colour baseline's score.

    Args:
        test: Content of metrics/test.json; scores that it lacks are left out.
        unit: Unit of distances.
    """
    baseline = test.get("baseline", {})
    found = [_headline(title, test.get(name, {}), baseline.get(name, {})) for name, title in TITLES.items()]
    found.append(_headline(f"HD95 in {unit}", test.get("hd95", {}), {}, 1))
    accuracy, colour = ({"mean": scores["accuracy"]} if "accuracy" in scores else {} for scores in (test, baseline))
    found.append(_headline("pixel accuracy", accuracy, colour))
    return [one for one in found if one["value"] != ABSENT]


def _headline(title: str, scores: Scores, colour: Scores, digits: int = 3) -> dict[str, str]:
    bounds = interval(scores, f".{digits}f") if "low" in scores else ""
    baseline = f"colour alone: {number(colour['mean'], digits)}" if "mean" in colour else ""
    return {"title": title, "value": number(scores.get("mean"), digits), "interval": bounds, "baseline": baseline}


def class_rows(test: Scores, classes: Rows) -> Table:
    """A row of scores for each class.

    Args:
        test: Content of metrics/test.json.
        classes: Rows of classes.csv, which hold the intervals.
    """
    header = ["class", "Dice", "95 % interval", "colour alone", "IoU", "precision", "recall", "surface Dice", "HD95"]
    rows = [[*header, "pooled Dice", "images", "groups"]]
    for name, scores in test["classes"].items():
        alone = test.get("baseline", {}).get("classes", {}).get(name, {}).get("dice")
        row = [name, number(scores.get("dice")), interval(class_interval(classes, name, "dice")), number(alone)]
        row += [number(scores.get(key)) for key in ("iou", "precision", "recall", "surface_dice")]
        row += [number(scores.get("hd95"), 1), number(test.get("pooled", {}).get(name, {}).get("dice"))]
        rows.append([*row, str(scores.get("images", 0)), str(scores.get("groups", 0))])
    return rows


def history_rows(history: Rows) -> Table:
    """A row for each epoch; numbers have four significant digits."""
    header = list(history[0]) if history else ["epoch"]
    return [header, *([row["epoch"], *(f"{float(row[key]):.4g}" for key in header[1:])] for row in history)]


def confusion_rows(confusion: Rows) -> Table:
    """The confusion matrix in pixels, from the rows of confusion.csv: truth in rows, predictions in columns.

    For overlapping classes, there is a row and a column for each class and one for its absence.
    """
    names = list(dict.fromkeys(row["actual"] for row in confusion))
    pixels = {(row["actual"], row["predicted"]): int(row["pixels"]) for row in confusion}
    cells = {pair: f"{number:,}" for pair, number in pixels.items()}
    return [["", *names], *([one, *(cells.get((one, other), ABSENT) for other in names)] for one in names)]


def split_rows(shares: Rows) -> Table:
    """A row for each subset, from the rows of plots/splits.csv: images, groups and the share of each class."""
    names = list(dict.fromkeys(row["class"] for row in shares))
    share = {(row["subset"], row["class"]): f"{float(row['share']):.2%}" for row in shares if row["share"]}
    size = {row["subset"]: [row["images"], row["groups"]] for row in shares}
    rows = [[name, *numbers, *(share.get((name, one), ABSENT) for one in names)] for name, numbers in size.items()]
    return [["subset", "images", "groups", *names], *rows]


def split_sentence(splits: Rows) -> str:
    """A sentence on groups that are in more than one subset, from the rows of data/splits.csv."""
    places = {(row["group"], row["subset"]) for row in splits if row["subset"] in SUBSETS}
    shared = sorted(group for group, count in Counter(group for group, _ in places).items() if count > 1)
    if not shared:
        return "Images of one group are in one subset: no group is in two of them."
    more = " …" if len(shared) > MOST_GROUPS else ""
    return f"Groups in more than one subset: {', '.join(shared[:MOST_GROUPS])}{more}"


def finding_rows(findings: Rows) -> Table:
    """The first `MOST_FINDINGS` findings of the data set checks."""
    header = ["file", "severity", "what", "setting"]
    return [header, *([row[key] for key in header] for row in findings[:MOST_FINDINGS])]


def finding_sentence(findings: Rows, table: Path) -> str:
    """How many findings there are of each severity, and where all of them are listed.

    Args:
        findings: Rows of the table of the data set checks.
        table: Path of this table.
    """
    counts = Counter(row["severity"] for row in findings)
    summary = ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
    more = f" The first {MOST_FINDINGS} are:" if len(findings) > MOST_FINDINGS else ""
    return f"{summary}; all of them are in {table.as_posix()}.{more}"


def plan_rows(project: Project) -> Table:
    """A row for each planned setting: its value and the reason."""
    rows = [[key, str(planned.value), planned.why] for key, planned in project.plan.items()]
    return [["setting", "value", "reason"], *rows]


def decision_rows(project: Project, train: Scores) -> Table:
    """A row for each decision: its value, and its gain on the validation images.

    Args:
        project: The metadata of the model, with the values in force.
        train: Content of metrics/train.json, with the gains.
    """
    rows = [["", "in force", "gain in mean Dice", "95 % interval"]]
    for name, value in project.decision_values.items():
        tried = train.get("decisions", {}).get(name, {})
        gain = f"{tried['gain']:+.4f}" if "gain" in tried else "not tried"
        rows.append([name, setting(value), gain, interval(tried, "+.4f")])
    return rows


def hash_rows(hashes: Mapping[str, tuple[str, str]]) -> Table:
    """A row for each path: what the file is, and its MD5."""
    return [["file", "what", "MD5, as in dvc.lock"], *([path, what, md5] for path, (what, md5) in hashes.items())]


def setting_rows(settings: Scores) -> Table:
    """A row for each setting of params.yaml."""
    return [["setting", "value"], *([key, setting(value)] for key, value in flatten(settings).items())]


def version_rows(versions: Mapping[str, str]) -> Table:
    """A row for each package."""
    return [["package", "version"], *([name, version] for name, version in versions.items())]
