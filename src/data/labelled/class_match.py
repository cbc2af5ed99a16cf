"""Match the stored values of one set of masks to the classes of a model or of other masks.

A name decides where dataset.yaml gives one. Without names, equal stored values decide. Only if these differ, the order
of the values decides, and only where it leaves no doubt. Everything else is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from src.data.source.dataset import NAME, Dataset, StoredValue, stored_number
from src.errors import UserError

GREY = 0x010101  # a grey value times this is the same grey as a colour, 0xRRGGBB


@dataclass(frozen=True)
class Match:
    """How the classes of one set are matched to the known classes.

    places: for each own class, its index among the known ones, no index twice. how: "name", "value" or "order".
    """

    places: list[int]
    how: str

    def words(self, values: Sequence[StoredValue], known: Dataset) -> str:
        """The pairs for people: `0 as background, 255 as cell`."""
        names = known.names
        return ", ".join(f"{value} as {names[place]}" for value, place in zip(values, self.places, strict=True))


def match_classes(own: Dataset, known: Dataset, *, named: bool, place: str = NAME) -> Match:
    """Match the classes of a data set to the known classes.

    Args:
        own: the classes to be matched, as resolved from masks and dataset.yaml.
        known: the classes of a model, or of other masks of the same images. It may have more classes.
        named: whether dataset.yaml names the own classes. If not, their names are made up and mean nothing.
        place: the file in which a user can name the own classes, for messages.

    Returns:
        The match of every own class.

    Raises:
        UserError: it is not certain for some class which one it is; the message says what to write where.
    """
    if named:
        return match_names(own.names, known.names, place)
    match = match_values(list(own.classes), known, place)
    stated = own.background_index  # without names it is the lowest value, unless dataset.yaml says `background`
    if (
        stated is not None
        and own.stored_values[stated] != min(own.stored_values)
        and match.places[stated] != known.background_index
    ):
        what = f"{NAME} says that {list(own.classes)[stated]} is the background, but by their values the classes are"
        raise UserError(f"{what} {match.words(list(own.classes), known)}; {_remedy(known, place)}")
    return match


def match_names(own: Sequence[str], known: Sequence[str], place: str = NAME, owner: str = "the model") -> Match:
    """Match classes by equal names; `UserError` lists the names that are not known. owner: of the known classes."""
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
    """Match stored values that nobody named: equal values first, else by order if that leaves no doubt.

    Raises:
        UserError: neither decides.
    """
    coloured = any(isinstance(value, str) for value in (*own, *known.classes))
    values, theirs = _numbers(own, coloured), _numbers(list(known.classes), coloured)
    if set(values) <= set(theirs):
        return Match([theirs.index(value) for value in values], "value")
    if _order_decides(values, theirs, known.background_index, coloured):
        places = [theirs.index(value) for value in sorted(theirs)]
        return Match([places[sorted(values).index(value)] for value in values], "order")
    held, names = ", ".join(map(str, own)), ", ".join(f"{value}: {name}" for value, name in known.classes.items())
    raise UserError(f"the values {held} are not those of the known classes, {names}; {_remedy(known, place)}")


def _order_decides(own: Sequence[int], known: Sequence[int], background: int | None, coloured: bool) -> bool:
    """Whether the order of the values tells which is which, as for 0 and 1 in place of 0 and 255.

    In masks that nobody described, the lowest value is the background. So it must be for the known classes.
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
    # A value in both sets would be another class in each, unless it is the lowest of both.
    return shared <= {min(own)} and (not shared or min(own) == min(known))


def _numbers(values: Sequence[StoredValue], coloured: bool) -> list[int]:
    """Values that can be compared: if any set is in colours, grey values are those colours."""
    return [
        stored_number(value)
        if isinstance(value, str) or not coloured
        else value * GREY
        if 0 <= value < 256
        else -1 - value
        for value in values
    ]


def _remedy(known: Dataset, place: str) -> str:
    return f"say which is which under classes in {place}, with the names {', '.join(known.names)}"
