"""Time preparing PNG pairs against decoding them on the same cores, and random crops of the store against PNG files.

In each of three rounds, all files are only decoded, then checked, then prepared, and as many bytes as the store has are
written to a plain file. Figures are medians. DVC's hashing and copying are not included.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src import params
from src.data.checks.dataset_checks import THREADS, check_dataset, store_nothing
from src.data.store.prepare import prepare
from src.data.store.store import IMAGES, MASKS, Store
from src.progress import parallel_map
from tools import parser, run

SIDE, CROP = 512, 128
ROUNDS = 3
ADDED = 10


def main(arguments: argparse.Namespace) -> None:
    """Write the pairs, measure, print and write JSON."""
    with tempfile.TemporaryDirectory(dir=arguments.work) as work:
        source = Path(work) / "set"
        make(source, range(arguments.pairs))
        found = preparing(source, Path(work)) | crops(source, Store(Path(work) / "prepared"))
        found |= again(source, Path(work), arguments.pairs)
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def make(source: Path, numbers: range) -> None:
    """Write pairs of 512 × 512 PNG: smooth shapes with grain, like photographs; masks of 0 and 255."""
    for name in ("images", "masks"):
        (source / name).mkdir(parents=True, exist_ok=True)

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        coarse = cv2.resize(
            rng.normal(size=(16, 16, 3)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
        )
        grain = rng.normal(scale=3, size=(SIDE, SIDE, 3)).astype(np.float32)
        image = (128 + 60 * coarse + grain).clip(0, 255).astype(np.uint8)
        mask = np.where(coarse[..., 0] > 1, 255, 0).astype(np.uint8)
        for name, pixels in (("images", image), ("masks", mask)):
            (source / name / f"{number:06d}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())

    for _ in parallel_map(write, numbers, THREADS, 2 * THREADS):
        pass


def decoded(path: Path) -> NDArray[Any]:
    """Read a file in the simplest way: the reference of the ratio."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(pixels)


def preparing(source: Path, work: Path) -> dict[str, Any]:
    """Return pairs a second of decoding only, of checks without a store, and of the whole stage; and their ratios."""
    files = sorted((source / "images").iterdir()) + sorted((source / "masks").iterdir())
    data = params.load().data.model_copy(update={"source": str(source)})
    seconds: dict[str, list[float]] = {"decode": [], "gate": [], "prepare": [], "write": []}
    for _ in range(ROUNDS):
        with timed(seconds["decode"]):
            for _ in parallel_map(decoded, files, THREADS, 2 * THREADS):
                pass
        with timed(seconds["gate"]):
            check_dataset(source, data, store_nothing)
        shutil.rmtree(work / "prepared", ignore_errors=True)  # as DVC does before it runs the stage
        with timed(seconds["prepare"]):
            prepare(data, work / "prepared", lambda gate: None)
        with timed(seconds["write"]):
            write_alone(work, (work / "prepared" / IMAGES).stat().st_size + (work / "prepared" / MASKS).stat().st_size)
        (work / "plain").unlink()
    pairs = len(files) // 2
    rates = {f"{name}_pairs_per_second": round(pairs / median(values), 1) for name, values in seconds.items()}
    alone = median(seconds["decode"])
    return (
        {"pairs": pairs, "threads": THREADS}
        | rates
        | {
            "gate_of_decode_speed": round(alone / median(seconds["gate"]), 3),
            "prepare_of_decode_speed": round(alone / median(seconds["prepare"]), 3),
        }
    )


def write_alone(work: Path, size: int) -> None:
    """Write as many bytes as the store has to a plain file, a megabyte at a time."""
    block = bytes(range(256)) * 4096
    with (work / "plain").open("wb", buffering=0) as file:
        for _ in range(size // len(block)):
            file.write(block)


def again(source: Path, work: Path, pairs: int) -> dict[str, Any]:
    """Return the seconds to prepare again after pairs were added, and the bytes that are written: the whole store."""
    make(source, range(pairs, pairs + ADDED))
    seconds: list[float] = []
    with timed(seconds):
        prepare(params.load().data.model_copy(update={"source": str(source)}), work / "prepared", lambda gate: None)
    written = sum(path.stat().st_size for path in (work / "prepared").iterdir())
    return {"again_pairs_added": ADDED, "again_seconds": round(seconds[0], 1), "again_bytes_written": written}


def crops(source: Path, store: Store) -> dict[str, Any]:
    """Return random crops a second, of image and mask, from the store and from the PNG files."""
    rng = np.random.default_rng(0)
    places = [(int(rng.integers(len(store))), *rng.integers(0, SIDE - CROP, 2).tolist()) for _ in range(500)]

    def from_store() -> None:
        for index, top, left in places:
            window = np.s_[top : top + CROP, left : left + CROP]
            np.array(store.image(index)[window])
            np.array(store.mask(index)[window])

    def from_files() -> None:
        for index, top, left in places:
            for name in ("images", "masks"):
                np.array(decoded(source / name / f"{index:06d}.png")[top : top + CROP, left : left + CROP])

    rates = {}
    for name, read in (("store", from_store), ("png", from_files)):
        rates[f"crops_per_second_{name}"] = len(places) / _seconds(read)
    ratio = rates["crops_per_second_store"] / rates["crops_per_second_png"]
    return {name: round(rate) for name, rate in rates.items()} | {"crops_store_over_png": round(ratio, 1)}


def _seconds(read: Callable[[], None]) -> float:
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with timed(seconds):
            read()
    return median(seconds)


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Add the block's wall-clock time to `seconds`."""
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)


if __name__ == "__main__":
    arguments = parser("preparing", __doc__)
    arguments.prog = "python -m benchmarks.preparing"
    arguments.add_argument("--pairs", type=int, default=400, help="how many PNG pairs to make and read")
    arguments.add_argument("--work", type=Path, help="folder for the files, by default the system's for temporary ones")
    arguments.add_argument("--json", type=Path, help="write the figures to this file as well")
    run(arguments, main)
