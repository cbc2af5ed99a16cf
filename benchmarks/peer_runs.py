"""Train on a data set for some minutes and write masks of its test images: with this project, and with a peer's script.

The peer is a script outside this project. It is called as

    PYTHON SCRIPT --data FOLDER --test LIST --minutes M --out FOLDER --classes K [--ignore VALUE] [--exclude LIST]

FOLDER holds images/ and masks/, and a list holds names of files without their suffix, one per line. It trains on all
pairs that are in neither list, and writes one mask NAME.png for each test image: of two classes foreground above 0,
else class indices. If its output holds “steps N”, that number is reported.
"""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mask_scores import Coding, files
from benchmarks.recipe import change
from src.data.source.dataset import Dataset
from src.errors import UserError
from src.files import read_csv, read_json, write_text

SHOWN = 15  # lines of the output of a program that failed


@dataclass(frozen=True)
class Task:
    """A data set that is prepared and split in a copy of this project.

    Attributes:
        project: folder of the copy.
        source: folder of the data set.
        coding: how its masks hold classes.
        test: names of the test images.
        validation: names of the validation images.
        params: content of the copy's params.yaml before any training.
    """

    project: Path
    source: Path
    coding: Coding
    test: Sequence[str]
    validation: Sequence[str]
    params: str

    @classmethod
    def of(cls, project: Path, source: Path) -> "Task":
        """Read the task from a project whose stages `prepare` and `split` have run."""
        from src.data.store.store import Store
        from stages import PREPARED, SPLITS

        rows = read_csv(project / SPLITS)
        test, validation = ([row["id"] for row in rows if row["subset"] == name] for name in ("test", "validation"))
        coding = coding_of(Store(project / PREPARED).dataset)
        return cls(project, source, coding, test, validation, (project / "params.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        masks: folder of the predicted test masks.
        steps: None if the program does not say.
        planning: seconds before training, start of the program included.
        training: seconds of training, start of the program included; of the peer also of its predictions.
        plan: what planning printed.
    """

    masks: Path
    steps: int | None
    planning: float
    training: float
    plan: str = ""


@dataclass(frozen=True)
class Finished:
    """What a program printed, and how many seconds it ran."""

    output: str
    seconds: float


@dataclass(frozen=True)
class Peer:
    """The peer's script and its Python, both absolute, and whether it also trains on our validation images."""

    script: Path
    python: str
    uses_validation: bool


def coding_of(dataset: Dataset) -> Coding:
    """How the masks of a data set hold classes; `UserError` if a peer would not understand them."""
    values, classes = list(dataset.classes), len(dataset.names)
    if values[:1] != [0] or (classes > 2 and values != list(range(classes))):
        raise UserError(f"the masks hold {values}: a peer reads 0 and more for two classes, or class indices from 0")
    ignored = dataset.ignore if isinstance(dataset.ignore, int) else None
    return Coding(classes, ignored, dataset.background_index)


def train_ours(task: Task, minutes: float, seed: int) -> Trained:
    """Plan for a time, train, and predict the test images.

    Args:
        task: the data set.
        minutes: for planning and training.
        seed: of the training; the split stays as it is.
    """
    write_text(task.project / "params.yaml", task.params)
    change(task.project / "params.yaml", {"seed": seed})
    tool = [sys.executable, "-m"]
    planning = run_program([*tool, "tools.plan", "--minutes", str(minutes)], task.project)
    training = run_program([*tool, "stages.train"], task.project)
    images, chosen, out = files(task.source / "images"), task.project / "test-images.txt", f"predicted-{seed}"
    write_text(chosen, "".join(f"{images[name]}\n" for name in task.test))
    run_program([*tool, "tools.predict", chosen.name, "--out", out], task.project)
    steps = read_json(task.project / "metrics/train.json")["plan"]["train.steps"]
    return Trained(task.project / out / "masks", int(steps), planning.seconds, training.seconds, planning.output)


def train_peer(task: Task, minutes: float, seed: int, peer: Peer) -> Trained:
    """Run the peer's script, which trains and predicts. It chooses its own seed.

    Args:
        task: the data set.
        minutes: for training.
        seed: only names the folder of the masks.
        peer: the script.
    """
    lists = {"test": task.test} | ({} if peer.uses_validation else {"exclude": task.validation})
    out = task.project / f"peer-{seed}"
    options: dict[str, Path | float] = {
        "data": task.source,
        "minutes": minutes,
        "out": out,
        "classes": task.coding.classes,
    }
    if task.coding.ignored is not None:
        options["ignore"] = task.coding.ignored
    for name, chosen in lists.items():
        options[name] = file = task.project / f"peer-{name}.txt"
        write_text(file, "".join(f"{one}\n" for one in chosen))
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    finished = run_program([peer.python, str(peer.script), *words], task.project)
    steps = re.findall(r"\bsteps (\d+)", finished.output)
    return Trained(out, int(steps[-1]) if steps else None, 0.0, finished.seconds)


def run_program(command: Sequence[str], folder: Path) -> Finished:
    """Run a program in a folder; `UserError` with the end of its output if it fails."""
    started = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.perf_counter() - started
    if ran.returncode:
        end = "\n".join(ran.stdout.splitlines()[-SHOWN:])
        raise UserError(f"{' '.join(command[:3])} failed with status {ran.returncode}:\n{end}")
    return Finished(ran.stdout, seconds)
