"""plots/report.html: all that a run shows, in one file that needs nothing else and may be mailed.

Nothing in it changes between equal runs: no time, no host, no revision.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.data.store.subsets import FEWEST_GROUPS
from src.files import read_text
from src.report.figures.pictures import MOST_BYTES, read_pictures
from src.report.page import charts, tables
from src.report.page.gallery import gallery
from src.report.page.sources import Sources
from src.report.page.vega import inline, policy_hash, vega_script
from src.report.text.summary import averages, decisions, score_warnings

HTML = Path(__file__).parent / "html"  # the template, its style and its script


def report(sources: Sources, panels: int, most: int = MOST_BYTES) -> str:
    """The page. panels: pictures of each of the worst, middle and best images; more follow, up to `most` characters."""
    environment = Environment(
        loader=FileSystemLoader(HTML), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"as_is": Markup, "policy_hash": lambda script: Markup(policy_hash(script))}
    scripts = [vega_script(), inline(read_text(HTML / "report.js"))]
    style = Markup(read_text(HTML / "report.css"))
    content = _words(sources) | _tables(sources) | _charts(sources)
    content |= {"gallery": gallery(sources, panels, most), "augmentation": list(read_pictures(sources.augmentation))}
    return environment.get_template("report.html").render(scripts=scripts, style=style, **content)


def _words(sources: Sources) -> dict[str, Any]:
    train, test = sources.train, sources.test
    images = train["images"]
    training = (
        f"A U-Net with {train['parameters']:,} parameters, trained on {images['train']} images and validated on "
        f"{images['validation']}, in {train.get('precision', 'float32')}; kept is epoch {train['best_epoch']} of "
        f"{train['epochs']}, the dotted line."
    )
    return {
        "verdict": tables.verdict(test, sources.beside),
        "tiles": tables.tiles(test, sources.unit),
        "sentences": [
            averages(sources.store.dataset),
            *([sources.warning] if sources.warning else []),
            *score_warnings(test, "test images"),
        ],
        "training": training,
        "decided": " ".join(decisions(test)) or "No decision changes the plain network.",
        "unit": sources.unit,
        "fewest_groups": FEWEST_GROUPS,
    }


def _tables(sources: Sources) -> dict[str, Any]:
    return {
        "classes": tables.class_rows(sources.test, sources.classes),
        "history": tables.history_rows(sources.history),
        "confusion": tables.confusion_rows(sources.confusion),
        "splits": tables.split_rows(sources.shares),
        "split_words": tables.split_words(sources.splits),
        "findings": tables.finding_rows(sources.findings),
        "findings_words": tables.finding_words(sources.findings),
        "plan": tables.plan_rows(sources.project),
        "decisions": tables.decision_rows(sources.project, sources.train),
        "hashes": tables.hash_rows(sources.hashes),
        "parameters": tables.setting_rows(sources.settings),
        "versions": tables.version_rows(sources.versions),
    }


def _charts(sources: Sources) -> dict[str, Any]:
    """The specifications by name, and the names of the curves."""
    best, dataset = sources.train["best_epoch"], sources.store.dataset
    colours = dataset.class_colours
    curves = {name: charts.curve(sources.history, name, title, best) for name, title in charts.CURVES.items()}
    curves["lr"] = charts.rate(sources.history, best)
    colour: Mapping[str, Any] = sources.test.get("baseline", {}).get("classes", {})
    others = {
        "classes": charts.classes(sources.classes, colour),
        "confusion": charts.confusion(sources.confusion),
        "sizes": charts.sizes(sources.network, [dataset.names[label] for label in dataset.foreground], colours),
    }
    if sources.reliability:
        others["reliability"] = charts.reliability(sources.reliability, colours)
    return {"charts": curves | others, "curves": list(curves)}
