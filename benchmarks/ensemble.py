"""Train members, join them, and measure what the ensemble costs and gains on official test lists.

On vessels the members are the folds of a cross-validation, on the other sets seeds of one split. Members and ensemble
are scored by tools.score. The gain is the ensemble's mean Dice minus the mean over its members, with the 95 % interval
of a paired bootstrap over groups of test images. The cost is the time of prediction without mirrored copies, of
ensemble and first member in turns.
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from benchmarks.recipe import ROOT, SETS, change, make_project, setting, stage, train
from src.files import read_yaml
from tools import parser, run

FOLDED = ("vessels",)
IMAGES, ROUNDS = 8, 3  # timed
EXAMPLES = """examples:
  python -m benchmarks.ensemble --minutes 5
  python -m benchmarks.ensemble --sets nuclei --members 3 --settings train.steps=600
"""


@dataclass(frozen=True)
class Gain:
    """Mean Dice of the members and the ensemble, and the gain with its interval; None: too few groups."""

    members: list[float]
    ensemble: float
    interval: tuple[float, float] | None


def main(arguments: argparse.Namespace) -> None:
    """Print what each set gains and costs."""
    for name in arguments.sets:
        count = arguments.members or (5 if name in FOLDED else 3)
        with tempfile.TemporaryDirectory() as work:
            changes = dict(map(setting, arguments.settings)) | ({"split.folds": count} if name in FOLDED else {})
            project = make_project(Path(work), name, changes, validation=False)
            if arguments.minutes:
                stage(project, "tools.plan", "--minutes", str(arguments.minutes), "--no-trials")
            train_members(project, name, count)
            print(f"{name} | {join(project, count)}", flush=True)
            print_gain(name, gain(project, name, count))
            print_cost(name, count, *cost(project))


def train_members(project: Path, name: str, count: int) -> None:
    """Train the members, as models/0.keras, models/1.keras …, and keep the split of each."""
    for number in range(count):
        if name in FOLDED:
            change(project / "params.yaml", {"split.fold": number})
            stage(project, "stages.split")
        else:
            change(project / "params.yaml", {"seed": number})
        minutes = train(project)
        shutil.copy(project / "models/unet.keras", project / f"models/{number}.keras")
        shutil.copy(project / "data/splits.csv", project / f"models/{number}.csv")
        print(f"{name} | member {number} | trained in {minutes:.1f} min", flush=True)


def join(project: Path, count: int) -> str:
    """Write models/ensemble.keras as tools.ensemble does; return how its decisions were made."""
    from src.archive.ensemble import write_ensemble
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src import params
    from src.model.ensemble.decide import decide
    from src.model.ensemble.sources import KnownImages, Source, describe_ensemble, read_source

    sources: list[Source] = []
    for number in range(count):
        known = [source.images for source in sources if source.images]
        images = KnownImages.read(project / "data/prepared", project / f"models/{number}.csv", known)
        sources.append(read_source(f"member {number}", project / f"models/{number}.keras", images))
    decided = decide(sources, params.load(ROOT / "params.yaml").train.decisions, 0)
    ensemble = describe_ensemble(sources, decided.decisions, decided.how)
    write_ensemble(project / "models/ensemble.keras", ensemble, [source.path.read_bytes() for source in sources])
    return decided.how


def gain(project: Path, name: str, count: int) -> Gain:
    """Score members and ensemble on the official test list."""
    from src.evaluation.comparison.seeds import SeedScores
    from src.evaluation.comparison.shared_images import shared_images
    from src.evaluation.metrics.confusion import mean_over_classes
    from src.evaluation.statistics.bootstrap import difference_interval
    from src.reproduction.history.experiments import ExperimentFiles, read_folder

    models, source = [*map(str, range(count)), "ensemble"], Path("data") / name
    listed = str(read_yaml(project / source / "dataset.yaml")["test"])
    files = ExperimentFiles(*map(PurePosixPath, ("scores.csv", "dataset.yaml", "params.yaml")))
    for model in models:
        words = ["--model", f"models/{model}.keras", "--data", str(source), "--only", listed, "--out", f"logs/{model}"]
        stage(project, "tools.score", *words)
    shared = shared_images([read_folder(str(project / "logs" / model), files) for model in models])
    *members, ensemble = (values["dice"] for values in shared.values)
    alone = SeedScores.of(members, shared.foreground)
    joined = ensemble[:, shared.foreground]
    interval = difference_interval(alone.scores, joined, shared.groups, 10_000, 0)
    return Gain(alone.means.tolist(), mean_over_classes(joined, range(joined.shape[1])), interval)


def print_gain(name: str, found: Gain) -> None:
    each = ", ".join(f"{dice:.4f}" for dice in found.members)
    mean = sum(found.members) / len(found.members)
    bounds = (
        "95 % interval {:+.4f} – {:+.4f}".format(*found.interval) if found.interval else "no interval: too few groups"
    )
    print(f"{name} | members {each}; mean {mean:.4f} | ensemble {found.ensemble:.4f}", flush=True)
    print(f"{name} | gain {found.ensemble - mean:+.4f} ({bounds})", flush=True)


def cost(project: Path) -> tuple[float, float]:
    """Seconds for a megapixel of the first member and of the ensemble, without mirrored copies."""
    from src.data.store.store import Store
    from src.model.inference.predictor import load_predictor

    store = Store(project / "data/prepared")
    images = [store.image(index) for index in range(min(len(store), IMAGES))]
    predictors = [
        load_predictor(project / f"models/{model}.keras").with_decisions(mirror="none") for model in ("0", "ensemble")
    ]
    laps: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):  # the first round traces the graphs
        for predictor, found in zip(predictors, laps, strict=True):
            started = time.perf_counter()
            for image in images:
                predictor.logits(image)
            found.append(time.perf_counter() - started)
    megapixels = sum(image.shape[0] * image.shape[1] for image in images) / 1e6
    member, ensemble = (median(found[1:]) / megapixels for found in laps)
    return member, ensemble


def print_cost(name: str, count: int, member: float, ensemble: float) -> None:
    ratio = f"{ensemble / member:.2f} times that of one member"
    print(f"{name} | cost {ensemble:.2f} s a megapixel, {ratio} ({member:.2f}); {count} members", flush=True)


def arguments() -> Any:  # Any: argparse's parser, with the program's name changed
    ensemble = parser("ensemble", __doc__, EXAMPLES)
    ensemble.prog = "python -m benchmarks.ensemble"
    sets = ["vessels", "nuclei"]
    ensemble.add_argument("--sets", nargs="+", choices=SETS, default=sets, help="default: vessels nuclei")
    ensemble.add_argument("--members", type=int, metavar="N", help="default: 5 folds of vessels, 3 seeds of others")
    ensemble.add_argument("--minutes", type=float, help="minutes of training of each member, by tools.plan")
    ensemble.add_argument("--settings", nargs="+", default=[], metavar="KEY=VALUE", help="changes of params.yaml")
    return ensemble


if __name__ == "__main__":
    run(arguments(), main)
