"""The names under which an ensemble lists its members. Anyone who gets the file or its card can read them."""

from collections.abc import Sequence

from src.errors import LONGEST, printable


def stored_names(labels: Sequence[str]) -> list[str]:
    """Make the names of members fit into ensemble.json, and make them differ.

    Long names are cut off, because ensemble.json limits them. A name that occurs again gets a number, as in
    "unet.keras (2)". Characters that cannot be displayed are escaped.

    Args:
        labels: The experiment or the file name of each member.

    Returns:
        A name for each member; no two are equal.
    """
    names = list[str]()
    for label in map(printable, labels):
        own = label if len(label) <= LONGEST else f"{label[:LONGEST]} …"
        name, number = own, 1
        while name in names:
            number += 1
            name = f"{own} ({number})"
        names.append(name)
    return names
