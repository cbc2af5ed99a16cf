"""The largest size of an ensemble: that of the largest file that can be read again."""

from collections.abc import Mapping
from pathlib import Path

from src.archive.members import MOST, MOST_TEXT
from src.errors import UserError, listing


def require_small(files: Mapping[str, Path]) -> None:
    """Check that model files fit into one file together with ensemble.json.

    Args:
        files: Name of a member → its model file.

    Raises:
        UserError: They do not fit. The message lists their sizes.
    """
    sizes = {name: path.stat().st_size for name, path in files.items()}
    if (together := sum(sizes.values())) > MOST - MOST_TEXT:
        problem = f"these members have {together:,} bytes together, but one file can hold {MOST - MOST_TEXT:,}"
        lines = [f"{name}: {size:,} bytes" for name, size in sizes.items()]
        raise UserError(f"{problem}; join fewer or smaller members\n{listing(lines)}")
