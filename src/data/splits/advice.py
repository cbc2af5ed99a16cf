"""Predict the groups and the errors of split for a checked data set, and propose a rule for groups."""

from collections import Counter
from collections.abc import Iterator, Mapping

from src.data.source.dataset import NAME, SUBSETS
from src.data.splits.divide import groups_in, notes, split
from src.data.splits.sequences import Proposal, one_sequence, proposals
from src.data.splits.split_warnings import dependence_in
from src.data.store.store import DatasetIndex
from src.errors import UserError
from src.params import Split


def preview_split(store: DatasetIndex, params: Split) -> tuple[list[str], UserError | None]:
    """Lines on the groups and on what they should be, and the error that split will stop with, if any.

    `UserError` if the rule for groups does not fit the images.
    """
    own, groups = groups_in(store, params)
    try:
        said, error = notes(store, params, split(store, params, params.seed))[1:], None
    except UserError as refused:
        said, error = [], refused
        if len(set(groups.values())) < len(set(own.values())):
            said = [f"before groups with equal or nearly equal images were joined: {len(set(own.values()))}"]
    return [_sizes(groups), *said, *_advice(store, params, groups)], error


def _sizes(groups: Mapping[str, str]) -> str:
    """How many groups there are once those with equal or nearly equal images are one."""
    sizes = sorted(Counter(groups.values()).values())
    size = f"of {sizes[0]}" if sizes[0] == sizes[-1] else f"of {sizes[0]} to {sizes[-1]}"
    return f"{len(sizes)} group(s) {size} image(s)"


def _advice(store: DatasetIndex, params: Split, groups: Mapping[str, str]) -> Iterator[str]:
    """Lines on images that depend on each other, or whose names begin alike, with the line that groups them."""
    ids = [record.id for record in store.records]
    if found := dependence_in(store.records, groups):
        yield f"{len(found.pairs)} pairs of neighbours count as independent, but {found.words}"
        yield "  frames of a video, slices of a volume or tiles of a scene belong in one group, or the scores flatter"
        yield from _remedies(store, params)
    elif len(set(groups.values())) == len(ids):
        named = next((proposal for proposal in proposals(ids) if not proposal.blocks), None)
        if named:
            what = f"{len(ids)} names have {named.groups} beginnings, such as {named.name!r} of {named.images}"
            yield f"{what}: if each is a video, scan or patient, its images must stay together"
            yield _line(named, params)


def _remedies(store: DatasetIndex, params: Split) -> Iterator[str]:
    """The first rule that leaves no dependence and that split accepts; else a table, and why not the rule."""
    ids = [record.id for record in store.records]
    refused: list[str] = []
    if one_sequence(ids):
        yield "  by their names all images are one sequence: only blocks of neighbours can be groups"
    for proposal in proposals(ids):
        changed = params.model_copy(update={"group": proposal.rule})
        if proposal.groups < len(SUBSETS) or dependence_in(store.records, groups_in(store, changed)[1]):
            continue
        try:
            split(store, changed, params.seed)
        except UserError as error:
            why = " ".join(line.strip() for line in str(error).splitlines()[:2])
            refused = refused or [f"{_line(proposal, params)}; but split refuses it: {why}"]
            continue
        yield from refused
        yield _line(proposal, params) + ("; blocks stay alike at their borders" if proposal.blocks else "")
        return
    yield from refused
    table = f"a table beside {NAME}, such as groups.csv with the columns image and group"
    yield f"  → {table}; {_place(params)}: groups.csv:group"
    yield f"  → or whole sequences in the lists that {NAME} names: train, validation, test"


def _place(params: Split) -> str:
    return f"in {NAME}: group" if params.group == "auto" else "in params.yaml, section split: group"


def _line(proposal: Proposal, params: Split) -> str:
    groups = f"{proposal.groups} groups, such as {proposal.name!r} of {proposal.images}"
    return f"  → {_place(params)}: {proposal.quoted}   # {groups}"
