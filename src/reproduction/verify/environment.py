"""Libraries that are not here as a revision's requirements.txt wants them: the first suspects if results differ."""

import importlib.metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from src.files import read_text


def other_libraries(requirements: Path) -> list[str]:
    """NAME VERSION (wanted: …) for each; a line that is no requirement, as -r or --hash, is passed over."""
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
