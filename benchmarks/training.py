"""Time training and prediction against the same U-Net in stock Keras and in PyTorch, and against matrix products.

Every contestant runs in its own process. They take turns in rounds; the first round warms up and is not counted, and
figures are medians over the others. Batches are random numbers in memory. This project also trains on real patches: of
the data set `nuclei` in the folder that the environment variable SEG_DATASETS names, else of synthetic images. Its
training step also counts the pixels of each class in every patch, which the others do not.

With --encoder the peer is the U-Net of segmentation_models.pytorch with the same encoder. Stock Keras is left out. The
two decoders differ, so the numbers of parameters are printed and not compared. This project then predicts with folded
normalisations, as tools.predict does. All weights are random.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from benchmarks.comparison import OURS, PYTORCH, STOCK, figures, table
from benchmarks.worker import Setting, Worker
from src.params import Encoder
from tools import parser, run

BUSY = 0.5  # running processes, on average over the last minute
DEPTH, ENCODER_DEPTH = 4, 5  # of the plain network, and of one with another encoder
PAIRS = 40  # synthetic pairs, if there is no real data set
HERE = "benchmarks.contestants"


def main(arguments: argparse.Namespace) -> None:
    """Prepare the crops' data set; measure, print, and write JSON; or with --profile only look at our own step."""
    settings = _settings(arguments)
    if arguments.profile:
        from src.model.network.import_tensorflow import import_tensorflow_quietly

        import_tensorflow_quietly()
        from benchmarks.profiling import profile

        for setting in settings:
            print(profile(setting), flush=True)
        return
    load = os.getloadavg()[0]
    if load > BUSY:
        print(
            f"The machine is busy, with a load of {load:.1f}: what is measured now misleads, of PyTorch most of all.\n"
        )
    if missing := missing_module(arguments.encoder, arguments.torch_python):
        print(f"PyTorch is left out: no {missing}; pip install -r benchmarks/requirements.txt installs it.\n")
    found = []
    with tempfile.TemporaryDirectory() as work:
        _prepare(Path(work))
        for setting in settings:
            setting = replace(setting, store=str(Path(work) / "prepared"))
            found.append({"load": load} | measured(setting, arguments.rounds, arguments.torch_python))
            print(table(found[-1]), end="\n\n", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def _settings(arguments: argparse.Namespace) -> list[Setting]:
    depth = DEPTH if arguments.encoder == "plain" else ENCODER_DEPTH
    sizes = depth, arguments.side, arguments.batch, arguments.steps
    return [Setting(filters, *sizes, encoder=arguments.encoder) for filters in arguments.filters]


def missing_module(encoder: str, python: str) -> str:
    """The module that PyTorch's contestant for this encoder needs and that environment lacks; "" if it lacks none."""
    needed = ("torch",) if encoder == "plain" else ("torch", "segmentation_models_pytorch")
    return next((module for module in needed if not has_module(module, python)), "")


def has_module(module: str, python: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", code]).returncode == 0


def _prepare(work: Path) -> None:
    """Prepare a data set in `work`/prepared."""
    from benchmarks.preparing import make
    from src import params
    from src.data.store.prepare import prepare

    source = Path(os.environ.get("SEG_DATASETS", "")) / "nuclei"
    if "SEG_DATASETS" not in os.environ or not source.exists():
        source = work / "set"
        make(source, range(PAIRS))
    prepare(params.load().data.model_copy(update={"source": str(source)}), work / "prepared", lambda gate: None)


def measured(setting: Setting, rounds: int, torch_python: str) -> dict[str, Any]:
    """Measure one setting: the contestants' facts, their rates in every round, and medians and ratios of them."""
    plain = setting.encoder == "plain"
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(f"{HERE}.{one.module}", one.setting, one.python))
            for name, one in contestants(setting, torch_python).items()
        }
        facts = {name: worker.facts for name, worker in workers.items()}
        if plain:
            same_network(facts)
        rates: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
        for number in range(rounds + 1):
            for name, worker in workers.items():
                rates[name].append(worker.round())
            print(f"round {number} of {rounds}" if number else "warmed up", file=sys.stderr, flush=True)
    counted = {name: rows[1:] for name, rows in rates.items()}
    flop = facts[STOCK]["flop"] if plain else None
    results = {"facts": facts, "rounds": counted, "figures": figures(counted, flop)}
    return {"setting": asdict(setting), "flop": flop} | results


@dataclass(frozen=True)
class Entry:
    """A module of contestants, its setting, and the Python that runs it."""

    module: str
    setting: Setting
    python: str = sys.executable


def contestants(setting: Setting, torch_python: str) -> dict[str, Entry]:
    """Choose who takes part: with another encoder than plain, no stock Keras and another network in PyTorch."""
    plain = setting.encoder == "plain"
    found = {OURS: Entry("ours", setting)} | ({STOCK: Entry("stock", setting)} if plain else {})
    if not missing_module(setting.encoder, torch_python):
        for name, bfloat16 in zip(PYTORCH, (False, True), strict=True):
            chosen = replace(setting, bfloat16=bfloat16)
            found[name] = Entry("pytorch" if plain else "smp", chosen, torch_python)
    return found


def same_network(facts: dict[str, dict[str, Any]]) -> None:
    """Raise `UserError` unless all contestants have the same number of parameters."""
    from src.errors import UserError

    parameters = {name: found["parameters"] for name, found in facts.items()}
    if len(set(parameters.values())) > 1:
        shown = ", ".join(f"{name} {number:,}" for name, number in parameters.items())
        raise UserError(f"the networks differ, so nothing is measured; parameters: {shown}")


if __name__ == "__main__":
    arguments = parser("training", __doc__)
    arguments.prog = "python -m benchmarks.training"
    arguments.add_argument(
        "--filters", type=int, nargs="+", default=[16], help="filters at full resolution; also several"
    )
    arguments.add_argument("--encoder", choices=get_args(Encoder), default="plain", help="default: plain")
    arguments.add_argument("--side", type=int, default=256, help="height and width of the images, in pixels")
    arguments.add_argument("--batch", type=int, default=8, help="images in a batch")
    arguments.add_argument("--steps", type=int, default=10, help="batches in a round")
    arguments.add_argument("--rounds", type=int, default=5, help="rounds that count")
    arguments.add_argument("--torch-python", default=sys.executable, help="the Python of the environment with PyTorch")
    arguments.add_argument("--profile", action="store_true", help="only show where the time of our training step goes")
    arguments.add_argument("--json", type=Path, help="write the figures to this file as well")
    run(arguments, main)
