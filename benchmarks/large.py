"""Measure the memory to prepare, crop, score and predict an image of 30,000 × 30,000 pixels, each in its own process.

The image is a tiled RGB TIFF, its mask a tiled 8-bit one. What a step needs is measured by the operating system
(ru_maxrss), which counts every page that is mapped, whether it could be given back or not.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools import parser, run

TILE = 512
STEPS = ("prepare", "crops", "score", "predict")
CROPS = 400


def main(arguments: argparse.Namespace) -> None:
    """Without --step: make the files and run every step in a process of its own."""
    if arguments.step:
        print(json.dumps(step(arguments.step, arguments.work)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        make(Path(work) / "set", arguments.side)
        found = {}
        for name in arguments.only or STEPS:
            command = [sys.executable, "-m", "benchmarks.large", "--step", name, "--work", work]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name] = json.loads(printed.splitlines()[-1])
            print(name, found[name], flush=True)


def make(source: Path, side: int) -> None:
    """Write one pair: coloured waves with grain, and foreground where a wave is high."""
    import tifffile

    grain = np.random.default_rng(0).integers(0, 24, (TILE, TILE, 3), dtype=np.uint8)

    def tiles(mask: bool) -> Iterator[NDArray[np.uint8]]:
        for top in range(0, side, TILE):
            for left in range(0, side, TILE):
                row, column = np.arange(top, top + TILE)[:, None], np.arange(left, left + TILE)[None]
                wave = np.sin(row / 97) * np.cos(column / 131)
                if mask:
                    yield (wave > 0.8).astype(np.uint8)
                else:
                    yield grain + (100 + 90 * wave).astype(np.uint8)[:, :, None]

    for name, samples in (("images", 3), ("masks", 1)):
        (source / name).mkdir(parents=True)
        shape = (side, side, 3) if samples == 3 else (side, side)
        form: dict[str, Any] = {"photometric": "rgb" if samples == 3 else "minisblack", "compression": "zstd"}
        with tifffile.TiffWriter(source / name / "large.tif", bigtiff=True) as file:
            file.write(tiles(samples == 1), shape=shape, dtype=np.uint8, tile=(TILE, TILE), **form)


def step(name: str, work: Path) -> dict[str, Any]:
    """Run one step on the files in `work`; return its seconds and its peak memory."""
    started = time.perf_counter()
    steps: dict[str, Callable[[Path], None]] = {"prepare": _prepare, "crops": _crops, "score": _score}
    steps["predict"] = _predict
    steps[name](work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": round(time.perf_counter() - started, 1), "peak_gib": round(peak, 2)}


def _prepare(work: Path) -> None:
    from src import params
    from src.data.store.prepare import prepare

    data = params.load().data.model_copy(update={"source": str(work / "set")})
    prepare(data, work / "prepared", lambda gate: None)


def _crops(work: Path) -> None:
    from src import params
    from src.data.crops.sampling import Patches
    from src.data.store.store import Store
    from src.data.store.subsets import Subset
    from src.plan.facts import Facts
    from src.plan.plan import plan_network

    read, image = params.load(), Subset.ungrouped(Store(work / "prepared"), [0])
    data = read.data.model_copy(update={"resize": 0})
    seen = plan_network(Facts.of(image, image), data, read.augment, read.model, read.train.memory_gib)
    patches = Patches(image, seen.data, seen.augment, read.seed)
    for _ in patches.batches([(1, number) for number in range(CROPS // 8)], 8):
        pass


def _score(work: Path) -> None:
    from src.data.crops.normalise import Normalisation
    from src.data.store.store import Store
    from src.data.store.subsets import Subset
    from src.evaluation.scoring.baseline import ColourClassifier
    from src.evaluation.scoring.measure import measure_all
    from src.evaluation.scoring.save_predictions import save_predictions
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.params import PlannedModel

    import_tensorflow_quietly()
    from src.model.inference.predictor import Predictor
    from src.model.network.unet import build_unet

    store = Store(work / "prepared")
    image = Subset.ungrouped(store, [0])
    network = Predictor(
        build_unet(PlannedModel(filters=4, depth=4), 3, 1), _project(Normalisation.of_records(store.records))
    )
    methods: list[Callable[[NDArray[Any]], NDArray[np.uint8]]] = [network, ColourClassifier(image, 0)]
    for predict in methods:
        measure_all(image, save_predictions(work / "predictions.npz", iter([(0, predict(store.image(0)))])), 2.0)


def _predict(work: Path) -> None:
    """The default network, with its probabilities."""
    from src.data.crops.normalise import Normalisation
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.params import PlannedModel
    from tools import predict

    import_tensorflow_quietly()
    from src.model.network.device import prepare_device
    from src.model.network.model_file import write_model
    from src.model.network.unet import build_unet

    prepare_device(0, "auto")
    write_model(
        work / "unet.keras",
        build_unet(PlannedModel(filters=16, depth=4), 3, 1),
        _project(Normalisation([10.0] * 3, [3.0] * 3)),
    )
    options = ["--model", str(work / "unet.keras"), "--out", str(work / "out"), "--probabilities", "8-bit"]
    predict.main(predict.arguments().parse_args([str(work / "set/images"), *options]))


def _project(normalisation: Any) -> Any:
    from src.archive.project import Project

    return Project(
        classes=["background", "foreground"],
        background=0,
        colors={},
        mean=normalisation.mean,
        std=normalisation.std,
        normalise="dataset",
        dtype="uint8",
        shorter_side=0,
        depth=4,
    )


if __name__ == "__main__":
    arguments = parser("large", __doc__)
    arguments.prog = "python -m benchmarks.large"
    arguments.add_argument("--side", type=int, default=30_000, help="height and width of the image, in pixels")
    arguments.add_argument("--work", type=Path, help="folder for the files, by default the system's for temporary ones")
    arguments.add_argument("--only", choices=STEPS, nargs="+", help="of the steps, in this order")
    arguments.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    run(arguments, main)
