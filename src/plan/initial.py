"""The network that training begins from, if train.initial names one: what the plan must know of it."""

from pathlib import Path
from typing import NamedTuple

from src.archive.validate_archive import NOT_OURS, validate_archive
from src.errors import UserError
from src.params import PlannedModel


class Initial(NamedTuple):
    """unet: the network's shape; resize: the side of the images that it was shown, 0 for their own sizes."""

    unet: PlannedModel
    resize: int


def initial_network(initial: str) -> Initial | None:
    """Of the network in the archive at train.initial; `UserError` if it is none that this project saved."""
    if initial == "none":
        return None
    if not Path(initial).exists():
        raise UserError(f"train.initial: {initial}: no such file; copy a models/unet.keras there")
    try:
        project = validate_archive(Path(initial)).project
        plan = project.plan
        if not plan:
            raise UserError(f"{initial}: {NOT_OURS}: it was saved before models kept their plan: train it anew")
        unet = PlannedModel.model_validate({name: plan[f"model.{name}"].value for name in PlannedModel.model_fields})
        return Initial(unet, project.resize)
    except UserError as error:
        raise UserError(f"train.initial: {error}") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"train.initial: {initial}: {NOT_OURS}: its plan: {error}") from None
