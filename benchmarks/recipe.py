"""Train and score on whole data sets, as the pipeline does, with settings changed for each trial; a table of the Dice.

A trial is a name and settings, as `name KEY=VALUE …`; without any it is params.yaml as it stands. The data sets are
`nuclei`, `vessels` and `street` of the folder that SEG_DATASETS names, each with its official lists, the bundled
sample, and `outlines` and `borders`, which are made (see outlines.py). The score is mean Dice as in metrics/test.json,
at the images' own resolution. With --validation it is that of the validation images in the last epoch, and no test
image is read; use it to choose between trials.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.outlines import make
from src.errors import UserError
from src.files import parse_yaml, read_csv, read_json, read_yaml, write_yaml
from tools import parser, run

ROOT = Path(__file__).parent.parent
SAMPLE = "blue-marble"
MADE = {"outlines": {}, "borders": {"classes": {0: "background", 1: "inside", 2: "border"}, "background": "background"}}
SETS = ["nuclei", "vessels", "street", SAMPLE, *MADE]
GROUPS = {"vessels": r"Image_(\d+)"}  # both eyes of one child
EXAMPLES = """examples:
  python -m benchmarks.recipe --minutes 5 --seeds 0 1 2
  python -m benchmarks.recipe --validation --trial "as it is" --trial "no supervision" train.supervision=0
"""


def main(arguments: argparse.Namespace) -> None:
    """Run every trial on every set and seed; print a line for each, then the means."""
    trials = [(words[0], dict(map(setting, words[1:]))) for words in arguments.trial] or [("params.yaml", {})]
    for (name, changes), chosen in itertools.product(trials, arguments.sets):
        scores = []
        with tempfile.TemporaryDirectory() as work:
            project = make_project(Path(work), chosen, changes, arguments.validation)
            if arguments.minutes:
                searching = ["--no-trials"] if arguments.no_trials else []
                stage(project, "tools.plan", "--minutes", str(arguments.minutes), *searching)
            for seed in arguments.seeds:
                change(project / "params.yaml", {"seed": seed})
                minutes = train(project)
                scores.append(validation_dice(project) if arguments.validation else test_dice(project))
                steps = read_json(project / "metrics/train.json")["plan"]["train.steps"]
                print(
                    f"{name} | {chosen} | seed {seed} | {steps} steps | {minutes:.1f} min | {scores[-1]:.4f}",
                    flush=True,
                )
        print(f"{name} | {chosen} | mean of {len(scores)} | | | {mean(scores):.4f}", flush=True)


def make_project(folder: Path, name: str, changes: dict[str, Any], validation: bool) -> Path:
    """Copy the code, and prepare and split the data set `name` in it."""
    for part in ("src", "stages", "tools", "params.yaml", "models/initial"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, folder / part)
    source = folder / "data" / name
    lists = copy_set(name, source)
    if validation:
        changes = {f"train.decisions.{key}": False for key in ("mirror", "temperature", "threshold")} | changes
        changes = {f"train.decisions.{key}": False for key in ("min_object", "fill_holes")} | changes
        changes = {"split.folds": 0 if "validation" in lists else 5} | changes
    change(folder / "params.yaml", {"data.source": f"data/{name}"} | changes)
    stage(folder, "stages.prepare")
    stage(folder, "stages.split")
    return folder


def copy_set(name: str, source: Path) -> dict[str, Any]:
    """Copy a data set; returns its dataset.yaml."""
    if name == SAMPLE:
        shutil.copytree(ROOT / "data" / SAMPLE, source)
        return dict(read_yaml(source / "dataset.yaml"))
    if name in MADE:
        make(source, bordered=name == "borders")
    elif "SEG_DATASETS" not in os.environ:
        raise UserError("SEG_DATASETS is not set: the folder that holds nuclei/, vessels/ and street/")
    else:
        shutil.copytree(Path(os.environ["SEG_DATASETS"]) / name, source)
        if (source / "dataset.yaml").exists():
            return dict(read_yaml(source / "dataset.yaml"))
    described = {"test": "test.txt"} | ({"group": GROUPS[name]} if name in GROUPS else {}) | MADE.get(name, {})
    write_yaml(source / "dataset.yaml", described)
    return described


def change(path: Path, changes: dict[str, Any]) -> None:
    """Set keys of a params.yaml by their dotted names; `UserError` if there is no such key."""
    content = read_yaml(path)
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place[section]
        if last not in place:
            raise UserError(f"{key}: no such setting")
        place[last] = value
    write_yaml(path, content)


def setting(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE."""
    key, _, value = text.partition("=")
    return key, parse_yaml(value, Path(text))


def stage(project: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=project, check=True, stdout=subprocess.DEVNULL)


def train(project: Path) -> float:
    """Train; return the minutes from before the first step to after the last validation."""
    command = [sys.executable, "-m", "stages.train"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        started = ended = time.monotonic()
        for line in process.stdout or ():
            if line.startswith("U-Net with"):
                started = time.monotonic()
            if re.match(r"epoch \d+/", line):
                ended = time.monotonic()
    if process.returncode:
        raise UserError("training failed: see above")
    return (ended - started) / 60


def validation_dice(project: Path) -> float:
    return float(read_csv(project / "plots/history.csv")[-1]["val_dice"])


def test_dice(project: Path) -> float:
    stage(project, "stages.evaluate")
    return float(read_json(project / "metrics/test.json")["dice"]["mean"])


if __name__ == "__main__":
    arguments = parser("recipe", __doc__, EXAMPLES)
    arguments.prog = "python -m benchmarks.recipe"
    arguments.add_argument("--trial", nargs="+", action="append", default=[], metavar="WORD", help="name KEY=VALUE …")
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=SETS[:2], help="default: nuclei vessels")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="default: 0")
    arguments.add_argument("--minutes", type=float, help="search for settings and steps that fit, by tools.plan")
    arguments.add_argument("--no-trials", action="store_true", help="with --minutes: find only the steps that fit")
    arguments.add_argument("--validation", action="store_true", help="score validation images: the list, else a fold")
    run(arguments, main)
