"""The stages of dvc.yaml: scripts that read params.yaml, call src, and write the declared outputs."""

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
    """Run a stage as a script: answer --help, read params.yaml, and print a `UserError` as one message with status 1.

    No stage runs in a copy of the project (`dvc exp run --temp`, `--queue`) that lacks files of the data set.

    Args:
        name: The module's name in `stages`.
        doc: The module's docstring, which --help shows.
        main: The stage. It gets the settings, and imports what it needs itself, so that --help and a refused setting
            answer at once.
    """
    argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        description=doc,
        epilog="Run from the root of the repository. Settings come from params.yaml; dvc repro runs all stages.",
    ).parse_args()
    from src import params
    from src.errors import UserError, describe_os_error
    from src.reproduction.workspace.untracked_files import stop_in_copy

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: terminated"))  # leaves no temporary files, like Ctrl-C
    try:
        settings = params.load()
        stop_in_copy(settings.data.source)
        main(settings)
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {describe_os_error(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")
