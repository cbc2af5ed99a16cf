"""A setting of the plan: in memory, as it is printed, and in the model file."""

from src.section import Section


class PlannedSetting(Section):
    """A setting of the plan, and why it has this value."""

    value: int | float | str
    why: str
