"""How much memory this process may use, by what Linux tells of the machine and of containers."""

from collections.abc import Iterator
from pathlib import Path


def machine_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that are free to this process, with those it holds already; None where that cannot be told.

    The least of what the kernel calls available (https://man7.org/linux/man-pages/man5/proc_meminfo.5.html) and what
    the limits of a container leave. `root` is where proc and sys lie.
    """
    free = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if free is None:
        return None
    held = _kilobytes(root / "proc/self/status", "RssAnon") or 0
    return min([free, *_left_by_containers(root)]) + held


def _left_by_containers(root: Path) -> Iterator[int]:
    """Limit less use of every control group that this process is in, whichever version the system has.

    Files read from disk count as used, though they are given back when memory is short: they are taken off.
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
    """The value of `key` in a file of lines like "MemAvailable:  2048 kB", in bytes."""
    found = [line.split()[1] for line in _lines(path) if line.startswith(f"{key}:")]
    return int(found[0]) * 1024 if found else None


def _lines(path: Path) -> list[str]:
    """The lines of a file of the kernel; none if there is no such file, or it may not be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
