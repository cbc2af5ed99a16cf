"""Describe the file of an ensemble: a table of its members, and how its decisions were made."""

from collections.abc import Sequence

from src.archive.ensemble import Ensemble
from src.archive.project import Project
from src.errors import printable
from src.report.text.format import ABSENT, aligned, setting

HEADER = ["member", "encoder", "depth", "filters", "steps", "epochs"]


def ensemble_text(path: str, ensemble: Ensemble, projects: Sequence[Project]) -> str:
    """Describe an ensemble that was written.

    Args:
        path: Its file.
        ensemble: The content of its ensemble.json.
        projects: The project.json of each member.
    """
    values = projects[0].model_copy(update={"decisions": ensemble.decisions}).decision_values
    decisions = ", ".join(f"{name} {setting(value)}" for name, value in values.items())
    lines = aligned([HEADER, *model_rows(ensemble, projects)])
    lines += [f"decisions: {decisions}", printable(ensemble.decided), images_sentence(ensemble)]
    lines += [f"{path}: an ensemble of {len(projects)} members; use it with --model {path}"]
    return "\n".join(lines)


def model_rows(ensemble: Ensemble, projects: Sequence[Project]) -> list[list[str]]:
    """Write a row for each member: its name, encoder and depth, and what its plan says of filters, steps and epochs.

    Args:
        ensemble: The content of ensemble.json.
        projects: The project.json of each member.
    """
    rows = []
    for model, project in zip(ensemble.models, projects, strict=True):
        planned = [project.plan.get(key) for key in ("model.filters", "train.steps", "train.epochs")]
        numbers = [str(one.value) if one else ABSENT for one in planned]
        rows.append([printable(model.name), project.encoder, str(project.depth), *numbers])
    return rows


def images_sentence(ensemble: Ensemble) -> str:
    """Return a sentence on the images that members were trained or validated on."""
    if unknown := ensemble.unrecorded:
        names = ", ".join(map(printable, unknown))
        return f"the training images of these members are not known, so tools.score cannot refuse them: {names}"
    return f"{len(ensemble.seen):,} images were used to train or validate a member; tools.score refuses them"
