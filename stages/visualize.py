"""Draw curves, test images beside their truth and a page of both; close with what was trained and how good it is."""

from src.params import Params
from stages import EVALUATION, METRICS, PLOTS, PREDICTIONS, PREPARED, SCORES, run


def main(params: Params) -> None:
    from src.data.store import Store
    from src.files import read_csv, read_json, write_text
    from src.report.curves import draw_curves
    from src.report.page import html_page, terminal_summary
    from src.report.panels import draw_comparisons

    store, panels = Store(PREPARED), params.report.panels
    train, test = (read_json(METRICS / f"{name}.json") for name in ("train", "test"))
    draw_curves(PLOTS / "curves.png", PLOTS / "history.csv", train["best_epoch"])
    kinds = draw_comparisons(PLOTS / "overlays", store, SCORES, PREDICTIONS, panels)
    pictures = {"Training": ["curves.png"]} | {f"Test images: {kind}": paths for kind, paths in kinds.items()}
    worst = [row for row in read_csv(EVALUATION / "worst.csv") if row["dice"]][:panels]
    unit = store.dataset.length_unit
    write_text(PLOTS / "report.html", html_page(train, test, pictures, worst, unit))
    print(terminal_summary(train, test, str(PLOTS / "report.html"), unit))


if __name__ == "__main__":
    run("visualize", __doc__, main)
