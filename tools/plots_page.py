"""Write .dvc/plots/page.html, the template of `dvc plots show` and `dvc plots diff`.

Run it again after an update of vl-convert, whose scripts the template contains.
"""

import argparse
from pathlib import Path

from tools import parser, run

PAGE = Path(".dvc/plots/page.html")


def main(_: argparse.Namespace) -> None:
    from src.files import write_text
    from src.report.page.plots_page import plots_page

    write_text(PAGE, plots_page())
    print(PAGE)


if __name__ == "__main__":
    run(parser("plots_page", __doc__), main)
