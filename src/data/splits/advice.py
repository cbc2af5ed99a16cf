"""Predict the groups and the errors of split for a checked data set, and propose a rule for groups."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from src.data.source.dataset import NAME, SUBSETS
from src.data.splits.divide import group_images, split, split_notes
from src.data.splits.sequences import SEQUENCE_RULES, Proposal, is_one_sequence, propose_rules
from src.data.splits.split_warnings import record_dependence
from src.data.store.store import DatasetIndex
from src.errors import UserError
from src.params import Split


@dataclass(frozen=True)
class Preview:
    """The groups and the error that split will have for a data set.

    Attributes:
        lines: Text on the groups, and advice where the groups seem wrong.
        error: The error with which split will stop, or None.
    """

    lines: list[str]
    error: UserError | None


def preview_split(store: DatasetIndex, params: Split) -> Preview:
    """Predict what split will do with a data set.

    Args:
        store: The data set.
        params: The section `split` of params.yaml.

    Raises:
        UserError: The rule for groups does not fit the images.
    """
    grouping, error = group_images(store, params), None
    try:
        notes = split_notes(store, params, split(store, params, params.seed))
    except UserError as refused:
        notes, error = [], refused
        before = len(set(grouping.by_rule.values()))
        if len(set(grouping.merged.values())) < before:
            notes = [f"before groups with equal or nearly equal images were merged: {before}"]
    return Preview([_sizes(grouping.merged), *notes, *_advice(store, params, grouping.merged)], error)


def _sizes(groups: Mapping[str, str]) -> str:
    """The number of groups and their sizes, in words."""
    sizes = sorted(Counter(groups.values()).values())
    size = f"of {sizes[0]}" if sizes[0] == sizes[-1] else f"of {sizes[0]} to {sizes[-1]}"
    return f"{len(sizes)} group(s) {size} image(s)"


def _advice(store: DatasetIndex, params: Split, groups: Mapping[str, str]) -> Iterator[str]:
    """Lines on images that depend on each other or whose names start alike, with the setting that groups them."""
    ids = [record.id for record in store.records]
    if found := record_dependence(store.records, groups):
        yield f"{len(found.pairs)} pairs of images with consecutive names are in different groups, but {found.words}"
        yield (
            "  put frames of a video, slices of a volume or tiles of a scene into one group; otherwise scores are too "
            "high and intervals too narrow"
        )
        yield from _remedies(store, params)
    elif len(set(groups.values())) == len(ids):
        named = next((proposal for proposal in propose_rules(ids) if proposal.rule in SEQUENCE_RULES), None)
        if named:
            what = f"{len(ids)} names start in {named.groups} ways, such as {named.images} names with {named.name!r}"
            yield f"{what}: if each is a video, scan or patient, its images must stay together"
            yield _line(named, params)


def _remedies(store: DatasetIndex, params: Split) -> Iterator[str]:
    """The first rule that removes the dependence and that split accepts; otherwise why not, and a table instead."""
    ids = [record.id for record in store.records]
    refused: list[str] = []
    if is_one_sequence(ids):
        yield "  by their names all images are one sequence, so only blocks of consecutive images can be groups"
    for proposal in propose_rules(ids):
        changed = params.model_copy(update={"group": proposal.rule})
        if proposal.groups < len(SUBSETS) or record_dependence(store.records, group_images(store, changed).merged):
            continue
        try:
            split(store, changed, params.seed)
        except UserError as error:
            why = " ".join(line.strip() for line in str(error).splitlines()[:2])
            refused = refused or [f"{_line(proposal, params)}; but split refuses it: {why}"]
            continue
        yield from refused
        yield _line(proposal, params) + (
            "; images at the borders of neighbouring blocks remain alike" if proposal.blocks else ""
        )
        return
    yield from refused
    table = f"a table beside {NAME}, such as groups.csv with the columns image and group"
    yield f"  → {table}; {_place(params)}: groups.csv:group"
    yield f"  → or assign whole sequences in the lists that {NAME} names: train, validation, test"


def _place(params: Split) -> str:
    return f"in {NAME}: group" if params.group == "auto" else "in params.yaml, section split: group"


def _line(proposal: Proposal, params: Split) -> str:
    groups = f"{proposal.groups} groups, such as {proposal.name!r} of {proposal.images}"
    return f"  → {_place(params)}: {proposal.quoted}   # {groups}"
