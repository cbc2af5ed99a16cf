"""Join members, models of the same classes, into one file: an ensemble, which averages their probabilities.

A MEMBER is an experiment or a Git revision, whose model is read from the cache of DVC, or a model file. Folds, seeds
and different encoders can be joined, 2 to 32 members. The file is used like that of a single model: by tools.predict,
tools.score, tools.export and tools.card.

Decisions (mirroring, temperature, threshold, post-processing) are fitted anew on validation images whose groups no
member was trained on. Without such images, as with folds or with model files, the defaults are used. The output says
how the decisions were made.
"""

import argparse
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.archive.ensemble import Ensemble
    from src.model.ensemble.sources import KnownImages, Source

EXAMPLES = """\
examples:
  python -m tools.ensemble main seed1 seed2                        three seeds of one setting
  python -m tools.ensemble fold0 fold1 fold2 fold3 fold4 --out models/folds.keras
  python -m tools.ensemble models/a.keras models/b.keras
"""
OUT = Path("models/ensemble.keras")


def main(given: argparse.Namespace) -> None:
    from src import params
    from src.archive.ensemble import write_ensemble
    from src.model.ensemble.sources import describe_ensemble, require_one_ensemble

    read = params.load()
    require_usable(given.member, given.out)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-ensemble-", dir=given.out.parent) as work:
        sources = read_sources(given.member, Path(work))
        require_one_ensemble(sources)
        from src.model.network.import_tensorflow import import_tensorflow_quietly

        import_tensorflow_quietly()
        from src.model.ensemble.decide import decide

        decided = decide(sources, read.train.decisions, read.seed)
        ensemble = describe_ensemble(sources, decided.decisions, decided.how)
        write_ensemble(given.out, ensemble, [source.path.read_bytes() for source in sources])
    print(written_text(given.out, sources, ensemble))


def require_usable(members: list[str], out: Path) -> None:
    """Check the number of members, the sizes of model files and the output before anything is read."""
    from src.archive.members import MOST_MODELS
    from src.errors import UserError, quoted, some
    from src.model.ensemble.limits import require_small
    from stages import MODEL

    if not 2 <= len(members) <= MOST_MODELS:
        raise UserError(f"an ensemble needs two or more members, at most {MOST_MODELS}; {len(members)} are named")
    if out.suffix != ".keras" or out.resolve() == MODEL.resolve():
        raise UserError(f"--out {out}: must end with .keras and not be {MODEL}, which the train stage writes")
    files = {name: Path(name) for name in members if is_file(name)}
    if replaced := [name for name, path in files.items() if path.resolve() == out.resolve()]:
        raise UserError(f"--out {quoted(str(out))}: is the file of a member: {some(replaced)}; name another file")
    require_small(files)


def is_file(name: str) -> bool:
    """Return whether a member is a model file. No file has a name that is too long for the file system."""
    try:
        return Path(name).is_file()
    except OSError:
        return False


def read_sources(names: list[str], work: Path) -> "list[Source]":
    """Read and check all members; `UserError` lists those that cannot be read."""
    from src.errors import UserError, listing
    from src.model.ensemble.sources import read_source

    sources: list[Source] = []
    problems = []
    for name in names:
        try:
            path, images = find_member(name, work, [source.images for source in sources if source.images])
            sources.append(read_source(name, path, images))
        except UserError as error:
            problems.append(str(error))
    if problems:
        remedy = "`dvc exp list` shows the experiments; `dvc exp pull REMOTE NAME` or `dvc pull` fetches their files"
        raise UserError(f"these members cannot be read; {remedy}\n{listing(problems)}")
    return sources


def find_member(name: str, work: Path, known: "list[KnownImages]") -> "tuple[Path, KnownImages | None]":
    """Find the model file of a member, and the images of its run if it is an experiment."""
    from src.errors import UserError
    from src.model.ensemble.sources import KnownImages
    from src.reproduction.history.trained_run import RunPaths, read_trained_run
    from stages import MODEL, PREPARED, SPLITS

    if is_file(name):
        return Path(name), None
    if Path(name).suffix == ".keras":
        raise UserError(f"{name}: no such file")
    paths = RunPaths(PurePosixPath(MODEL), PurePosixPath(SPLITS), PurePosixPath(PREPARED))
    found = read_trained_run(name, paths, work)
    try:
        return found.model, KnownImages.read(found.prepared, found.splits, known)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def written_text(path: Path, sources: "list[Source]", ensemble: "Ensemble") -> str:
    from src.report.text.ensemble import ensemble_text

    return ensemble_text(str(path), ensemble, [source.project for source in sources])


def arguments() -> argparse.ArgumentParser:
    ensemble = parser("ensemble", __doc__, EXAMPLES)
    member = "an experiment, a Git revision, or a model file"
    ensemble.add_argument("member", nargs="+", metavar="MEMBER", help=member)
    ensemble.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"default: {OUT}")
    return ensemble


if __name__ == "__main__":
    run(arguments(), main)
