"""The official lists of a data set: which groups they put into which subset, and what they must not tear apart."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from src.data.source.dataset import NAME, read_lines
from src.data.source.names import Names, naming_hint
from src.errors import UserError, listing


def listed_groups(
    lists: Mapping[str, Sequence[str]], own: Mapping[str, str], official: Mapping[str, str]
) -> dict[str, str]:
    """group → subset, from the lines of each subset's list, ids or groups; a listed image takes its whole group along.

    own: id → group; official: id → group as dataset.yaml has it, whose names the lists may use, too. An image may also
    be written as names.py says. `UserError` lists every line that names nothing, several images, or a group that
    another list has.
    """
    names = Names(own)
    named: dict[str, set[str]] = {image: {group} for image, group in own.items()}
    for groups in (official, own):
        members: dict[str, set[str]] = {}
        for image, group in groups.items():
            members.setdefault(group, set()).add(own[image])
        named |= members
    subset_of: dict[str, str] = {}
    problems: list[str] = []
    strange = False
    for subset, lines in lists.items():
        for line in lines:
            meant = [line] if line in named else names.find(line)
            if len(meant) != 1:
                strange = True
                problems.append(f"{line!r}: on the list of {subset}, but {_strange(meant)}")
                continue
            for group in sorted(named[meant[0]]):
                if subset_of.setdefault(group, subset) != subset:
                    problems.append(
                        f"{line!r}: its group {group!r} is on the lists of {subset_of[group]} and of {subset}"
                    )
    empty = [subset for subset in lists if subset not in subset_of.values()]
    problems += [f"{subset}: its list names no image" for subset in empty]
    if problems:
        how = f"; one name a line: {naming_hint(own)}, or a group by its name" if strange else ""
        raise UserError(f"the lists named in {NAME} are wrong{how}\n{listing(problems)}")
    return subset_of


def rewritten(lists: Mapping[str, Sequence[str]], groups: Iterable[Mapping[str, str]]) -> list[str]:
    """A line for each list with names that are not ids or groups as they stand; groups: id → group, for each rule."""
    known: set[str] = set()
    ids: set[str] = set()
    for of_rule in groups:
        ids |= of_rule.keys()
        known |= of_rule.keys() | set(of_rule.values())
    names, said = Names(ids), []
    for subset, lines in lists.items():
        others = [line for line in lines if line not in known]
        if others:
            first = ", ".join(map(repr, names.find(others[0])))
            said.append(f"list of {subset}: {len(others)} line(s) such as {others[0]!r} were read as {first}")
    return said


def _strange(meant: Sequence[str]) -> str:
    return f"may be {' or '.join(map(repr, meant))}" if meant else "neither an image nor a group"


def listed_images(path: Path, rules: Iterable[Mapping[str, str]]) -> set[str]:
    """The images that the text file at `path` names, a line each: ids or groups.

    rules: id → group of every image, for each way to group them. `UserError` lists every line that names nothing, or
    several images.
    """
    named: dict[str, set[str]] = {}
    ids: set[str] = set()
    for groups in rules:
        ids |= groups.keys()
        for image, group in groups.items():
            for name in (image, group):
                named.setdefault(name, set()).add(image)
    names, found, strange = Names(ids), set[str](), []
    lines = read_lines(path)
    for line in lines:
        meant = [line] if line in named else names.find(line)
        if len(meant) == 1:
            found |= named[meant[0]]
        else:
            strange.append(f"{line!r}: {_strange(meant)}")
    if strange:
        what = f"{len(strange)} line(s) do not name an image or a group"
        raise UserError(f"{path}: {what}; one name a line: {naming_hint(ids)}\n{listing(strange)}")
    if not lines:
        raise UserError(f"{path}: names no image")
    return found


def joined(
    listed: Mapping[str, str], own: Mapping[str, str], groups: Mapping[str, str], twins: Iterable[Sequence[str]]
) -> dict[str, str]:
    """group → subset, once groups with twins are one: a group that is on no list follows the one that is.

    listed: group → subset before; own, groups: id → group before and after; twins: ids of images that are (nearly)
    equal. Lists that put such images into different subsets are refused and not repaired: a moved image would change
    the official subsets unseen, one left there would flatter the scores unseen, and one line says which it shall be.
    """
    subsets: dict[str, set[str]] = {}
    for image, group in groups.items():
        if own[image] in listed:
            subsets.setdefault(group, set()).add(listed[own[image]])
    torn = {group for group, found in subsets.items() if len(found) > 1}
    if torn:
        places = [
            {image: listed.get(own[image], "no list") for image in ids} for ids in twins if groups[ids[0]] in torn
        ]
        lines = [
            " = ".join(f"{image!r} ({subset})" for image, subset in place.items())
            for place in places
            if len(set(place.values())) > 1
        ]
        raise UserError(
            f"the lists named in {NAME} put equal or nearly equal images into different subsets; correct them, or keep "
            f"them as they are, with scores that flatter, by\n  split.duplicates: apart\n{listing(lines)}"
        )
    return {group: found.pop() for group, found in subsets.items()}
