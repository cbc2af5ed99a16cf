"""The network that training begins from, if train.initial names one: what the plan must know of it."""

import json
import zipfile
from pathlib import Path

from src.errors import UserError
from src.params import Model

MEMBER = "project.json"  # of models/unet.keras, see src/model/archive.py


def initial_network(initial: str) -> Model | None:
    """The shape of the network in the archive at train.initial; `UserError` if it is none that this project saved."""
    if initial == "none":
        return None
    try:
        with zipfile.ZipFile(Path(initial)) as archive:
            plan = json.loads(archive.read(MEMBER)).get("plan")
        if not plan:
            raise ValueError("it was saved before models kept their plan: train it anew")
        return Model(filters=plan["model.filters"]["value"], depth=plan["model.depth"]["value"])
    except FileNotFoundError:
        raise UserError(f"train.initial: {initial}: no such file; copy a models/unet.keras there") from None
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"train.initial: {initial}: not a model of this project: {error}") from None
