"""Read size and scaling of the network from which training starts, if train.initial names one."""

from dataclasses import dataclass
from pathlib import Path

from src.archive.validate_archive import NOT_OURS, validate_archive
from src.errors import UserError
from src.params import PlannedModel


@dataclass(frozen=True)
class Initial:
    """An initial network.

    Attributes:
        model: Its encoder, filters and depth.
        resize: The shorter side of the images that it was trained on in pixels; 0 if images kept their size.
        encoder_scaling: Whether data.normalise was encoder.
    """

    model: PlannedModel
    resize: int
    encoder_scaling: bool = False


def initial_network(initial: str) -> Initial | None:
    """Read what the plan needs from the model file that train.initial names.

    Args:
        initial: train.initial.

    Returns:
        The network; None if train.initial is none.

    Raises:
        UserError: There is no such file, or it is not a model of this project.
    """
    if initial == "none":
        return None
    if not Path(initial).exists():
        raise UserError(f"train.initial: {initial}: no such file; copy a models/unet.keras there")
    try:
        project = validate_archive(Path(initial)).project
        plan = project.plan
        if not plan:
            raise UserError(f"{initial}: {NOT_OURS}: it was saved before models kept their plan: train it anew")
        sizes = {name: plan[f"model.{name}"].value for name in ("filters", "depth")}
        model = PlannedModel.model_validate(sizes | {"encoder": project.encoder})
        return Initial(model, project.shorter_side, project.normalise == "encoder")
    except UserError as error:
        raise UserError(f"train.initial: {error}") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"train.initial: {initial}: {NOT_OURS}: its plan: {error}") from None
