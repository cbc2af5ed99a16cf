"""Medians and ratios of the rounds of `benchmarks.training`, and a table of them."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

OURS, STOCK = "ours", "stock Keras"
PYTORCH = ("PyTorch float32", "PyTorch bfloat16")

Rounds = Mapping[str, Sequence[Mapping[str, float]]]  # contestant → the rates of each of its rounds


def figures(rounds: Rounds, flop: int | None) -> dict[str, Any]:
    """Return the median of every rate over the rounds, and [median, lowest, highest] of the ratios within a round.

    A ratio is spared by noise that lasts for rounds; where its lowest and highest lie apart, the machine was not quiet.
    `step_of_pytorch` is the time of our training step divided by that of the better PyTorch.
    flop: of a training step on one image; None if it was not counted.
    """
    found: dict[str, Any] = {"rates": {name: _medians(rates) for name, rates in rounds.items()}}
    torches = [name for name in PYTORCH if name in rounds]
    for what in ("train", "predict"):
        if STOCK in rounds:
            found[f"{what}_of_stock"] = _ratio(rounds, OURS, STOCK, what)
        if torches:
            best = max(torches, key=lambda name: found["rates"][name][what])
            found[f"{what}_of_pytorch"] = _ratio(rounds, OURS, best, what)
            if what == "train":
                found["step_of_pytorch"] = _ratio(rounds, best, OURS, what)
    ours = rounds[OURS]
    if flop is not None:
        found["share_of_products"] = _spread([rates["train"] * flop / 1e9 / rates["products"] for rates in ours])
    found["crops_time"] = _spread([rates["train"] / rates["crops"] for rates in ours])
    return found


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {what: median(rates[what] for rates in rounds) for what in rounds[0]}


def _ratio(rounds: Rounds, one: str, other: str, what: str) -> list[float]:
    return _spread([mine[what] / theirs[what] for mine, theirs in zip(rounds[one], rounds[other], strict=True)])


def _spread(values: Sequence[float]) -> list[float]:
    return [median(values), min(values), max(values)]


def _shown(spread: Sequence[float], form: str = ".2f") -> str:
    middle, low, high = (format(value, form) for value in spread)
    return f"{middle} ({low} – {high})"


def table(found: Mapping[str, Any]) -> str:
    """Format the figures of one setting and the facts of its contestants as text."""
    facts, results = found["facts"], found["figures"]
    rows = [["images a second", "training", "prediction", "import", "build", "first step"]]
    for name, rates in results["rates"].items():
        shown = name if name in PYTORCH else f"{name}, {facts[name]['precision']}"
        seconds = [f"{facts[name]['start'][part]:.1f} s" for part in rows[0][3:]]
        rows.append([shown, f"{rates['train']:.1f}", f"{rates['predict']:.1f}", *seconds])
    return "\n".join(
        [
            _heading(found),
            "",
            *_aligned(rows),
            "",
            "Medians, in brackets the lowest and the highest of the rounds:",
            *_ratios(found),
            f"On real, augmented crops it takes {_shown(results['crops_time'], '.3f')} times as long as on one batch.",
        ]
    )


def _heading(found: Mapping[str, Any]) -> str:
    """The network and its batches; numbers of parameters of all contestants where the networks differ."""
    setting, facts, plain = found["setting"], found["facts"], found["setting"]["encoder"] == "plain"
    network = f"{setting['filters']} filters, depth {setting['depth']}, batches of {setting['batch']} images of "
    network += f"{setting['side']} × {setting['side']} pixels: "
    if plain:
        flop = f"{found['flop'] / 1e9:.3g} GFLOP an image and training step"
        return f"{network}{facts[OURS]['parameters']:,} parameters, {flop}"
    parameters = (f"{name} {one['parameters']:,}" for name, one in facts.items())
    return f"Encoder {setting['encoder']}, {network}parameters: {', '.join(parameters)}"


def _ratios(found: Mapping[str, Any]) -> list[str]:
    """A sentence on each ratio of the figures."""
    setting, facts, results = found["setting"], found["facts"], found["figures"]
    ratios = []
    for key, name in (("stock", STOCK), ("pytorch", "the better PyTorch")):
        if f"train_of_{key}" in results:
            train, predict = (_shown(results[f"{what}_of_{key}"]) for what in ("train", "predict"))
            ratios.append(f"Ours is {train} times as fast as {name} in training, {predict} times in prediction.")
    if setting["encoder"] != "plain":
        step = setting["batch"] / results["rates"][OURS]["train"]
        relative = f", {_shown(results['step_of_pytorch'])} of that in PyTorch" if "step_of_pytorch" in results else ""
        ratios.append(f"Our training step takes {step:.3f} s{relative}.")
    if "share_of_products" in results:
        products = results["rates"][OURS]["products"]
        ratios.append(
            f"Our step runs at {_shown(results['share_of_products'])} of the speed of matrix products in "
            f"{facts[OURS]['precision']}, {products:.0f} GFLOP a second."
        )
    return ratios


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart; the first is left-aligned, numbers are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return lines
