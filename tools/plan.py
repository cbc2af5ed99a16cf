"""Print the plan: the settings of training and their reasons. With --minutes, search for settings on this machine.

Settings that are `auto` in params.yaml are derived from the training images, as in training. With --minutes, up to a
quarter of the time goes to short trainings, scored on validation images: they try sizes of the images, encoders, sizes
of patches, widths, learning rates and flips. The best settings and the number of steps that fits into the rest of the
time are written into params.yaml. Settings that were set by hand stay. With --no-trials, only the number of steps is
measured and written. Training itself never measures time, so it can be repeated on any machine. The decisions at its
end (train.decisions) take additional time: about a dozen more passes over the validation images.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.data.store.subsets import Subset
    from src.params import Params
    from src.plan.facts import Facts
    from src.plan.plan import Plan

EXAMPLES = """Run dvc repro split before.

examples:
  python -m tools.plan
  python -m tools.plan --minutes 20 && dvc repro
  python -m tools.plan --minutes 20 --keep data.resize model.encoder
  python -m tools.plan --minutes 5 --no-trials && dvc repro
"""
PARAMS = Path("params.yaml")
MEASURED = 16  # validation images that are timed
FEWEST_MINUTES = 4.0  # for which trials can tell anything


def main(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    from src import params
    from src.data.splits.split_warnings import validation_warning
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.errors import UserError
    from src.plan.facts import Facts
    from stages import PREPARED, SPLITS

    read = params.load(PARAMS)
    params.check_weights(read)
    if not SPLITS.exists():
        raise UserError(f"{SPLITS}: there is no split yet; run `dvc repro split`")
    store = Store(PREPARED)
    trained, validated = (read_subset(SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated, read.train.initial)
    if arguments.minutes:
        if arguments.trials and arguments.minutes >= FEWEST_MINUTES:
            search(arguments, started, read, facts, (trained, validated))
        else:
            if arguments.trials:
                print(f"no trials: they need --minutes {FEWEST_MINUTES:g} or more; the rules choose")
            write_steps(arguments.minutes, read, facts, trained, validated)
        read = params.load(PARAMS)
    print(plan_of(read, facts))
    if warning := validation_warning(trained, validated, read.data.source):
        print(f"\n{warning}")


def search(
    arguments: argparse.Namespace, started: float, read: "Params", facts: "Facts", images: "tuple[Subset, Subset]"
) -> None:
    """Search for settings, print what was tried, and write what was chosen into params.yaml.

    Args:
        arguments: Of the command.
        started: When the command began, by time.monotonic.
        read: The parameters.
        facts: Facts about the training images.
        images: The training and the validation images.
    """
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.search.candidate import setting_of
    from src.search.outcome import WRITTEN, Written, automatic_again, table
    from src.search.space import ENCODER, Space, available_encoders, searched_settings
    from src.search.timing import fitting_steps
    from src.write_setting import write_settings

    import_tensorflow_quietly()
    from src.model.search.run_search import Request, run_search, searches_folder

    folder = searches_folder(Path.cwd())
    written = Written(folder / WRITTEN)
    before = written.unchanged(read)
    kept = set(arguments.keep)
    if read.train.initial != "none":
        kept.add(ENCODER)  # it must stay that of the initial network
    again = {key: value for key, value in before.items() if key not in kept}
    asked = automatic_again(read, {**again, "train.steps": "auto"})
    encoders = available_encoders(asked.model)
    searched = searched_settings(asked, arguments.keep, encoders)
    if not searched:
        print("no trials: all settings that could be searched are set by hand")
        write_steps(arguments.minutes, read, facts, *images)
        return
    space = Space(asked, facts, searched, encoders, lambda tried: plan_of(tried, facts))
    found = run_search(space, *images, Request(arguments.minutes, started, folder))
    fitting = fitting_steps(found.timing, found.minutes, space.plan(found.result.chosen), read.train)
    reset = {key: setting_of(asked, key) for key in again}  # what an earlier search wrote and this one does not need
    settings = {**reset, **space.pinned(found.result.chosen), "train.steps": fitting.steps}
    print(f"{table(found.result)}\n\n{fitting.words}\n")
    written.remember({**before, **settings})
    write_settings(PARAMS, settings)
    found.journal.discard()


def write_steps(minutes: float, read: "Params", facts: "Facts", trained: "Subset", validated: "Subset") -> None:
    """Time a few steps and a validation, and write how many steps fit into params.yaml.

    Args:
        minutes: Time for training and its validations.
        read: The parameters; train.steps is ignored.
        facts: Facts about the training images.
        trained: The training images.
        validated: The validation images.
    """
    from src.data.store.subsample import subsample
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.search.timing import fitting_steps
    from src.write_setting import write_setting

    import_tensorflow_quietly()
    from src.model.training.timing import measure_timing

    asked = read.model_copy(update={"train": read.train.model_copy(update={"steps": "auto", "epochs": "auto"})})
    plan = plan_of(asked, facts)
    timing = measure_timing(trained, subsample(validated, MEASURED), plan, read.seed)
    fitting = fitting_steps(timing, minutes, plan, read.train)
    print(f"{fitting.words}\n")
    write_setting(PARAMS, "train", "steps", fitting.steps)


def plan_of(read: "Params", facts: "Facts") -> "Plan":
    from src.plan.plan import plan_training

    return plan_training(facts, read.data, read.augment, read.model, read.train)


def without_effect(arguments: argparse.Namespace) -> str:
    """Say which option would have no effect without another one; "" if there is none."""
    if arguments.keep and not (arguments.trials and (arguments.minutes or 0) >= FEWEST_MINUTES):
        searched = f"give --minutes {FEWEST_MINUTES:g} or more, and leave out --no-trials"
        return f"argument --keep: only a search changes settings: {searched}"
    if not arguments.trials and not arguments.minutes:
        return "argument --no-trials: there are no trials without --minutes"
    return ""


def positive(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return minutes


if __name__ == "__main__":
    arguments = parser("plan", __doc__, EXAMPLES)
    arguments.add_argument(
        "--minutes",
        type=positive,
        metavar="M",
        help="search, and set train.steps so that search, training and its validations fit into M minutes",
    )
    arguments.add_argument(
        "--no-trials", dest="trials", action="store_false", help="the rules choose; only train.steps is measured"
    )
    arguments.add_argument(
        "--keep", nargs="+", default=[], metavar="KEY", help="settings that stay as they are, such as model.encoder"
    )
    run(arguments, main, without_effect)
