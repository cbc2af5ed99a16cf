"""The official lists of a data set: which groups they assign to which subset."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from src.data.source.dataset import NAME, read_lines
from src.data.source.names import Names, naming_hint
from src.errors import UserError, listing


def listed_groups(
    lists: Mapping[str, Sequence[str]], groups: Mapping[str, str], official: Mapping[str, str]
) -> dict[str, str]:
    """Find the groups that the official lists assign to a subset. A listed image brings its whole group.

    Args:
        lists: subset → the lines of its list. A line is an id, a group or another name of src/data/source/names.py.
        groups: id → group by the rule that the split uses.
        official: id → group by the rule of dataset.yaml, whose groups the lists may name as well.

    Returns:
        group → subset, for the groups on a list.

    Raises:
        UserError: A line names no image or several, a group is on two lists, or a list is empty. The message lists all
            such lines.
    """
    names = Names(groups)
    groups_named: dict[str, set[str]] = {image: {group} for image, group in groups.items()}
    for rule_groups in (official, groups):
        members: dict[str, set[str]] = {}
        for image, group in rule_groups.items():
            members.setdefault(group, set()).add(groups[image])
        groups_named |= members
    subset_of: dict[str, str] = {}
    problems: list[str] = []
    unknown = False
    for subset, lines in lists.items():
        for line in lines:
            matches = [line] if line in groups_named else names.find(line)
            if len(matches) != 1:
                unknown = True
                problems.append(f"{line!r}: on the list of {subset}, but {_why_unknown(matches)}")
                continue
            for group in sorted(groups_named[matches[0]]):
                if subset_of.setdefault(group, subset) != subset:
                    problems.append(
                        f"{line!r}: its group {group!r} is on the lists of {subset_of[group]} and of {subset}"
                    )
    empty = [subset for subset in lists if subset not in subset_of.values()]
    problems += [f"{subset}: its list names no image" for subset in empty]
    if problems:
        how = f"; one name a line: {naming_hint(groups)}, or a group by its name" if unknown else ""
        raise UserError(f"the lists named in {NAME} are wrong{how}\n{listing(problems)}")
    return subset_of


def list_notes(lists: Mapping[str, Sequence[str]], rules: Iterable[Mapping[str, str]]) -> list[str]:
    """Report the lists whose lines are neither ids nor groups but other names of images.

    Args:
        lists: subset → the lines of its list, as `listed_groups` accepts them.
        rules: id → group of every image, for each rule that the lists may refer to.

    Returns:
        One line of text for each such list, with an example; empty if there is none.
    """
    known: set[str] = set()
    ids: set[str] = set()
    for groups in rules:
        ids |= groups.keys()
        known |= groups.keys() | set(groups.values())
    names, notes = Names(ids), []
    for subset, lines in lists.items():
        others = [line for line in lines if line not in known]
        if others:
            first = ", ".join(map(repr, names.find(others[0])))
            notes.append(f"list of {subset}: {len(others)} line(s) such as {others[0]!r} were read as {first}")
    return notes


def _why_unknown(matches: Sequence[str]) -> str:
    return f"may be {' or '.join(map(repr, matches))}" if matches else "neither an image nor a group"


def listed_images(path: Path, rules: Iterable[Mapping[str, str]]) -> set[str]:
    """Read a text file that names images.

    Args:
        path: The file. Each line is an id, a group or another name of src/data/source/names.py.
        rules: id → group of every image, for each rule whose groups the file may name.

    Returns:
        The ids of the images, and of all images of the groups.

    Raises:
        UserError: The file is empty, or a line names no image or several. The message lists all such lines.
    """
    images_named: dict[str, set[str]] = {}
    ids: set[str] = set()
    for groups in rules:
        ids |= groups.keys()
        for image, group in groups.items():
            for name in (image, group):
                images_named.setdefault(name, set()).add(image)
    names, found, problems = Names(ids), set[str](), []
    lines = read_lines(path)
    for line in lines:
        matches = [line] if line in images_named else names.find(line)
        if len(matches) == 1:
            found |= images_named[matches[0]]
        else:
            problems.append(f"{line!r}: {_why_unknown(matches)}")
    if problems:
        what = f"{len(problems)} line(s) do not name an image or a group"
        raise UserError(f"{path}: {what}; one name a line: {naming_hint(ids)}\n{listing(problems)}")
    if not lines:
        raise UserError(f"{path}: names no image")
    return found


def lists_after_merging(
    listed: Mapping[str, str],
    groups: Mapping[str, str],
    merged: Mapping[str, str],
    clusters: Iterable[Sequence[str]],
) -> dict[str, str]:
    """Assign merged groups to the subsets of the official lists. A group on no list follows one that is on a list.

    Lists that put equal or nearly equal images into different subsets are refused, not repaired. Moving an image would
    change the official subsets without notice, and leaving it would raise the scores without notice.

    Args:
        listed: group → subset, before groups were merged.
        groups: id → group before merging.
        merged: id → group after merging.
        clusters: The ids of each cluster of equal or nearly equal images.

    Returns:
        Merged group → subset, for the groups on a list.

    Raises:
        UserError: A merged group is on several lists. The message lists the images.
    """
    subsets: dict[str, set[str]] = {}
    for image, group in merged.items():
        if groups[image] in listed:
            subsets.setdefault(group, set()).add(listed[groups[image]])
    contradictory = {group for group, found in subsets.items() if len(found) > 1}
    if contradictory:
        places = [
            {image: listed.get(groups[image], "no list") for image in ids}
            for ids in clusters
            if merged[ids[0]] in contradictory
        ]
        lines = [
            " = ".join(f"{image!r} ({subset})" for image, subset in place.items())
            for place in places
            if len(set(place.values())) > 1
        ]
        raise UserError(
            f"the lists named in {NAME} put equal or nearly equal images into different subsets; correct the lists, or "
            f"keep them and accept scores that are too high, with\n  split.duplicates: apart\n{listing(lines)}"
        )
    return {group: found.pop() for group, found in subsets.items()}
