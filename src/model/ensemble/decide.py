"""Make the decisions of an ensemble: on validation images that no member was trained on, or the defaults."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.archive.project import Decisions
from src.data.store.subsample import subsample
from src.model.decisions.fit_decisions import fit_decisions
from src.model.ensemble.sources import Source, common_mirror, names_of, unseen_validation
from src.model.inference.predictor import predictor_of
from src.model.network.model_file import read_model
from src.params import Decide, Flip


@dataclass(frozen=True)
class Decided:
    """Decisions, and how they were made, in a sentence."""

    decisions: Decisions
    how: str


def decide(sources: Sequence[Source], tried: Decide, seed: int) -> Decided:
    """Fit the decisions anew, or take the defaults if no validation images are left for that.

    Args:
        sources: The members.
        tried: The decisions to try.
        seed: Of the sampled pixels and of the bootstrap.
    """
    mirror = common_mirror([source.project for source in sources])
    validated, reason = unseen_validation(sources)
    if validated is None:
        default = Decisions(mirror=mirror)
        values = f"temperature {default.temperature:g}, threshold {default.threshold:g}, no post-processing"
        return Decided(default, f"Not fitted, because {reason}: {values}; {_copies(mirror)}.")
    limit = sources[0].project.plan.get("train.validation_images")
    validated = subsample(validated, int(limit.value)) if limit else validated
    predictor = predictor_of([read_model(source.path) for source in sources]).with_default_decisions()
    predictor, _ = fit_decisions(predictor, validated, tried, seed, flip=mirror)
    images = f"{len(validated)} validation images in {len(set(validated.groups))} groups"
    how = f"Fitted on {images} of {names_of(sources)[0]}, which no member was trained on and none tests."
    return Decided(predictor.project.decisions, how)


def _copies(mirror: Flip) -> str:
    """Say which mirrored copies are averaged by default, and why."""
    if mirror == "none":
        return "no mirrored copies (there is no direction that all members use by themselves)"
    return f"mirror {mirror} (the directions that all members use by themselves)"
