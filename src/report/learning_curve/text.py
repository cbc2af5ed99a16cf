"""The text of a learning curve: table, answer and notes."""

import textwrap

from src.data.store.subsets import FEWEST_GROUPS
from src.learning_curve.curve import Curve, Point
from src.learning_curve.estimate import Estimate, Range
from src.report.text.format import aligned

WIDTH = 120  # characters of a line
SCORED = (
    "Dice: mean over {images} validation image(s), then over classes, after the last step, at the images' own "
    "resolution. No epoch is chosen on these images, and no test image is read. If settings were chosen on them, as "
    "tools.plan --minutes does, all points are slightly too high alike."
)
FEW = (
    f"There are no intervals, since a class counts in fewer than {FEWEST_GROUPS} groups of validation images: raise "
    "split.validation, or add groups."
)
FLAT = "The score did not grow with the number of labels: trainings are too short, or noise is larger than the gain."
ONE_SEED = (
    "There is one seed, so the noise of seeds is not measured but assumed (standard deviation {spread:.3f}): give "
    "--seeds 0 1 2."
)
SHORT = (
    "The trainings have {steps} steps, the plan has {planned}. Short trainings show less of what labels bring, and "
    "more of what steps bring."
)
UNTOLD = "The interval of twice the labels includes 0: it is not known whether more labels help"


def curve_text(curve: Curve, found: Estimate, planned: int) -> str:
    """Write a learning curve and what follows from it as text for the terminal.

    Args:
        curve: The curve.
        found: What it tells.
        planned: train.steps of the plan.
    """
    header = ["images", "groups", "steps", "Dice", *(f"seed {seed}" for seed in curve.seeds)]
    table = aligned([header, *map(_cells, curve.columns)])
    lines = [answer(found), *notes(curve, found, planned)]
    return "\n".join([*table, "", *(textwrap.fill(line, WIDTH) for line in lines)])


def answer(found: Estimate) -> str:
    """Say what twice the labels and twice the steps would bring, and which is more."""
    sentences = [f"Twice the labels: {_gain(found.labels)}"]
    if found.longer and found.advantage:
        sentences[0] += f"; twice the steps: {_gain(found.longer)}"
        sentences.append(_verdict(found.advantage))
    if found.labels.bounds and not found.labels.sign:
        sentences.append(UNTOLD)
    return ". ".join(sentences) + "."


def notes(curve: Curve, found: Estimate, planned: int) -> list[str]:
    """Say how the numbers were made, and what they cannot tell.

    Args:
        curve: The curve.
        found: What it tells.
        planned: train.steps of the plan.
    """
    exponent, parts, whole = found.exponent, found.spreads.parts, found.spreads.whole
    powers = f"{exponent.value:.2f}"
    if exponent.bounds:
        powers += f" ({exponent.bounds[0]:.2f} to {exponent.bounds[1]:.2f})"
    lines = [SCORED.format(images=len(curve.groups))]
    lines.append(
        f"Fit: Dice(n) = limit - loss · n^-b, b {powers}. The intervals contain the choice of validation groups, of "
        f"seeds (standard deviation {whole.deviation:.4f} on all images), of seeds and draws ({parts.deviation:.4f} on "
        "fractions), and of b."
    )
    if not found.grew:
        lines.append(FLAT)
    if found.labels.bounds is None:
        lines.append(FEW)
    if curve.left_out:
        few = f"fewer than {FEWEST_GROUPS} groups of validation images hold them"
        lines.append(f"Left out of Dice: {', '.join(curve.left_out)}: {few}.")
    if not whole.freedom:
        lines.append(ONE_SEED.format(spread=whole.deviation))
    steps = curve.points[0].steps
    if steps < planned:
        lines.append(SHORT.format(steps=steps, planned=planned))
    return lines


def _verdict(advantage: Range) -> str:
    if advantage.bounds is None:
        return "Which helps more is not known: there are no intervals"
    words = {1: "More labels help more", -1: "A longer training helps more", 0: "Which helps more is not known"}
    return f"{words[advantage.sign]}: {_gain(advantage, 'difference')}"


def _gain(gain: Range, name: str = "Dice") -> str:
    """Write a gain as `Dice +0.012 (95 % interval +0.004 to +0.021)`."""
    shown = f"{name} {gain.value:+.3f}"
    return f"{shown} (95 % interval {gain.bounds[0]:+.3f} to {gain.bounds[1]:+.3f})" if gain.bounds else shown


def _cells(point: Point) -> list[str]:
    seeds = [f"{mean:.3f}" for mean in point.means]
    return [f"{point.images:.0f}", str(point.groups), str(point.steps), f"{point.mean:.3f}", *seeds]
