"""So many of a sequence, taken evenly over all of it."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """Take at most so many, evenly over all, in their order."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def within(sizes: Mapping[int, int], max_total: int) -> list[int]:
    """Choose places, spread over all of them, whose sizes add up to about ``max_total`` at most; at least one.

    sizes: the size at each place.
    """
    total = sum(sizes.values())
    return spread(list(sizes), max(1, len(sizes) * max_total // total) if total > max_total else len(sizes))
