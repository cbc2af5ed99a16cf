"""Draw curves, test images beside their truth and a page of all there is; close with what was trained and how good."""

from pathlib import Path

from src.params import Params
from stages import METRICS, PLOTS, PREDICTIONS, PREPARED, SCORES, run


def main(params: Params) -> None:
    from src.data.store.store import Store
    from src.evaluation.scoring.baseline_gain import beside_colour
    from src.files import read_csv, read_json, write_text
    from src.report.figures.curves import draw_curves
    from src.report.figures.panels import draw_comparisons
    from src.report.page.document import report
    from src.report.page.sources import Sources
    from src.report.text.summary import averages, terminal_summary

    store, panels = Store(PREPARED), params.report.panels
    train, test = (read_json(METRICS / f"{name}.json") for name in ("train", "test"))
    draw_curves(PLOTS / "curves.png", PLOTS / "history.csv", train["best_epoch"])
    draw_comparisons(PLOTS / "overlays", store, SCORES, PREDICTIONS, panels)
    beside = beside_colour(read_csv(SCORES), store.dataset, params.evaluate.resamples, params.seed)
    sources = Sources.read(Path(), store, beside, params.model_dump())
    write_text(PLOTS / "report.html", report(sources, panels))
    warnings = [averages(store.dataset), *([sources.warning] if sources.warning else [])]
    print(terminal_summary(train, test, str(PLOTS / "report.html"), store.dataset.length_unit, warnings))


if __name__ == "__main__":
    run("visualize", __doc__, main)
