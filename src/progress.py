"""Progress of long work, a bar on a terminal and a plain line every few seconds elsewhere; and work done ahead."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

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
