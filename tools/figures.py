"""Draw the figures of the documentation into plots/figures, from the last run: pipeline, scores, curves, overlay."""

import argparse
from pathlib import Path

from tools import parser, run

FOLDER, PLOTS, TEST = Path("plots/figures"), Path("plots"), Path("metrics/test.json")


def main(_: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.files import read_json, read_yaml
    from src.report.figures.figures import draw_figures

    if not TEST.exists() or not (PLOTS / "curves.png").exists():
        raise UserError(f"{TEST} or {PLOTS / 'curves.png'} is missing: run dvc repro")
    names = draw_figures(FOLDER, read_yaml(Path("dvc.yaml")), read_json(TEST), PLOTS)
    print(*(FOLDER / name for name in names), sep="\n")


if __name__ == "__main__":
    run(parser("figures", __doc__), main)
