"""One contestant in its own process, so that contestants share no threads and settings.

`python -m benchmarks.worker MODULE SETTING` prepares the module's contestant and prints facts about it. Then it
runs a round for every line that it reads and prints the rates. Every output is a line of JSON. It needs the standard
library only, since PyTorch may be installed in another environment than the project.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

ROOT = Path(__file__).parent.parent
CHANNELS = 3


@dataclass(frozen=True)
class Setting:
    """The network, the batches of `batch` images of `side` × `side` pixels, and how many of them a round takes.

    bfloat16: for PyTorch, which leaves the choice to its user. store: for ours, the folder of a prepared data set.
    encoder: a value of model.encoder.
    """

    filters: int
    depth: int
    side: int
    batch: int
    steps: int
    bfloat16: bool = False
    store: str = ""
    encoder: str = "plain"

    @property
    def images(self) -> int:
        """The number of images of a round."""
        return self.steps * self.batch


class Contestant(Protocol):
    """The interface of the class `Contestant` in a contestant's module; its constructor builds the network."""

    def first_step(self) -> None:
        """Run one training step, and everything that is done once before it."""

    def facts(self) -> dict[str, Any]:
        """Return at least `parameters`, including moving statistics, and `precision`."""

    def rates(self) -> dict[str, float]:
        """Run one round; return at least `train` and `predict` in images a second."""


def rate(amount: float, work: Callable[[], object]) -> float:
    """Return the amount per second of `work`, which does `amount`."""
    started = time.perf_counter()
    work()
    return amount / (time.perf_counter() - started)


def serve(name: str, setting: Setting) -> None:
    """Run the worker. What libraries print goes to standard error, so that standard output holds only the answers."""
    answers, sys.stdout = sys.stdout, sys.stderr
    laps = [time.perf_counter()]
    module = importlib.import_module(name)
    laps.append(time.perf_counter())
    contestant: Contestant = module.Contestant(setting)
    laps.append(time.perf_counter())
    contestant.first_step()
    laps.append(time.perf_counter())
    parts = zip(("import", "build", "first step"), laps[1:], laps, strict=False)
    seconds = {part: after - before for part, after, before in parts}
    print(json.dumps(contestant.facts() | {"start": seconds}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(contestant.rates()), file=answers, flush=True)


class Worker:
    """Start a contestant, wait until it is ready, and ask it for rounds."""

    def __init__(self, module: str, setting: Setting, python: str = sys.executable) -> None:
        command = [python, "-m", "benchmarks.worker", module, json.dumps(asdict(setting))]
        self.notes = tempfile.TemporaryFile("w+")  # noqa: SIM115  output of libraries, shown if the worker fails
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.notes}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.facts = self._answer()

    def round(self) -> dict[str, float]:
        """Return the rates of one round."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.notes.seek(0)
            sys.stderr.write(self.notes.read())
            raise subprocess.CalledProcessError(self.process.wait(), self.process.args)
        return dict(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the worker, whether it waits for its next round or is working."""
        self.process.kill()
        self.process.communicate()
        self.notes.close()


if __name__ == "__main__":
    serve(sys.argv[1], Setting(**json.loads(sys.argv[2])))
