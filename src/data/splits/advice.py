"""Predict the groups and the errors of split for a checked data set, and propose a rule for groups."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from src.data.similarity.thumbnails import decode_thumbnails
from src.data.source.dataset import NAME, SUBSETS
from src.data.splits.dependence import Dependence
from src.data.splits.divide import group_images, split, split_notes
from src.data.splits.scene_cuts import sequence_groups
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
        groups: id → proposed group, for a table; empty if a rule fits the names, or if images are independent.
    """

    lines: list[str]
    error: UserError | None
    groups: Mapping[str, str]


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
    lines, groups = [_sizes(grouping.merged), *notes], dict[str, str]()
    if found := record_dependence(store.records, grouping.merged):
        remedies, by_name = _remedies(store, params)
        lines += [*_finding(found), *remedies]
        groups = {} if by_name else _groups_by_content(store, found)
    elif len(set(grouping.merged.values())) == len(store.records):
        lines += _names_alike(store, params)
    return Preview(lines, error, groups)


def _groups_by_content(store: DatasetIndex, found: Dependence) -> dict[str, str]:
    """Groups of consecutive images that resemble each other; none if they leave the images dependent."""
    thumbnails = decode_thumbnails(record.thumbnail for record in store.records)
    groups = sequence_groups([record.id for record in store.records], thumbnails, found)
    return {} if not groups or record_dependence(store.records, groups) else groups


def _sizes(groups: Mapping[str, str]) -> str:
    """The number of groups and their sizes, in words."""
    sizes = sorted(Counter(groups.values()).values())
    size = f"of {sizes[0]}" if sizes[0] == sizes[-1] else f"of {sizes[0]} to {sizes[-1]}"
    return f"{len(sizes)} group(s) {size} image(s)"


def _finding(found: Dependence) -> list[str]:
    """Lines on images that depend on each other."""
    return [
        f"{len(found.pairs)} pairs of images with consecutive names are in different groups, but {found.words}",
        "  put frames of a video, slices of a volume or tiles of a scene into one group; otherwise scores are too high "
        "and intervals too narrow",
    ]


def _names_alike(store: DatasetIndex, params: Split) -> list[str]:
    """Lines on names that start alike, with the setting that groups them."""
    ids = [record.id for record in store.records]
    named = next((proposal for proposal in propose_rules(ids) if proposal.rule in SEQUENCE_RULES), None)
    if not named:
        return []
    what = f"{len(ids)} names start in {named.groups} ways, such as {named.images} names with {named.name!r}"
    return [f"{what}: if each is a video, scan or patient, its images must stay together", _line(named, params)]


def _remedies(store: DatasetIndex, params: Split) -> tuple[list[str], bool]:
    """Lines with the first rule that removes the dependence and that split accepts; otherwise why not, and a table.

    The second result is whether a rule for whole sequences was found.
    """
    ids = [record.id for record in store.records]
    lines: list[str] = []
    refused: list[str] = []
    if is_one_sequence(ids):
        lines.append("  by their names all images are one sequence, so only blocks of consecutive images can be groups")
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
        borders = "; images at the borders of neighbouring blocks remain alike" if proposal.blocks else ""
        return [*lines, *refused, _line(proposal, params) + borders], not proposal.blocks
    table = f"a table beside {NAME}, such as groups.csv with the columns image and group"
    lines += [*refused, f"  → {table}; {_place(params)}: groups.csv:group"]
    lines.append(f"  → or assign whole sequences in the lists that {NAME} names: train, validation, test")
    return lines, False


def _place(params: Split) -> str:
    return f"in {NAME}: group" if params.group == "auto" else "in params.yaml, section split: group"


def _line(proposal: Proposal, params: Split) -> str:
    groups = f"{proposal.groups} groups, such as {proposal.name!r} of {proposal.images}"
    return f"  → {_place(params)}: {proposal.quoted}   # {groups}"
