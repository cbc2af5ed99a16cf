"""Draw the curves and test images, write the report page, and print a summary of the run."""

from typing import TYPE_CHECKING

from src.params import Params
from stages import CHECKS, EVALUATION, METRICS, MODEL, PLOTS, PREPARED, SPLITS, run

if TYPE_CHECKING:
    from src.report.run.run_files import RunFiles


def main(params: Params) -> None:
    from src.evaluation.scoring.baseline_gain import gain_over_colour
    from src.evaluation.scoring.methods import NETWORK
    from src.files import read_csv, write_text
    from src.report.figures.curves import draw_curves
    from src.report.figures.panels import draw_comparisons
    from src.report.page.document import report_page
    from src.report.page.sources import read_page_sources
    from src.report.run.run_results import read_results
    from src.report.text.summary import Wording, averages, terminal_summary

    files = run_files()
    results, panels, page = read_results(files), params.report.panels, PLOTS / "report.html"
    dataset = results.store.dataset
    draw_curves(PLOTS / "curves.png", files.history, results.train["best_epoch"])
    draw_comparisons(PLOTS / "overlays", results.store, files.scores, files.predictions, panels, method=NETWORK)
    gain = gain_over_colour(read_csv(files.scores), dataset, params.evaluate.resamples, params.seed)
    sources = read_page_sources(results, gain, params.model_dump())
    write_text(page, report_page(sources, panels))
    warnings = [averages(dataset), *([results.warning] if results.warning else [])]
    wording = Wording("test images", dataset.length_unit, warnings)
    print(terminal_summary(results.train, results.test, str(page), wording))


def run_files() -> "RunFiles":
    """Where the stages write the files of a run."""
    from src.report.run.run_files import RunFiles

    return RunFiles(
        prepared=PREPARED,
        checks=CHECKS,
        splits=SPLITS,
        evaluation=EVALUATION,
        model=MODEL,
        metrics=METRICS,
        plots=PLOTS,
    )


if __name__ == "__main__":
    run("visualize", __doc__, main)
