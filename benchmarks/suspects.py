"""Plant errors in the masks of a data set, and measure how well tools.suspects finds them.

Errors of five kinds (src/suspects/judge.py) are planted in a share of the training and validation masks of `nuclei` and
`vessels`, or of `outlines`, which is made. Each planting has its own seed. Networks are trained on the masks with their
errors, as tools.suspects does. The output is, for each set:

- the number of planted errors among the first ten of each planting, beside the largest that is possible;
- for each kind of error, the area under the ROC curve of the score: masks with that error against masks without any,
  pooled over all plantings; the number of such masks; and the share of them whose reason is right.

Finished folds are kept in .dvc/tmp/suspects, so the same command continues an interrupted run.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.learning_curve import pairs
from benchmarks.planting import KINDS, plant
from benchmarks.recipe import ROOT, make_project, stage
from tools import parser, run
from tools.learning_curve import count, positive, share
from tools.suspects import fold_count

if TYPE_CHECKING:
    from src.suspects.ranking import Suspect

EXAMPLES = """examples:
  python -m benchmarks.suspects                                   3 folds, trained as long as the plan says, 5 plantings
  python -m benchmarks.suspects --sets vessels --minutes 10 --plantings 2
  python -m benchmarks.suspects --folds 2 --steps 300
"""
SETS = ["nuclei", "vessels", "outlines"]
FIRST = 10  # masks that a person looks at


@dataclass(frozen=True)
class Ranked:
    """A planting and the ranking of its masks.

    Attributes:
        planted: Image → kind of its error; without an entry it has none.
        suspects: The ranking.
        images: All judged images.
    """

    planted: dict[str, str]
    suspects: "Sequence[Suspect]"
    images: list[str]

    def score(self, image: str) -> float:
        return next((one.score for one in self.suspects if one.id == image), 0.0)

    def reason(self, image: str) -> str:
        return next((one.error.kind for one in self.suspects if one.id == image), "")


def main(arguments: argparse.Namespace) -> None:
    """Plant, train and rank on every set; print the tables."""
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    for name in arguments.sets:
        found = [ranked(name, seed, arguments) for seed in range(arguments.plantings)]
        for seed, one in enumerate(found):
            first = [suspect.id for suspect in one.suspects[:FIRST]]
            hits, most = sum(image in one.planted for image in first), min(len(one.planted), FIRST)
            print(f"{name} | planting {seed} | {hits} of the first {FIRST} are planted, {most} are possible")
        for kind in KINDS:
            print(f"{name} | {kind} | {kind_line(found, kind)}", flush=True)


def kind_line(found: Sequence[Ranked], kind: str) -> str:
    """Write the area under the ROC curve, the number of masks and the share of right reasons of a kind of error."""
    own = [(one.score(image), one.reason(image)) for one in found for image, has in one.planted.items() if has == kind]
    clean = [one.score(image) for one in found for image in one.images if image not in one.planted]
    if not own:
        return "none planted"
    right = sum(reason == kind for _, reason in own) / len(own)
    return f"AUC {area([score for score, _ in own], clean):.3f} | {len(own)} masks | reason right {right:.2f}"


def area(own: Sequence[float], others: Sequence[float]) -> float:
    """Compute the area under the ROC curve: the share of pairs in which `own` is larger; ties count half."""
    one, other = np.array(own)[:, None], np.array(others)[None, :]
    return float(((one > other) + 0.5 * (one == other)).mean())


def ranked(name: str, seed: int, arguments: argparse.Namespace) -> Ranked:
    """Plant errors in a prepared copy of a data set, train the folds, and rank the masks."""
    from src import params
    from src.data.store.store import Store
    from src.suspects.find_suspects import find_suspects
    from src.suspects.predictions import Predictions
    from stages import PREPARED, SPLITS
    from tools.suspects import fold_task, predicted

    with tempfile.TemporaryDirectory() as work:
        project = make_project(Path(work), name, dict(arguments.settings), False)
        planted = plant_in(project, arguments.share, seed)
        read = params.load(project / "params.yaml")
        task = fold_task(arguments, read, Store(project / PREPARED), project / SPLITS, ROOT)
        with Predictions(task.folds, predicted(task, arguments.minutes)) as predictions:
            suspects = find_suspects(task.folds, predictions)
        images = [record.id for fold in task.folds for record in fold.held_out.records]
    return Ranked({image: kind for image, kind in planted.items() if image in images}, suspects, images)


def plant_in(project: Path, share: float, seed: int) -> dict[str, str]:
    """Plant errors in the prepared masks that are not tested; returns image → kind.

    Prepared masks are changed rather than files, since the checks of prepare would name some of the errors.
    """
    from src.data.store.store import MASKS, Store, write_index
    from src.files import read_csv
    from stages import PREPARED, SPLITS

    store = Store(project / PREPARED)
    tested = {row["id"] for row in read_csv(project / SPLITS) if row["subset"] == "test"}
    masks = {one.id: store.mask(index).copy() for index, one in enumerate(store.records) if one.id not in tested}
    planted = plant({name: mask for name, mask in masks.items() if mask.any()}, share, seed)
    content, records = np.fromfile(store.folder / MASKS, np.uint8), list(store.records)
    for name, (_, mask) in planted.items():
        index = store.position[name]
        start = records[index].mask_at
        content[start : start + mask.size] = mask.ravel()
        records[index] = replace(records[index], pixels=np.bincount(mask.ravel(), minlength=2).tolist())
    content.tofile(store.folder / MASKS)
    write_index(store.folder, store.dtype, records)
    stage(project, "stages.split")  # classes are spread evenly, so their counts matter
    return {name: kind for name, (kind, _) in planted.items()}


if __name__ == "__main__":
    arguments = parser("suspects", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.suspects"
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=SETS[:2], help="default: nuclei vessels")
    arguments.add_argument("--plantings", type=count, default=5, metavar="N", help="of each set; default: 5")
    arguments.add_argument("--share", type=share, default=0.1, metavar="S", help="of masks with an error; default: 0.1")
    arguments.add_argument("--folds", type=fold_count, default=3, metavar="K", help="default: 3")
    length = arguments.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, metavar="M", help="for the trainings of a planting together")
    length.add_argument("--steps", type=count, metavar="N", help="of each training; default: those of the plan")
    arguments.add_argument("--settings", nargs="+", type=pairs, default=[], metavar="KEY=VALUE", help="of params.yaml")
    run(arguments, main)
