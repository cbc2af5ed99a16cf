"""The chart of a learning curve: measured points, the fitted power law, and the predicted score of twice the labels."""

from pathlib import Path

from matplotlib.figure import Figure

from src.learning_curve.curve import Curve
from src.learning_curve.estimate import Estimate
from src.report.figures.style import FALSE_ALARM, TRAINING, VALIDATION, save


def draw_learning_curve(path: Path, curve: Curve, found: Estimate) -> None:
    """Draw a learning curve.

    Args:
        path: The PNG file.
        curve: The measured points.
        found: What was fitted.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axis, band = figure.subplots(), found.band
    if found.labels.bounds:  # without groups the band would hold the noise of seeds alone
        axis.fill_between(band.images, band.low, band.high, color=TRAINING, alpha=0.15, label="95 % interval")
    axis.plot(band.images, band.middle, color=TRAINING, label="power law")
    for number, point in enumerate(curve.points):
        label = "training" if number == 0 else None
        axis.plot(point.counts, point.means, ".", color="0.45", label=label)
    images = [point.images for point in curve.points]
    axis.plot(images, [point.mean for point in curve.points], "o", color=TRAINING, label="mean of the trainings")
    axis.plot(band.images[-1], band.middle[-1], "D", color=VALIDATION, label="twice the labels, predicted")
    if curve.longer:
        axis.plot(curve.longer.images, curve.longer.mean, "^", color=FALSE_ALARM, label="twice the steps")
    axis.set_xscale("log", base=2)
    ticks = [*images, 2 * images[-1]]
    axis.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axis.minorticks_off()
    axis.set(xlabel="training images", ylabel="mean Dice of the validation images")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save(figure, path)
