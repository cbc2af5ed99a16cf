"""Progress of long work, a bar on a terminal and a plain line every few seconds elsewhere; and work done ahead."""

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


def progress(items: Iterable[Item], total: int, title: str, done: int = 0) -> Iterator[Item]:
    """Yield `items` while showing how many of `total` are done, `done` of them before."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=title, leave=False, initial=done)
        return
    last = time.monotonic()
    for number, item in enumerate(items, done):
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title}: {number} of {total}", file=sys.stderr, flush=True)
        yield item


class Megapixels:
    """Shows how many pixels of all are done, how fast, and how long the rest takes; as `progress` does it."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.started = self.last = time.monotonic()
        form = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} MP [{elapsed}<{remaining}, {rate_fmt}]"
        bar = sys.stderr.isatty()
        self.bar = tqdm(total=total / 1e6, desc=title, unit=" MP", leave=False, bar_format=form) if bar else None

    @property
    def rate(self) -> float:
        """Megapixels a second until now."""
        return self.done / 1e6 / max(time.monotonic() - self.started, 1e-9)

    def expect(self, pixels: int) -> None:
        """So many more are to be done, or fewer."""
        self.total += pixels
        if self.bar is not None:
            self.bar.total = self.total / 1e6

    def add(self, pixels: int) -> None:
        """So many more are done."""
        self.done += pixels
        self.expect(max(self.done - self.total, 0))  # a header was wrong
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


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int) -> Iterator[Result]:
    """The results of `work` on each item, in order, made by `threads` while the caller uses earlier ones.

    waiting: how many are in work or ready at a time, which bounds the memory whatever the number of items.
    """
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        queue: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(source, waiting))
        try:
            while queue:
                result = queue.popleft().result()
                queue.extend(pool.submit(work, item) for item in islice(source, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
