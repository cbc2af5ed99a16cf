"""Rank masks by how likely they are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.suspects.judge import KINDS, Error, Judged

COLUMNS = ["rank", "image", "score", "kind", "reason", "left", "top", "width", "height", "disagreement", *KINDS]
LEAST_TYPICAL = 1.0  # nats: below this, disagreement is rounding


@dataclass(frozen=True)
class Suspect:
    """A mask that may be wrong.

    Attributes:
        judged: The mask and its possible errors.
        score: From 0 to 1, see `rank_masks`.
        error: The error that explains most.
    """

    judged: Judged
    score: float
    error: Error

    @property
    def id(self) -> str:
        """The name of the image."""
        return self.judged.id


def rank_masks(masks: Sequence[Judged]) -> list[Suspect]:
    """Rank masks by the share of their disagreement with the prediction that one correction removes.

    The share of a correction is its gain / (disagreement of the mask + typical disagreement), all in nats of
    log-likelihood. The typical disagreement is the median over all masks. So a share is high if one error explains most
    of a disagreement that is larger than those of other masks. An image that is hard for the networks disagrees in many
    places, which no single error explains.

    The median share over all masks is subtracted for each kind of error. Networks that overlook thin parts would
    otherwise make all masks look as if an object was added. The error with the largest difference gives the score.

    Args:
        masks: All masks.

    Returns:
        The masks with a possible error, the most suspicious first.
    """
    if not masks:
        return []
    typical = max(float(np.median([mask.disagreement for mask in masks])), LEAST_TYPICAL)
    usual = {kind: float(np.median([mask.share(kind, typical) for mask in masks])) for kind in KINDS}
    found = []
    for mask in masks:
        excess = {error.kind: mask.share(error.kind, typical) - usual[error.kind] for error in mask.errors}
        if excess:
            kind = max(excess, key=excess.__getitem__)
            error = next(error for error in mask.errors if error.kind == kind)
            found.append(Suspect(mask, max(excess[kind], 0.0), error))
    return sorted(found, key=lambda suspect: (-suspect.score, suspect.id))


def suspect_rows(suspects: Sequence[Suspect]) -> list[dict[str, object]]:
    """Return a row of `COLUMNS` for each mask; the columns of `KINDS` hold the gain of each correction in nats."""
    rows = list[dict[str, object]]()
    for rank, suspect in enumerate(suspects, start=1):
        error, judged = suspect.error, suspect.judged
        row: dict[str, object] = {"rank": rank, "image": suspect.id, "score": round(suspect.score, 4)}
        row |= {"kind": error.kind, "reason": error.words} | (vars(error.box) if error.box else {})
        row |= {"disagreement": round(judged.disagreement, 1)}
        rows.append(row | {kind: round(judged.gain(kind), 1) for kind in KINDS})
    return rows
