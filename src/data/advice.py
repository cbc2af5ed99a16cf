"""What split will make of a checked data set, and what its groups should be, before anything is prepared."""

from collections import Counter
from collections.abc import Iterator, Mapping

from src.data.caveat import dependence_in
from src.data.dataset import NAME, SUBSETS
from src.data.divide import groups_in, notes, split
from src.data.sequences import Proposal, one_sequence, proposals
from src.data.store import Described
from src.errors import UserError
from src.params import Split

TABLE = (
    f"write a table beside {NAME}, such as groups.csv with the columns image and group (blocks of neighbours, as large "
    "as can be), and → {place}: groups.csv:group; or name whole stretches in lists (train, validation, test)"
)


def foreseen(store: Described, params: Split) -> tuple[list[str], UserError | None]:
    """Lines on the groups and on what they should be, and the error that split will stop with, if any.

    `UserError` if the rule for groups does not fit the images.
    """
    own, groups = groups_in(store, params)
    lines, error = [_sizes(own, groups)], None
    try:
        lines += notes(store, params, split(store, params, params.seed))[1:]
    except UserError as refused:
        error = refused
    return [*lines, *_advice(store, params, groups)], error


def _sizes(own: Mapping[str, str], groups: Mapping[str, str]) -> str:
    """How many groups there are once those with equal or nearly equal images are one."""
    sizes = sorted(Counter(groups.values()).values())
    size = f"of {sizes[0]}" if sizes[0] == sizes[-1] else f"of {sizes[0]} to {sizes[-1]}"
    before = len(set(own.values()))
    joined = f"; {before} before those with equal or nearly equal images were joined" if before > len(sizes) else ""
    return f"{len(sizes)} group(s) {size} image(s){joined}"


def _advice(store: Described, params: Split, groups: Mapping[str, str]) -> Iterator[str]:
    """A line on images that depend on each other, or whose names begin alike, with the line that groups them."""
    ids = [record.id for record in store.records]
    if found := dependence_in(store, groups):
        what = f"{len(found.pairs)} pairs in different groups are not independent: {found.words}"
        yield f"{what}; {_remedy(store, params)}"
    elif len(set(groups.values())) == len(ids):
        named = next((proposal for proposal in proposals(ids) if not proposal.blocks), None)
        if named:
            what = f"{len(ids)} names have {named.groups} beginnings, such as {named.name!r} of {named.images}"
            yield f"{what}: if each is a video, scan or patient, its images must stay together → {_line(named, params)}"


def _remedy(store: Described, params: Split) -> str:
    """The first rule that leaves no dependence and that split accepts, else the first of the former, else a table."""
    ids = [record.id for record in store.records]
    single = "all images are one sequence by their names: " if one_sequence(ids) else ""
    refused = ""
    for proposal in proposals(ids):
        changed = params.model_copy(update={"group": proposal.rule})
        if proposal.groups < len(SUBSETS) or dependence_in(store, groups_in(store, changed)[1]):
            continue
        try:
            split(store, changed, params.seed)
        except UserError as error:
            why = " ".join(line.strip() for line in str(error).splitlines()[:2])
            refused = refused or f". {_line(proposal, params)} would do, but split refuses it: {why} …"
            continue
        if proposal.blocks:
            return (
                f"{single}blocks of neighbours are a remedy, though alike at their borders → {_line(proposal, params)}"
            )
        return f"group them → {_line(proposal, params)}"
    return single + TABLE.format(place=_place(params)) + refused


def _place(params: Split) -> str:
    return f"in {NAME}: group" if params.group == "auto" else "in params.yaml: split.group"


def _line(proposal: Proposal, params: Split) -> str:
    groups = f"{proposal.groups} groups, such as {proposal.name!r} of {proposal.images}"
    return f"{_place(params)}: {proposal.quoted}   # {groups}"
