"""The names under which an ensemble lists its members. Anyone who gets the file or its card can read them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.errors import LONGEST, printable

if TYPE_CHECKING:
    from src.model.ensemble.sources import Source


def stored_names(sources: "Sequence[Source]") -> list[str]:
    """Name the members: an experiment by its name, a model file by its name without its folders.

    Long names are cut off, because ensemble.json limits them. A name that occurs again gets a number, as in
    "unet.keras (2)". Characters that cannot be displayed are escaped.

    Args:
        sources: The members.

    Returns:
        A name for each member; no two are equal.
    """
    names = list[str]()
    for source in sources:
        of_file = source.path == Path(source.name)
        own = printable(source.path.name if of_file else source.name)
        own = own if len(own) <= LONGEST else f"{own[:LONGEST]} …"
        name, number = own, 1
        while name in names:
            number += 1
            name = f"{own} ({number})"
        names.append(name)
    return names
