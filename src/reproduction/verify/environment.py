"""Installed libraries that differ from a revision's requirements.txt: the first suspects if results differ."""

import importlib.metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from src.files import read_text


def other_libraries(requirements: Path) -> list[str]:
    """List installed libraries that do not meet a requirements file, as "NAME VERSION (wanted: …)".

    Lines that are not requirements, such as -r or --hash, are skipped. The list is empty if there is no file.
    """
    found = []
    for line in read_text(requirements).splitlines() if requirements.is_file() else []:
        try:
            wanted = Requirement(line.partition("#")[0].strip().rstrip("\\"))
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate():
            try:
                version = importlib.metadata.version(wanted.name)
            except importlib.metadata.PackageNotFoundError:
                version = "missing"
            if version == "missing" or not wanted.specifier.contains(version, prereleases=True):
                found.append(f"{wanted.name} {version} (wanted: {wanted.specifier or 'any'})")
    return found
