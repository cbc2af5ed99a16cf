"""Write the model card: intended use, data, split, plan, scores with intervals, and where the model fails.

The card is made from the files of the last run. It names the Git revision and the hashes of data and model. Files that
do not belong to one run are refused. Commit the card with these files, then tag the version: docs/deploying.md.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.card
  python -m tools.card --use "Outlines of lakes in satellite images; responsible: Jane Doe." --licence "CC BY 4.0"
"""
OUT = Path("models/MODEL_CARD.md")


def main(given: argparse.Namespace) -> None:
    from src.files import write_text
    from src.report.card.card import model_card
    from src.report.card.sources import read_card_sources
    from stages.visualize import run_files

    sources = read_card_sources(Path(), run_files(), given.out)
    write_text(given.out, model_card(sources, given.use, given.licence))
    print(f"{given.out}: {f'of Git revision {sources.commit}' if sources.commit else 'of files in no Git commit'}")
    for files, words in ((sources.uncommitted, "not committed"), (sources.changed, "changed since the run")):
        if files:
            print(f"{words}: {', '.join(map(repr, files))}")


def arguments() -> argparse.ArgumentParser:
    card = parser("card", __doc__, EXAMPLES)
    card.add_argument("--use", metavar="TEXT", help="what the model is meant for, in Markdown")
    card.add_argument("--licence", metavar="TEXT", help="licence of the model, in Markdown")
    card.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"default: {OUT}")
    return card


if __name__ == "__main__":
    run(arguments(), main)
