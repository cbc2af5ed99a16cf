"""How is plots/report.html written? As one file that shows the whole run, needs no other file, and can be mailed.

It holds no time, host or revision, so that equal runs give equal pages.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.data.store.subsets import FEWEST_GROUPS
from src.files import read_text
from src.report.figures.pictures import MOST_BYTES, read_pictures
from src.report.page import charts, tables
from src.report.page.gallery import make_gallery
from src.report.page.sources import PageSources
from src.report.page.vega import inline, policy_hash, vega_script
from src.report.text.summary import Wording, averages, decisions, score_warnings, training_sentence

HTML = Path(__file__).parent / "html"  # the template, its style and its script
Content = dict[str, object]  # name in the template → what it shows


def report_page(sources: PageSources, panels: int, most: int = MOST_BYTES) -> str:
    """Write the page.

    Args:
        sources: Content of the run's files.
        panels: Number of pictures for each of the worst, middle and best test images. More images follow while there
            is room.
        most: Largest number of characters of all pictures together.
    """
    environment = Environment(
        loader=FileSystemLoader(HTML), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"as_is": Markup, "policy_hash": lambda script: Markup(policy_hash(script))}
    scripts = [vega_script(), inline(read_text(HTML / "report.js"))]
    style = Markup(read_text(HTML / "report.css"))
    content = _words(sources) | _tables(sources) | _charts(sources)
    content["gallery"] = make_gallery(sources, panels, most)
    content["augmentation"] = list(read_pictures(sources.augmentation))
    return environment.get_template("report.html").render(scripts=scripts, style=style, **content)


def _words(sources: PageSources) -> Content:
    train, test = sources.train, sources.test
    warnings = [sources.warning] if sources.warning else []
    return {
        "verdict": tables.verdict_sentence(test, sources.gain),
        "headlines": tables.headline_scores(test, sources.unit),
        "sentences": [averages(sources.store.dataset), *warnings, *score_warnings(test, Wording("test images"))],
        "training": f"{training_sentence(train, precision=True)} The dotted line marks this epoch.",
        "decided": " ".join(decisions(test)) or "No decision changes the plain network.",
        "unit": sources.unit,
        "fewest_groups": FEWEST_GROUPS,
    }


def _tables(sources: PageSources) -> Content:
    return {
        "classes": tables.class_rows(sources.test, sources.classes),
        "history": tables.history_rows(sources.history),
        "confusion": tables.confusion_rows(sources.confusion),
        "splits": tables.split_rows(sources.shares),
        "split_words": tables.split_sentence(sources.splits),
        "findings": tables.finding_rows(sources.findings),
        "findings_words": tables.finding_sentence(sources.findings, sources.files.checks),
        "plan": tables.plan_rows(sources.project),
        "decisions": tables.decision_rows(sources.project, sources.train),
        "hashes": tables.hash_rows(sources.hashes),
        "parameters": tables.setting_rows(sources.settings),
        "versions": tables.version_rows(sources.versions),
    }


def _charts(sources: PageSources) -> Content:
    """The chart specifications by name, and the names of the curves."""
    best, dataset = sources.train["best_epoch"], sources.store.dataset
    colours = dataset.class_colours
    curves = {name: charts.curve(sources.history, name, title, best) for name, title in charts.CURVES.items()}
    curves["lr"] = charts.learning_rate(sources.history, best)
    baseline = sources.test.get("baseline", {}).get("classes", {})
    others = {
        "classes": charts.classes(sources.classes, baseline),
        "confusion": charts.confusion(sources.confusion),
        "sizes": charts.sizes(sources.network, [dataset.names[label] for label in dataset.foreground], colours),
    }
    if sources.reliability:
        others["reliability"] = charts.reliability(sources.reliability, colours)
    return {"charts": curves | others, "curves": list(curves)}
