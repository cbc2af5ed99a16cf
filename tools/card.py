"""Write models/MODEL_CARD.md: data and split, plan, scores with intervals, where the model fails, what it is for.

All of it comes from the files of the last run, and the card names the Git revision and the data that it was made from;
files that are not of one run are refused. Commit the card with them, then tag the version: docs/deploying.md.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.card
  python -m tools.card --use "Outlines of lakes in satellite images; Jane Doe answers for it." --licence "CC BY 4.0"
"""
OUT = Path("models/MODEL_CARD.md")


def main(given: argparse.Namespace) -> None:
    from src.files import write_text
    from src.report.card.card import Sources, card

    sources = Sources.read(Path(), given.out)
    write_text(given.out, card(sources, given.use, given.licence))
    print(f"{given.out}: of revision {sources.commit or 'none'}")
    for name, words in ((sources.uncommitted, "not committed"), (sources.changed, "changed since the run")):
        if name:
            print(f"{words}: {', '.join(map(repr, name))}")


def arguments() -> argparse.ArgumentParser:
    card = parser("card", __doc__, EXAMPLES)
    card.add_argument("--use", metavar="TEXT", help="what the model is meant for, in Markdown")
    card.add_argument("--licence", metavar="TEXT", help="the licence of the model, in Markdown")
    card.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"default: {OUT}")
    return card


if __name__ == "__main__":
    run(arguments(), main)
