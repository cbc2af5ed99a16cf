"""Write the model card: intended use, data, split, plan, scores with intervals, and where the model fails.

The card is made from the files of the last run. It names the Git revision and the hashes of data and model. Files that
do not belong to one run are refused. Commit the card with these files, then tag the version: docs/deploying.md.

With --ensemble, the card describes an ensemble: its members, and how its decisions were made.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.card
  python -m tools.card --use "Outlines of lakes in satellite images; responsible: Jane Doe." --licence "CC BY 4.0"
  python -m tools.card --ensemble models/ensemble.keras
"""
OUT = Path("models/MODEL_CARD.md")


def main(given: argparse.Namespace) -> None:
    from src.files import write_text

    if given.ensemble:
        out = given.out or given.ensemble.with_name(f"{given.ensemble.stem}_CARD.md")
        write_text(out, card_of_ensemble(given))
        print(out)
        return
    from src.report.card.card import model_card
    from src.report.card.sources import read_card_sources
    from stages.visualize import run_files

    out = given.out or OUT
    sources = read_card_sources(Path(), run_files(), out)
    write_text(out, model_card(sources, given.use, given.licence))
    print(f"{out}: {f'of Git revision {sources.commit}' if sources.commit else 'of files in no Git commit'}")
    for files, words in ((sources.uncommitted, "not committed"), (sources.changed, "changed since the run")):
        if files:
            print(f"{words}: {', '.join(map(repr, files))}")


def card_of_ensemble(given: argparse.Namespace) -> str:
    from src.archive.ensemble import EnsembleArchive, read_archive
    from src.errors import UserError
    from src.report.card.ensemble_card import ensemble_card

    found = read_archive(given.ensemble)
    if not isinstance(found, EnsembleArchive):
        raise UserError(
            f"{given.ensemble}: a single model, not an ensemble; its card is made from the files of its run"
        )
    return ensemble_card(given.ensemble, found, given.use, given.licence)


def arguments() -> argparse.ArgumentParser:
    card = parser("card", __doc__, EXAMPLES)
    card.add_argument("--use", metavar="TEXT", help="what the model is meant for, in Markdown")
    card.add_argument("--licence", metavar="TEXT", help="licence of the model, in Markdown")
    of_ensemble = "the file of an ensemble, whose card is written instead of that of the last run"
    card.add_argument("--ensemble", type=Path, metavar="FILE", help=of_ensemble)
    default = f"default: {OUT}; for an ensemble in the folder of its file"
    card.add_argument("--out", type=Path, metavar="FILE", help=default)
    return card


if __name__ == "__main__":
    run(arguments(), main)
