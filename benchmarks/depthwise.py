"""Time the gradient of depthwise convolutions: TensorFlow's own, and that of src/model/network/depthwise.py.

The layers are those of EfficientNet-Lite0 for square images, in the precision that this machine multiplies fastest. The
two gradients alternate in rounds, after one that warms up; times are medians over the rounds, in milliseconds. The last
row is the sum over the network, where a layer counts as often as it occurs; in brackets are the lowest and the highest
ratio of the rounds.
"""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.training import BUSY
from tools import parser, run

OWN, OURS = "TensorFlow", "this project"


@dataclass(frozen=True)
class Layer:
    """A depthwise convolution: side of its square images and of its kernel in pixels, channels, and stride."""

    side: int
    channels: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Timed:
    """Seconds of the gradient of one layer in each round, and how often the network has this layer."""

    layer: Layer
    count: int
    seconds: dict[str, list[float]]


def main(arguments: argparse.Namespace) -> None:
    """Measure every layer, print the table, and write JSON."""
    if (load := os.getloadavg()[0]) > BUSY:
        print(f"The machine is busy, with a load of {load:.1f}: what is measured now misleads.\n")
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.network.device import fastest_precision

    precision = fastest_precision()
    print(f"batches of {arguments.batch}, {precision}, ms\n")
    timed = [
        Timed(layer, count, measured(layer, arguments.batch, precision, arguments.rounds))
        for layer, count in layers_of_lite0(arguments.side).items()
    ]
    print(table(timed))
    if arguments.json:
        arguments.json.write_text(json.dumps({"load": load, "layers": [asdict(one) for one in timed]}, indent=2) + "\n")


def layers_of_lite0(side: int) -> Counter[Layer]:
    """The depthwise convolutions of EfficientNet-Lite0 for images of `side` × `side` pixels, and how often they occur.

    `side` must be a multiple of 32.
    """
    from src.model.network.encoders.efficientnet_lite0 import STAGES, STEM

    found: Counter[Layer] = Counter()
    side, channels = side // 2, STEM
    for stage in STAGES:
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            found[Layer(side, channels * stage.expansion, stage.kernel, stride)] += 1
            side, channels = side // stride, stage.filters
    return found


def measured(layer: Layer, batch: int, precision: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of both gradients in each round."""
    import tensorflow as tf

    from src.model.network.depthwise import depthwise_convolution

    ways = {
        OWN: gradient(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, layer.stride, layer.stride, 1], "SAME")),
        OURS: gradient(lambda x, k: depthwise_convolution(x, k, layer.stride, "same")),
    }
    side, kernel, channels, after = layer.side, layer.kernel, layer.channels, layer.side // layer.stride
    shapes = [(batch, side, side, channels), (kernel, kernel, channels, 1), (batch, after, after, channels)]
    tensors = [tf.cast(tf.random.stateless_normal(shape, (0, 0)), precision) for shape in shapes]
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            for one in way(*tensors):
                one[0, 0, 0, 0].numpy()  # waits for the device
            found[name].append(time.perf_counter() - started)
    return {name: seconds[1:] for name, seconds in found.items()}


def gradient(convolve: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], list[Any]]:
    """Compile the gradient of images and kernel, given that of the output."""
    import tensorflow as tf

    @tf.function(jit_compile=False)
    def compute(images: Any, kernel: Any, upstream: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = convolve(images, kernel)
        return list(tape.gradient(outputs, [images, kernel], upstream))

    return compute


def table(timed: list[Timed]) -> str:
    """Format the medians of each layer, and the ratio of the sums."""
    lines = [f"{'side':>5} {'channels':>8} {'kernel':>6} {'stride':>6} {'layers':>6} {OWN:>12} {OURS:>12} {'ratio':>6}"]
    for one in timed:
        own, ours = (1e3 * median(one.seconds[name]) for name in (OWN, OURS))
        cells = one.layer.side, one.layer.channels, one.layer.kernel, one.layer.stride, one.count
        place = "{:5} {:8} {:6} {:6} {:6}".format(*cells)
        lines.append(f"{place} {own:12.1f} {ours:12.1f} {own / ours:6.1f}")
    own, ours = (1e3 * sum(one.count * median(one.seconds[name]) for one in timed) for name in (OWN, OURS))
    ratios = ratios_of_sums(timed)
    spread = f"{median(ratios):.2f} ({min(ratios):.2f} – {max(ratios):.2f})"
    return "\n".join([*lines, f"{'all':<35} {own:12.1f} {ours:12.1f}", "", f"{OWN} / {OURS}: {spread}"])


def ratios_of_sums(timed: list[Timed]) -> list[float]:
    """TensorFlow's time for all layers of the network divided by ours, in each round."""
    rounds = range(len(timed[0].seconds[OWN]))
    own, ours = (
        [sum(one.count * one.seconds[name][number] for one in timed) for number in rounds] for name in (OWN, OURS)
    )
    return [theirs / mine for theirs, mine in zip(own, ours, strict=True)]


if __name__ == "__main__":
    arguments = parser("depthwise", __doc__)
    arguments.prog = "python -m benchmarks.depthwise"
    arguments.add_argument("--side", type=int, default=256, help="height and width of the network's images, in pixels")
    arguments.add_argument("--batch", type=int, default=8, help="images in a batch")
    arguments.add_argument("--rounds", type=int, default=5, help="rounds that count")
    arguments.add_argument("--json", type=Path, help="write the times to this file as well")
    run(arguments, main)
