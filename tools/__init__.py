"""Tools for people, outside the DAG: thin scripts over src like the stages, with arguments instead of params.yaml."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.reproduction.history.experiments import RunFiles


def parser(name: str, doc: str | None, epilog: str | None = None) -> argparse.ArgumentParser:
    """The parser of `python -m tools.NAME`; the module's docstring is its description, with line breaks kept."""
    return argparse.ArgumentParser(
        prog=f"python -m tools.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=epilog,
    )


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], int | None]) -> None:
    """Run a tool as a script: answer --help, show a `UserError` as one message and exit with 1.

    main: gets the arguments; what it returns is the exit status, None for 0. It imports what it needs itself, so that
        --help and a mistyped argument answer at once.
    """
    arguments = parser.parse_args()
    name = parser.prog.rpartition(".")[2]
    from src.errors import UserError, describe_os_error

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: terminated"))  # leaves as Ctrl-C does: nothing behind
    try:
        sys.exit(main(arguments))
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {describe_os_error(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")


def run_files() -> "RunFiles":
    """Return where the stages of this project write the files of a run that `compare` and `summarize` read."""
    from src.data.source.dataset import NAME
    from src.reproduction.history.experiments import RunFiles
    from stages import PREPARED, SCORES

    return RunFiles(
        scores=PurePosixPath(SCORES), dataset=PurePosixPath(PREPARED / NAME), params=PurePosixPath("params.yaml")
    )
