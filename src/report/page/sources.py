"""Which content does the report page show? It is read once, before the page is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from src.evaluation.scoring.methods import NETWORK
from src.files import read_csv
from src.report.run.run_results import RunResults
from src.report.text.format import Rows, Scores
from src.reproduction.history.provenance import hash_of, versions


@dataclass(frozen=True, kw_only=True)
class PageSources(RunResults):
    """The content of a run's files, and what only the page shows of it.

    Attributes:
        gain: Difference in mean Dice between network and colour baseline, see src/evaluation/scoring/baseline_gain.py.
        settings: All of params.yaml, section by section.
        scores: Rows of scores.csv: the scores of each image, class and method.
        confusion: Rows of confusion.csv.
        reliability: Rows of reliability.csv; empty if it was not written.
        history: Rows of history.csv: one for each epoch.
        shares: Rows of plots/splits.csv: the share of each class in each subset.
        augmentation: Folder of the augmentation pictures.
        predictions: File of the predicted test masks.
        hashes: Path → what the file is, and its MD5 as in dvc.lock.
        versions: Package → installed version.
    """

    gain: Scores
    settings: Scores
    scores: Rows
    confusion: Rows
    reliability: Rows
    history: Rows
    shares: Rows
    augmentation: Path
    predictions: Path
    hashes: Mapping[str, tuple[str, str]]
    versions: Mapping[str, str]

    @property
    def unit(self) -> str:
        """The unit of distances."""
        return self.store.dataset.length_unit

    @cached_property
    def network(self) -> Rows:
        """The network's rows of the scores."""
        return [row for row in self.scores if row["method"] == NETWORK]


def read_page_sources(results: RunResults, gain: Scores, settings: Scores) -> PageSources:
    """Add to a run's results what only the page shows.

    Args:
        results: What `read_results` returned for the current directory.
        gain: Difference between network and colour baseline; empty if there is none.
        settings: All of params.yaml, section by section.
    """
    files = results.files
    hashed = {
        files.prepared: "the images and masks, read and checked",
        files.splits: "which of them were trained on, validated on and tested",
        files.model: "the model",
        files.evaluation: "its scores and predictions",
    }
    return PageSources(
        **vars(results),
        gain=gain,
        settings=settings,
        scores=read_csv(files.scores),
        confusion=read_csv(files.confusion),
        reliability=read_csv(files.reliability) if files.reliability.exists() else [],
        history=read_csv(files.history),
        shares=read_csv(files.shares),
        augmentation=files.augmentation,
        predictions=files.predictions,
        hashes={path.as_posix(): (what, hash_of(path)) for path, what in hashed.items()},
        versions=versions() | {"Keras that saved the model": results.keras},
    )
