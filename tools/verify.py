"""Is a revision reproducible? Run it again in a temporary copy, and compare all outputs with dvc.lock.

First, dvc.lock is compared with the files of the commit. A stale lock, and committed metrics of another run, are
reported at once. Then all stages run in the copy, without using any cache. On the same hardware, with the same number
of cores, all outputs must have the hashes in dvc.lock. On other hardware, only the outputs before training must; the
scores must agree within tolerances. The repository, its workspace, cache and checkpoints are not changed.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.verify                                 the current commit, made on this machine
  python -m tools.verify slower                          a branch, a tag, a commit or an experiment
  python -m tools.verify HEAD --other-hardware --markdown verified.md
                                                         made on another machine, for a pull request
  TMPDIR=/scratch python -m tools.verify                 write the copy and its outputs to /scratch
"""


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.files import write_text
    from src.report.text.verified import failure_text, verified_markdown, verified_text
    from src.reproduction.verify.tolerances import TOLERANCE
    from src.reproduction.verify.verify import verify

    if given.tolerance is not None and not (given.other_hardware and 0 <= given.tolerance <= 1):
        raise UserError("--tolerance needs a number from 0 to 1, and --other-hardware")
    tolerance = TOLERANCE if given.tolerance is None else given.tolerance
    verified = verify(given.revision, given.other_hardware, tolerance)
    print(verified_text(verified))
    if given.markdown:
        write_text(given.markdown, verified_markdown(verified))
    if verified.failures:
        raise UserError(failure_text(verified))


def arguments() -> argparse.ArgumentParser:
    verify = parser("verify", __doc__, EXAMPLES)
    verify.add_argument(
        "revision",
        metavar="REV",
        nargs="?",
        default="HEAD",
        help="Git revision or experiment to verify (default: HEAD)",
    )
    other = "the revision was made on another machine: compare hashes before training, and scores after it"
    verify.add_argument("--other-hardware", action="store_true", help=other)
    most = "with --other-hardware: largest difference of mean Dice and IoU (default: 0.02"
    most += "; five times as much for single classes)"
    verify.add_argument("--tolerance", type=float, metavar="NUMBER", help=most)
    verify.add_argument("--markdown", type=Path, metavar="FILE", help="also write it as Markdown, for a pull request")
    return verify


if __name__ == "__main__":
    run(arguments(), main)
