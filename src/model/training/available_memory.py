"""How much memory this process may use, as Linux reports it for the machine and for containers."""

from collections.abc import Iterator
from pathlib import Path


def available_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use in total, including those it already holds; None if it is unknown.

    This is the least of what the kernel calls available
    (https://man7.org/linux/man-pages/man5/proc_meminfo.5.html) and what the limits of containers leave. `root` is the
    folder that holds proc and sys.
    """
    available = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if available is None:
        return None
    own = _kilobytes(root / "proc/self/status", "RssAnon") or 0
    return min([available, *_left_by_containers(root)]) + own


def _left_by_containers(root: Path) -> Iterator[int]:
    """Limit minus usage of each control group of this process, in version 1 and 2.

    Cached files count as usage, but the kernel gives them back when memory is short, so they are subtracted.
    https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, limit, usage, files = "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            mount, limit, usage = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            files = "total_inactive_file"
        else:
            continue
        group = Path(path.strip("/"))
        for place in (root / mount / part for part in (group, *group.parents)):  # a limit holds for all groups below
            allowed, used = (_lines(place / name) for name in (limit, usage))
            if allowed and used and allowed[0] != "max":
                stat = dict(entry.split(maxsplit=1) for entry in _lines(place / "memory.stat"))
                yield max(int(allowed[0]) - int(used[0]) + int(stat.get(files, 0)), 0)


def _kilobytes(path: Path, key: str) -> int | None:
    """The value of `key`, in bytes, in a file of lines such as "MemAvailable:  2048 kB"."""
    found = [line.split()[1] for line in _lines(path) if line.startswith(f"{key}:")]
    return int(found[0]) * 1024 if found else None


def _lines(path: Path) -> list[str]:
    """The lines of a kernel file; none if there is no such file, or if it cannot be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
