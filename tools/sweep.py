"""Search for settings with Optuna: each trial is an experiment of DVC, scored by its Dice on validation images.

The search space is given as KEY=LOW..HIGH, KEY=log:LOW..HIGH or KEY=A|B|C. Trials run one after another, in copies of
the project (dvc exp run --temp). The same command continues a sweep that was interrupted; a larger --trials extends it.
Commit first. Test scores are never read.
"""

import argparse

from tools import parser, run

EXAMPLES = """\
examples:
  python -m tools.sweep train.lr=log:1e-4..1e-2 'augment.flip=none|both' --trials 20
  python -m tools.sweep augment.rotate=0..90 --name rotations --trials 8
"""


def main(given: argparse.Namespace) -> None:
    from functools import partial
    from pathlib import Path

    from src.files import read_yaml
    from src.params import Params
    from src.reproduction.history.trials import Project, run_experiment
    from src.section import validate
    from src.sweep.search import search, summary
    from src.sweep.space import parse_space, require_combinations
    from src.sweep.study import open_sweep
    from stages import METRICS

    params = Path("params.yaml")
    content = read_yaml(params)
    validate(Params, content, params)
    space = parse_space(given.space, content)
    require_combinations(space, given.trials)
    project = Project.here()
    project.require_committed()
    if not (file := project.folder / f"{given.name}.journal").exists():
        project.require_unused(given.name)
    started = {"commit": project.head, "params.yaml": content, "search space": sorted(given.space)}
    sweep = open_sweep(file, started, space)
    experiment = partial(run_experiment, metrics=(METRICS / "train.json").as_posix())
    search(sweep, given.trials, experiment, project.require_same)
    print(summary(sweep))


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def experiment_name(text: str) -> str:
    if not all(part.isascii() and part.isalnum() for part in text.split("-")):
        raise argparse.ArgumentTypeError("must consist of letters, digits and single hyphens")
    return text


def arguments() -> argparse.ArgumentParser:
    sweep = parser("sweep", __doc__, EXAMPLES)
    sweep.add_argument("space", nargs="+", metavar="KEY=VALUES", help="a setting and its range or values")
    sweep.add_argument("--trials", type=positive, default=20, metavar="N", help="trials in all (default: 20)")
    name = "the experiments are called NAME-000, NAME-001 … (default: sweep)"
    sweep.add_argument("--name", type=experiment_name, default="sweep", help=name)
    return sweep


if __name__ == "__main__":
    run(arguments(), main)
