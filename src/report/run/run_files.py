"""Where are the files of a run? A stage or a tool says so, and the report page and the model card read them there."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Paths of the files that the stages wrote, relative to the root of the project.

    Attributes:
        prepared: Folder of the prepared data set.
        checks: Table of the findings of the data set checks.
        splits: Table that assigns each image to a subset.
        evaluation: Folder of the tables and predictions that the evaluate stage writes.
        model: The model file.
        metrics: Folder of train.json and test.json.
        plots: Folder of the training history, the subsets' class shares and the augmentation pictures.
    """

    prepared: Path
    checks: Path
    splits: Path
    evaluation: Path
    model: Path
    metrics: Path
    plots: Path

    @property
    def train(self) -> Path:
        return self.metrics / "train.json"

    @property
    def test(self) -> Path:
        return self.metrics / "test.json"

    @property
    def scores(self) -> Path:
        return self.evaluation / "scores.csv"

    @property
    def classes(self) -> Path:
        return self.evaluation / "classes.csv"

    @property
    def worst(self) -> Path:
        return self.evaluation / "worst.csv"

    @property
    def confusion(self) -> Path:
        return self.evaluation / "confusion.csv"

    @property
    def reliability(self) -> Path:
        return self.evaluation / "reliability.csv"

    @property
    def predictions(self) -> Path:
        return self.evaluation / "predictions.npz"

    @property
    def history(self) -> Path:
        return self.plots / "history.csv"

    @property
    def shares(self) -> Path:
        return self.plots / "splits.csv"

    @property
    def augmentation(self) -> Path:
        return self.plots / "augmentation"
