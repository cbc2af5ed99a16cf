"""The stages of dvc.yaml, thin scripts over src: parameters in, one or two calls, files out."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PREPARED = Path("data/prepared")
CHECKS = Path("data/checks.csv")
SHEET = Path("data/contact-sheet.png")
SPLITS = Path("data/splits.csv")
EVALUATION = Path("data/evaluation")
SCORES = EVALUATION / "scores.csv"
PREDICTIONS = EVALUATION / "predictions.npz"
MODEL = Path("models/unet.keras")
METRICS = Path("metrics")
PLOTS = Path("plots")


def run(name: str, doc: str | None, main: Callable[..., None]) -> None:
    """Run a stage as a script: answer --help, read params.yaml, show a `UserError` as one message and exit with 1.

    In a copy of the project (`dvc exp run --temp`, `--queue`) that lacks files of the data set no stage runs.

    A stage imports what it needs inside `main`, so that --help and a refused parameter answer at once.
    """
    argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        description=doc,
        epilog="Run from the root of the repository. Settings come from params.yaml; dvc repro runs all stages.",
    ).parse_args()
    from src import params
    from src.errors import UserError, of_system
    from src.reproduction.workspace.untracked_files import stop_in_incomplete_copy

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: terminated"))  # leaves as Ctrl-C does: nothing behind
    try:
        settings = params.load()
        stop_in_incomplete_copy(settings.data.source)
        main(settings)
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {of_system(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")
