"""A candidate: settings that are changed from what the rules of the plan choose."""

from collections import defaultdict
from dataclasses import dataclass

from src.params import Params

Value = int | float | str


@dataclass(frozen=True)
class Candidate:
    """Settings to try. All other settings follow from the rules, given these.

    Attributes:
        settings: Pairs of the name in params.yaml and the value, sorted by name; empty for what the rules choose.
    """

    settings: tuple[tuple[str, Value], ...] = ()

    def changed(self, key: str, value: Value) -> "Candidate":
        """Return the candidate with one setting changed or added.

        Args:
            key: The name of the setting in params.yaml.
            value: Its value.
        """
        return Candidate(tuple(sorted((dict(self.settings) | {key: value}).items())))

    def applied(self, params: Params) -> Params:
        """Return the parameters with the settings of the candidate in place of theirs."""
        return with_settings(params, dict(self.settings))

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self.settings) or "as the rules choose"


RULES = Candidate()


def with_settings(params: Params, settings: dict[str, Value]) -> Params:
    """Replace settings of the parameters.

    Args:
        params: The parameters.
        settings: Name in params.yaml, such as train.lr → value.
    """
    sections = defaultdict[str, dict[str, Value]](dict)
    for key, value in settings.items():
        section, name = key.split(".")
        sections[section][name] = value
    changed = {name: getattr(params, name).model_copy(update=values) for name, values in sections.items()}
    return params.model_copy(update=changed)


def setting_of(params: Params, key: str) -> Value:
    """Return one setting.

    Args:
        params: The parameters.
        key: The name of the setting in params.yaml, such as train.lr.
    """
    section, name = key.split(".")
    value: Value = getattr(getattr(params, section), name)
    return value
