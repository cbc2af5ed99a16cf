"""The report's words and tables: rows of text, the first of them the header. Nothing is escaped here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from src.archive.project import Project
from src.data.source.dataset import SUBSETS
from src.files import flatten
from src.report.text.summary import number

MOST_FOUND = 100  # findings that are shown
TITLES = {"dice": "mean Dice", "iou": "mean IoU", "surface_dice": "surface Dice", "object_f1": "object F1"}
SAID = {
    "better": "The network is better than the colour of single pixels alone",
    "worse": "The network is worse than the colour of single pixels alone",
}
UNTOLD = "These test images cannot tell whether the network is better than the colour of single pixels alone"
Rows = Sequence[Mapping[str, str]]
Table = list[list[str]]
Scores = Mapping[str, Any]


def verdict(test: Scores, beside: Scores) -> str:
    """One sentence: how good it is, and whether that is more than colour alone. beside: see evaluation/beside.py."""
    if "mean" not in test.get("dice", {}):
        return f"No class can be scored on the {test['images']} test images."
    where = f"on {test['images']} test images in {test['groups']} group{'s' if test['groups'] != 1 else ''}"
    mean = f"mean Dice {number(test['dice']['mean'])}{between(test['dice'])} {where}"
    if "difference" not in beside:
        return f"The network reaches {mean}."
    other = number(test.get("baseline", {}).get("dice", {}).get("mean"))
    gain = f"{beside['difference']:+.3f}{between(beside, '+.3f')}"
    return f"{SAID.get(beside['verdict'], UNTOLD)}: {mean}, against {other}, a difference of {gain}."


def between(bounds: Scores, form: str = ".3f") -> str:
    """An interval in brackets; nothing if there is none."""
    return f" (95 % interval {bounds['low']:{form}} – {bounds['high']:{form}})" if "low" in bounds else ""


def tiles(test: Scores, unit: str) -> list[dict[str, str]]:
    """The headline scores: what, value, interval, and what colour alone reaches."""
    baseline = test.get("baseline", {})
    found = [_tile(title, test.get(name, {}), baseline.get(name, {})) for name, title in TITLES.items()]
    found.append(_tile(f"HD95 in {unit}", test.get("hd95", {}), {}, 1))
    accuracy, colour = ({"mean": scores["accuracy"]} if "accuracy" in scores else {} for scores in (test, baseline))
    return [tile for tile in [*found, _tile("pixel accuracy", accuracy, colour)] if tile["value"] != "–"]


def _tile(what: str, scores: Scores, colour: Scores, digits: int = 3) -> dict[str, str]:
    bounds = f"{scores['low']:.{digits}f} – {scores['high']:.{digits}f}" if "low" in scores else ""
    beside = f"colour alone: {number(colour['mean'], digits)}" if "mean" in colour else ""
    return {"what": what, "value": number(scores.get("mean"), digits), "interval": bounds, "beside": beside}


def class_rows(test: Scores, classes: Rows) -> Table:
    """Each class with its scores; classes: rows of classes.csv, which hold the intervals."""
    bounds = {(row["class"], row["measure"]): row for row in classes}
    header = ["class", "Dice", "95 % interval", "colour alone", "IoU", "precision", "recall", "surface Dice", "HD95"]
    rows = [[*header, "pooled Dice", "images", "groups"]]
    for name, scores in test["classes"].items():
        found = bounds.get((name, "dice"), {})
        interval = f"{float(found['low']):.3f} – {float(found['high']):.3f}" if found.get("low") else "–"
        alone = test.get("baseline", {}).get("classes", {}).get(name, {}).get("dice")
        row = [name, number(scores.get("dice")), interval, number(alone)]
        row += [number(scores.get(key)) for key in ("iou", "precision", "recall", "surface_dice")]
        row += [number(scores.get("hd95"), 1), number(test.get("pooled", {}).get(name, {}).get("dice"))]
        rows.append([*row, str(scores.get("images", 0)), str(scores.get("groups", 0))])
    return rows


def history_rows(history: Rows) -> Table:
    """The epochs with four digits of each number."""
    header = list(history[0]) if history else ["epoch"]
    return [header, *([row["epoch"], *(f"{float(row[key]):.4g}" for key in header[1:])] for row in history)]


def confusion_rows(confusion: Rows) -> Table:
    """Truth in rows, predictions in columns; confusion: rows of confusion.csv."""
    names = list(dict.fromkeys(row["actual"] for row in confusion))
    pixels = {(row["actual"], row["predicted"]): int(row["pixels"]) for row in confusion}
    return [["", *names], *([one, *(f"{pixels[one, other]:,}" for other in names)] for one in names)]


def split_rows(shares: Rows) -> Table:
    """Each subset with its images and groups, and the share of each class in it; shares: rows of plots/splits.csv."""
    names = list(dict.fromkeys(row["class"] for row in shares))
    share = {(row["subset"], row["class"]): f"{float(row['share']):.2%}" for row in shares if row["share"]}
    size = {row["subset"]: [row["images"], row["groups"]] for row in shares}
    rows = [[name, *numbers, *(share.get((name, one), "–") for one in names)] for name, numbers in size.items()]
    return [["subset", "images", "groups", *names], *rows]


def split_words(splits: Rows) -> str:
    """Whether a group is in two subsets; splits: rows of data/splits.csv."""
    places = {(row["group"], row["subset"]) for row in splits if row["subset"] in SUBSETS}
    shared = sorted(group for group, many in Counter(group for group, _ in places).items() if many > 1)
    if not shared:
        return "Images of one group are in one subset: no group is in two of them."
    return f"Groups in more than one subset: {', '.join(shared[:12])}{' …' if len(shared) > 12 else ''}"


def finding_rows(findings: Rows) -> Table:
    header = ["file", "severity", "what", "setting"]
    return [header, *([row[key] for key in header] for row in findings[:MOST_FOUND])]


def finding_words(findings: Rows) -> str:
    counts = Counter(row["severity"] for row in findings)
    told = ", ".join(f"{name}: {many:,}" for name, many in sorted(counts.items()))
    more = f" The first {MOST_FOUND} are:" if len(findings) > MOST_FOUND else ""
    return f"{told}; all of them in data/checks.csv.{more}"


def plan_rows(project: Project) -> Table:
    rows = [[key, str(setting.value), setting.why] for key, setting in project.plan.items()]
    return [["setting", "value", "reason"], *rows]


def decision_rows(project: Project, train: Scores) -> Table:
    """What is in force, and what it gained in validation."""
    rows = [["", "in force", "gain in mean Dice", "95 % interval"]]
    for name, value in project.decisions.model_dump().items():
        tried = train.get("decisions", {}).get(name, {})
        gain = f"{tried['gain']:+.4f}" if "gain" in tried else "not tried"
        bounds = f"{tried['low']:+.4f} – {tried['high']:+.4f}" if "low" in tried else "–"
        rows.append([name, _shown(value), gain, bounds])
    return rows


def hash_rows(hashes: Mapping[str, tuple[str, str]]) -> Table:
    return [["file", "what", "MD5, as in dvc.lock"], *([path, what, md5] for path, (what, md5) in hashes.items())]


def setting_rows(settings: Scores) -> Table:
    return [["setting", "value"], *([key, _shown(value)] for key, value in flatten(settings).items())]


def version_rows(versions: Mapping[str, str]) -> Table:
    return [["package", "version"], *([name, version] for name, version in versions.items())]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
