"""Is a revision reproducible? Runs it again in a temporary copy, and compares every file that it says it wrote.

First dvc.lock is held against the files of the commit: a stale lock, and committed metrics that are not those of the
run, are named at once. Then all stages run in the copy, whatever any cache holds. On the same hardware (and as many
cores) every file must have the hash that dvc.lock states; on other hardware what comes before training must, and the
scores must agree within tolerances. The repository, its workspace, cache and checkpoints are left alone.
"""

import argparse
from pathlib import Path

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.verify                                 what is committed, made on this machine
  python -m tools.verify slower                          a branch, a tag, a commit or an experiment
  python -m tools.verify HEAD --other-hardware --markdown verified.md
                                                         what was made elsewhere, for a pull request
  TMPDIR=/scratch python -m tools.verify                 with the copy, and all that it writes, there
"""


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError
    from src.files import write_text
    from src.report.text.verified import failure_text, verified_markdown, verified_text
    from src.reproduction.verify.tolerances import TOLERANCE
    from src.reproduction.verify.verify import verify

    if given.tolerance is not None and not (given.other_hardware and 0 <= given.tolerance <= 1):
        raise UserError("--tolerance is a number from 0 to 1, and goes with --other-hardware")
    tolerance = TOLERANCE if given.tolerance is None else given.tolerance
    verified = verify(given.revision, given.other_hardware, tolerance)
    print(verified_text(verified))
    if given.markdown:
        write_text(given.markdown, verified_markdown(verified))
    if verified.failures:
        raise UserError(failure_text(verified))


def arguments() -> argparse.ArgumentParser:
    verify = parser("verify", __doc__, EXAMPLES)
    verify.add_argument("revision", metavar="REV", nargs="?", default="HEAD", help="what to verify (default: HEAD)")
    other = "it was made on another machine: compare scores where training comes in, hashes before"
    verify.add_argument("--other-hardware", action="store_true", help=other)
    most = "how far mean Dice and IoU may be off there (default: 0.02; scores of single classes five times as far)"
    verify.add_argument("--tolerance", type=float, metavar="NUMBER", help=most)
    verify.add_argument("--markdown", type=Path, metavar="FILE", help="write it there for a pull request, too")
    return verify


if __name__ == "__main__":
    run(arguments(), main)
