"""Match the stored values of one set of masks to the classes of a model or of other masks.

If dataset.yaml names the classes, equal names match. Without names, equal stored values match. If these differ, the
order of the values matches the classes, where only one order is possible. Everything else is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from src.data.reading.channels import GREY_TO_COLOUR
from src.data.source.dataset import NAME, Dataset, StoredValue, stored_number
from src.errors import UserError


@dataclass(frozen=True)
class Match:
    """How the classes of one data set correspond to the known classes.

    Attributes:
        indices: For each own class, the index of the known class. No index occurs twice.
        how: What decided: "name", "value" or "order".
    """

    indices: list[int]
    how: str

    def describe(self, values: Sequence[StoredValue], known: Dataset) -> str:
        """The match in words, such as `0 as background, 255 as cell`.

        Args:
            values: Stored value of each own class.
            known: The known classes.
        """
        names = known.names
        return ", ".join(f"{value} as {names[index]}" for value, index in zip(values, self.indices, strict=True))


def match_classes(own: Dataset, known: Dataset, *, named: bool, place: str = NAME) -> Match:
    """Match the classes of a data set to the known classes.

    Args:
        own: The classes to match, as resolved from masks and dataset.yaml.
        known: The classes of a model, or of other masks of the same images. It may have more classes.
        named: Whether dataset.yaml names the own classes. If not, their names are generated and mean nothing.
        place: The file in which a user can name the own classes, for messages.

    Returns:
        The match of every own class.

    Raises:
        UserError: The match of some class is not certain, or only one of both has overlapping classes. The message says
            what to write in which file.
    """
    if own.overlap != known.overlap:
        words = ("overlap", "do not") if own.overlap else ("do not overlap", "do")
        remedy = "use a model and masks of one kind (overlap in dataset.yaml)"
        raise UserError(f"the classes of the data {words[0]}, those of the model {words[1]}; {remedy}")
    if named or own.overlap:  # folders and channels of overlapping classes have names
        return match_names(own.names, known.names, place)
    match = match_values(list(own.classes), known, place)
    stated = own.background_index  # the lowest value, unless dataset.yaml has the key `background`
    if (
        stated is not None
        and own.stored_values[stated] != min(own.stored_values)
        and match.indices[stated] != known.background_index
    ):
        what = f"{NAME} says that {list(own.classes)[stated]} is the background, but by their values the classes are"
        raise UserError(f"{what} {match.describe(list(own.classes), known)}; {_remedy(known, place)}")
    return match


def match_names(own: Sequence[str], known: Sequence[str], place: str = NAME, owner: str = "the model") -> Match:
    """Match classes by equal names.

    Args:
        own: The names to match.
        known: The names of the known classes.
        place: The file in which a user can name the own classes, for messages.
        owner: What messages call the owner of the known classes.

    Raises:
        UserError: Some names are not known. The message lists them.
    """
    if unknown := [name for name in own if name not in known]:
        folded = {name.strip().casefold(): name for name in known}
        near = [f"{name!r} may be {folded[key]!r}" for name in unknown if (key := name.strip().casefold()) in folded]
        hint = f" ({', '.join(near)})" if near else ""
        raise UserError(
            f"{owner} does not know {', '.join(unknown)}{hint}; its classes are {', '.join(known)}, those of the "
            f"data {', '.join(own)}; give them the names of {owner} under classes in {place}"
        )
    return Match([known.index(name) for name in own], "name")


def match_values(own: Sequence[StoredValue], known: Dataset, place: str = NAME) -> Match:
    """Match stored values without names: by equal values, else by order if only one order is possible.

    Args:
        own: The stored values to match.
        known: The known classes.
        place: The file in which a user can name the own classes, for messages.

    Raises:
        UserError: Neither matches all values.
    """
    coloured = any(isinstance(value, str) for value in (*own, *known.classes))
    values, theirs = _numbers(own, coloured), _numbers(list(known.classes), coloured)
    if set(values) <= set(theirs):
        return Match([theirs.index(value) for value in values], "value")
    if _order_decides(values, theirs, known.background_index, coloured):
        by_rank = [theirs.index(value) for value in sorted(theirs)]
        return Match([by_rank[sorted(values).index(value)] for value in values], "order")
    shown, names = ", ".join(map(str, own)), ", ".join(f"{value}: {name}" for value, name in known.classes.items())
    raise UserError(f"the values {shown} are not those of the known classes, {names}; {_remedy(known, place)}")


def _order_decides(own: Sequence[int], known: Sequence[int], background: int | None, coloured: bool) -> bool:
    """Return whether the order of the values matches the classes with certainty, as for 0 and 1 in place of 0 and 255.

    In masks without names the lowest value is the background. So it must be the background of the known classes, too.
    """
    if len(own) != len(known) or min(own) < min(0, *known):  # a negative value often means "not annotated"
        return False
    if background is not None and known[background] != min(known):
        return False
    if coloured and not (len(own) == 2 and min(own) == min(known) == 0):  # colours have no order, but black comes first
        return False
    shared = set(own) & set(known)
    if len(own) == 2:
        return all(sorted(own).index(value) == sorted(known).index(value) for value in shared)
    # Matched by order, a value in both sets would mean two different classes, unless it is the lowest of both.
    return shared <= {min(own)} and (not shared or min(own) == min(known))


def _numbers(values: Sequence[StoredValue], coloured: bool) -> list[int]:
    """Values as comparable numbers. If any set has colours, grey values become colours, and others negative numbers."""
    return [
        stored_number(value)
        if isinstance(value, str) or not coloured
        else value * GREY_TO_COLOUR
        if 0 <= value < 256
        else -1 - value
        for value in values
    ]


def _remedy(known: Dataset, place: str) -> str:
    return f"say which is which under classes in {place}, with the names {', '.join(known.names)}"
