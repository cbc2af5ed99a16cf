"""Time prediction from image files to mask files against the bare network, and against the same network in PyTorch.

The contestants run in processes of their own and take turns in rounds, after one that warms up; figures are medians
over the rounds. The networks get images in memory, as large as the tiles that large images are cut into; `files` is all
that tools.predict does, on as many pixels in PNG files. In PyTorch the normalisations are folded into the convolutions
as well; the faster of its two precisions counts.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.training import BUSY, DEPTH, missing_module, same_network
from benchmarks.worker import Setting, Worker
from tools import parser, run

HERE = "benchmarks.contestants"
PYTORCH = {"PyTorch float32": False, "PyTorch bfloat16": True}


def main(arguments: argparse.Namespace) -> None:
    if (load := os.getloadavg()[0]) > BUSY:
        print(f"The machine is busy, with a load of {load:.1f}: what is measured now misleads.\n")
    with tempfile.TemporaryDirectory() as work:
        setting = Setting(arguments.filters, DEPTH, arguments.side, 1, arguments.images, store=work)
        rounds = measured(setting, arguments.rounds, arguments.torch_python)
    shown = {name: {what: median(one[what] for one in found) for what in found[0]} for name, found in rounds.items()}
    for name, rates in shown.items():
        print(f"{name:<18}" + "   ".join(f"{what} {number:.2f} MP/s" for what, number in rates.items()))
    ours = rounds["ours"]
    print(f"files / network    {spread([one['files'] / one['network'] for one in ours])}")
    torches = [name for name in rounds if name in PYTORCH]
    if torches:
        best = max(torches, key=lambda name: shown[name]["network"])
        for what in ("network", "files"):
            pairs = zip(ours, rounds[best], strict=True)
            print(f"{what} / {best}    {spread([mine[what] / theirs['network'] for mine, theirs in pairs])}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"load": load, "rounds": rounds}, indent=2) + "\n")


def measured(setting: Setting, rounds: int, torch_python: str) -> dict[str, list[dict[str, float]]]:
    """Return contestant → its rates in every round."""
    with ExitStack() as stack:
        workers = {"ours": stack.enter_context(Worker(f"{HERE}.ours_predicting", setting))}
        if not missing_module("plain", torch_python):
            for name, bfloat16 in PYTORCH.items():
                chosen = replace(setting, bfloat16=bfloat16)
                workers[name] = stack.enter_context(Worker(f"{HERE}.pytorch_predicting", chosen, torch_python))
        same_network({name: worker.facts for name, worker in workers.items()})
        found: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
        for _ in range(rounds + 1):
            for name, worker in workers.items():
                found[name].append(worker.round())
    return {name: rates[1:] for name, rates in found.items()}


def spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} – {max(values):.2f})"


if __name__ == "__main__":
    arguments = parser("predicting", __doc__)
    arguments.prog = "python -m benchmarks.predicting"
    arguments.add_argument("--filters", type=int, default=16, help="filters at full resolution")
    arguments.add_argument("--side", type=int, default=1024, help="height and width of the images, in pixels")
    arguments.add_argument("--images", type=int, default=6, help="in a round")
    arguments.add_argument("--rounds", type=int, default=5, help="rounds that count")
    arguments.add_argument("--torch-python", default=sys.executable, help="the Python of the environment with PyTorch")
    arguments.add_argument("--json", type=Path, help="write the rates to this file as well")
    run(arguments, main)
