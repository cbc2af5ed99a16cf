"""Tools for people, thin scripts over src beside the pipeline: arguments in, one or two calls, words or a file out."""

import argparse
import sys
from collections.abc import Callable


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> None:
    """Parse the arguments and call `main` with them; show a `UserError` as one message and exit with 1.

    A tool imports what it needs inside `main`, so that --help and a wrong argument answer at once.
    """
    arguments = parser.parse_args()
    from src.errors import UserError

    name = parser.prog.rpartition(".")[2]
    try:
        main(arguments)
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted")
