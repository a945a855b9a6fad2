"""Balance among training examples: how much of them is of one thread, and how much more newer ones weigh.

A weight multiplies the loss of an example. Drawing it that much more often would have the same mean, but would need
many passes to come near it, and would leave some text unread: with a weight everything is read, each pass alike.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from manera.errors import DatasetError

DAY = 86_400


def room_of(threads: Sequence[str], sizes: Sequence[int], per_thread: float) -> dict[str, int]:
    """Return how many tokens each thread may have.

    sizes: learned tokens of each item. per_thread: tokens, or up to 1 a share of all that is kept of all threads.
    Raises DatasetError for a share that so few threads cannot have.
    """
    totals = Counter[str]()
    for thread, size in zip(threads, sizes, strict=True):
        totals[thread] += size
    limit = per_thread if per_thread > 1 else _equal_limit(sorted(totals.values(), reverse=True), per_thread)
    return dict.fromkeys(totals, math.floor(limit))


def _equal_limit(sizes: Sequence[int], share: float) -> float:
    """Return the size that is this share of everything where all larger ones are cut to it; sizes: largest first."""
    if share * len(sizes) < 1:
        raise DatasetError(
            f"chats cannot have at most {share:g} of everything each: their number is {len(sizes)}",
            f"--per-thread {math.ceil(100 / len(sizes)) / 100:g} or more, or a number of tokens: --per-thread 20000",
        )
    for cut, largest in enumerate(sizes):
        limit = share * sum(sizes[cut:]) / (1 - share * cut) if share * cut < 1 else math.inf
        if largest <= limit:
            return limit
    return float(sizes[-1])


def within(room: Mapping[str, int], threads: Sequence[str], sizes: Sequence[int], texts: Sequence[str]) -> list[int]:
    """Return which items are kept, in their order, so that each thread stays within its room.

    Which of a thread's items they are is drawn by their texts: spread over it, and the same when it has grown.
    """
    left, kept = dict(room), []
    for index in sorted(range(len(texts)), key=lambda index: hashlib.sha256(texts[index].encode()).digest()):
        if sizes[index] <= left[threads[index]]:
            left[threads[index]] -= sizes[index]
            kept.append(index)
    return sorted(kept)


def age_weights(times: Sequence[int | None], sizes: Sequence[int], half_life: float) -> list[float]:
    """Return a weight for each item: half as much for every so many days that it is older than another.

    times: Unix seconds; what has no time weighs one. Weighted by sizes, the items with a time average one.
    Raises DatasetError where nothing has a time.
    """
    known = [time for time in times if time is not None]
    if not known:
        raise DatasetError("nothing here says when it was written, so nothing is newer", "leave out --half-life")
    newest = max(known)
    raw = [1.0 if time is None else 0.5 ** ((newest - time) / DAY / half_life) for time in times]
    timed = [(weight, size) for weight, size, time in zip(raw, sizes, times, strict=True) if time is not None]
    mean = sum(weight * size for weight, size in timed) / max(sum(size for _, size in timed), 1)
    return [weight if time is None else weight / mean for weight, time in zip(raw, times, strict=True)]
