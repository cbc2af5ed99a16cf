"""What must be equal on other hardware, and by how much scores may differ there: every rule with its reason.

In training, rounding errors grow over thousands of steps, so on other hardware the weights differ as they would for
another seed. For the bundled sample's default run, another processor changed the mean Dice and IoU by -0.008 and the
Dice of all lake pixels by -0.035. There, one core instead of two (which adds in another order) changed them by a
further -0.0005 and -0.011. Seeds 0, 1 and 2 reach a mean Dice of 0.642, 0.632 and 0.635. Prepared pixels, splits and
the colour classifier's scores stayed equal to the last digit. The first two also stayed equal without the vector units
of OpenCV and NumPy; the pictures of augmentation did not.
"""

import re
from dataclasses import dataclass

TOLERANCE = 0.02  # three standard deviations of the difference between two seeds, 0.0066
SCORES = ("metrics/test.json", "metrics/train.json")

# Stages whose outputs may differ on other hardware; those of all other stages must be equal. augment draws patches that
# were warped in floating point; the others depend on the model.
MAY_DIFFER = ("augment", "train", "evaluate", "visualize")


@dataclass(frozen=True)
class ToleranceRule:
    """A rule: the largest allowed difference of the scores that match a pattern.

    Attributes:
        keys: Regular expression that matches the whole key of a score.
        most: The largest difference; None if these scores are not judged.
        times: `most` is a multiple of the tolerance, the one number that a user sets.
    """

    keys: str
    most: float | None
    times: bool = False

    def limit(self, tolerance: float) -> float | None:
        """Return the largest difference for a tolerance; None if these scores are not judged."""
        return self.most * tolerance if self.most is not None and self.times else self.most


RULES = (  # the first that matches applies
    # Counts and the plan involve no arithmetic of the device.
    ToleranceRule(r"images|groups|images\.(train|validation)|empty\..+\.images|parameters|epochs|plan\..+", 0.0),
    # A random forest on the processor: not affected by training, at most by a rounding error.
    ToleranceRule(r"baseline\..+", 0.001),
    # Close decisions, and values that the device determines.
    ToleranceRule(r"(.+\.)?decisions\..+|(.+\.)?\w+_undecided|best_epoch|precision|replicas|shortened_.+", None),
    # Numbers of images that hold the class in truth or prediction: a single false pixel changes them.
    ToleranceRule(r"classes\..+\.(images|groups)", None),
    # A few pixels change these a lot; Dice, IoU and surface Dice, which are judged, weigh such pixels.
    ToleranceRule(r"hd95\..+|classes\..+\.(hd95|precision|recall)|empty\..+", None),
    # Means over all classes and images.
    ToleranceRule(r"(dice|iou)\.mean|accuracy|calibration\..+", 1.0, times=True),
    # Single classes, intervals and losses depend on fewer pixels.
    ToleranceRule(r".+", 5.0, times=True),
)


def tolerance_rule(key: str) -> ToleranceRule:
    """Return the rule for the key of a score, such as dice.mean."""
    return next(rule for rule in RULES if re.fullmatch(rule.keys, key))
