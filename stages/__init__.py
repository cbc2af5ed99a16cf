"""The stages of dvc.yaml: each reads parameters and files, calls src, and writes the declared outputs."""

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
PREDICTIONS = EVALUATION / "predictions.npz"
MODEL = Path("models/unet.keras")
METRICS = Path("metrics")
PLOTS = Path("plots")
HISTORY_TABLE = PLOTS / "history.csv"
LOGS = Path("logs")  # files that people can look at; they are no outputs
UP_TO_TRAINING = ("prepare", "split", "augment", "train")  # none of them starts if training would be refused


def run(name: str, doc: str | None, main: Callable[..., None]) -> None:
    """Run a stage and exit. A `UserError` becomes one message and exit status 1.

    No stage runs in a copy of the project (`dvc exp run --temp`, `--queue`) that lacks files of the data set.

    Args:
        name: Name of the stage.
        doc: Docstring of its module; it becomes the description of --help.
        main: Gets the parameters. It imports what it needs in its body, so that --help and a refused parameter answer
            at once.
    """
    argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        description=doc,
        epilog="Run from the root of the repository. Settings come from params.yaml; dvc repro runs all stages.",
    ).parse_args()
    from src import params
    from src.errors import UserError, describe_os_error
    from src.reproduction.workspace.untracked_files import stop_in_incomplete_copy

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: terminated"))  # cleans up like Ctrl-C
    try:
        settings = params.load()
        stop_in_incomplete_copy(settings.data.source)
        if name in UP_TO_TRAINING:
            params.check_weights(settings)
        main(settings)
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {describe_os_error(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")
