"""Settings that were changed after a stage ran with them."""

from collections.abc import Mapping
from pathlib import Path

from src.files import flatten
from src.reproduction.history.lock import read_lock

PARAMS = "params.yaml"


def changed_settings(project: Path, stage: str, params: Mapping[str, object]) -> list[str]:
    """List the settings of a stage that differ from those in dvc.lock.

    Args:
        project: The root folder of the project.
        stage: The name of the stage.
        params: The present content of params.yaml.

    Returns:
        A line for each: the setting, its value then, and its value now. Empty if DVC never ran the stage.
    """
    entry = read_lock(project).get(stage, {})
    then, now = flatten(entry.get("params", {}).get(PARAMS, {})), flatten(params)
    return [f"{key}: {value}, now {now[key]}" for key, value in then.items() if key in now and now[key] != value]
