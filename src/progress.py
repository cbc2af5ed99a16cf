"""Progress bars for long work, and a parallel map that works ahead of its consumer.

On a terminal, progress is a tqdm bar. Elsewhere, it is a plain line every few seconds.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Self, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_UPDATES = 0.2


def progress(items: Iterable[Item], total: int, title: str, done: int = 0) -> Iterator[Item]:
    """Yield `items` and show the progress on stderr.

    Args:
        items: The items to pass on.
        total: The number of all items, those of earlier runs included.
        title: The text before the counts.
        done: The number of items that earlier runs finished.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=title, leave=False, initial=done)
        return
    last = time.monotonic()
    for number, item in enumerate(items, done):
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title}: {number} of {total}", file=sys.stderr, flush=True)
        yield item


class MegapixelProgress:
    """A context manager that shows how many megapixels are done, the speed, and the remaining time.

    Args:
        title: The text before the counts.
        total: The expected number of pixels.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.started = self.last = time.monotonic()
        form = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} MP [{elapsed}<{remaining}, {rate_fmt}]"
        bar = sys.stderr.isatty()
        self.bar = tqdm(total=total / 1e6, desc=title, unit=" MP", leave=False, bar_format=form) if bar else None

    @property
    def rate(self) -> float:
        """The mean speed so far, in megapixels per second."""
        return self.done / 1e6 / max(time.monotonic() - self.started, 1e-9)

    def expect(self, pixels: int) -> None:
        """Add `pixels` to the expected total; a negative number lowers it."""
        self.total += pixels
        if self.bar is not None:
            self.bar.total = self.total / 1e6

    def add(self, pixels: int) -> None:
        """Record that `pixels` more pixels are done."""
        self.done += pixels
        self.expect(max(self.done - self.total, 0))  # an image can be larger than its header said
        if self.bar is not None:
            self.bar.update(pixels / 1e6)
        elif time.monotonic() - self.last > SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            left = max(self.total - self.done, 0) / 1e6 / self.rate
            shown = f"{self.done / 1e6:.1f} of {self.total / 1e6:.1f} megapixels, {self.rate:.1f} a second"
            print(f"{self.title}: {shown}, {left:.0f} s left", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


class TimeProgress:
    """A context manager that shows how much of a time is used, and a line for each event.

    Args:
        title: The text before the times.
        total: The seconds that may be used.
        now: Tells how many of them are used.
    """

    def __init__(self, title: str, total: float, now: Callable[[], float]) -> None:
        self.title, self.total, self.now = title, total, now
        self.last = -SECONDS_BETWEEN_UPDATES
        form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s"
        bar = sys.stderr.isatty()
        self.bar = tqdm(total=total, desc=title, leave=False, bar_format=form) if bar else None

    def tick(self) -> None:
        """Show the time that is used, if it was not shown just now."""
        if self.bar is not None and self.now() - self.last > SECONDS_BETWEEN_UPDATES:
            self.last = self.now()
            self.bar.n = min(self.last, self.total)
            self.bar.refresh()

    def say(self, words: str) -> None:
        """Show an event."""
        line = f"{self.title}, {self.now():.0f} of {self.total:.0f} s: {words}"
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int
) -> Iterator[Result]:
    """Apply `function` to each item in threads, and yield the results in the order of the items.

    The threads work on later items while the caller uses earlier results.

    Args:
        function: The function to apply.
        items: The items; they are read as they are needed.
        threads: The number of threads.
        waiting: The number of items that are in work or finished but not yet used. It bounds the memory.

    Raises:
        Exception: What `function` raised for an item, when the result of this item is due.
    """
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        queue: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(source, waiting))
        try:
            while queue:
                result = queue.popleft().result()
                queue.extend(pool.submit(function, item) for item in islice(source, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
