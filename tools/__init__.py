"""Command-line programs for people. Like the stages they are thin, but they are not part of the pipeline."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.reproduction.history.experiments import ExperimentFiles


def parser(name: str, doc: str | None, epilog: str | None = None) -> argparse.ArgumentParser:
    """Create the parser of `python -m tools.NAME`.

    Args:
        name: Name of the tool.
        doc: Docstring of its module; it becomes the description, line breaks included.
        epilog: Text below the list of options, such as examples.
    """
    return argparse.ArgumentParser(
        prog=f"python -m tools.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=epilog,
    )


def run(
    parser: argparse.ArgumentParser,
    main: Callable[[argparse.Namespace], int | None],
    problem: Callable[[argparse.Namespace], str] = lambda _: "",
) -> None:
    """Run a tool and exit. A `UserError` becomes one message and exit status 1.

    Args:
        parser: Parser of the tool's arguments.
        main: Gets the parsed arguments and returns the exit status, or None for 0. It imports what it needs in its
            body, so that --help and a wrong argument answer at once.
        problem: Says why arguments do not go together, which ends the program with exit status 2; "" if they do.
    """
    arguments = parser.parse_args()
    if message := problem(arguments):
        parser.error(message)
    name = parser.prog.rpartition(".")[2]
    from src.errors import UserError, describe_os_error

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: terminated"))  # cleans up like Ctrl-C
    try:
        sys.exit(main(arguments))
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except BrokenPipeError:  # the reader of the output, such as `head`, needs no more of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        sys.exit(f"{name}: {describe_os_error(error)}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")


def experiment_files() -> "ExperimentFiles":
    """Return where the stages of this project write the files of a run that `compare` and `summarize` read."""
    from src.data.source.dataset import NAME
    from src.reproduction.history.experiments import ExperimentFiles
    from stages import EVALUATION, PREPARED

    return ExperimentFiles(
        scores=PurePosixPath(EVALUATION / "scores.csv"),
        dataset=PurePosixPath(PREPARED / NAME),
        params=PurePosixPath("params.yaml"),
    )
