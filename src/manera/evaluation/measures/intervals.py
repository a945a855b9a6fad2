"""95 % intervals: what is measured is drawn again with replacement (Efron, 1979), conversation by conversation.

groups: the conversation of each item. Items of one conversation are alike, so they are drawn together; without groups
each item stands for a conversation of its own.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
CONFIDENCE = 0.95
Z = 1.959964
TINY = 1e-9

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Groups = Sequence[int]


class Interval(NamedTuple):
    """An estimate and its bounds; not numbers where there was nothing to draw from, or one conversation alone."""

    value: float
    low: float
    high: float


def mean(values: ArrayLike, seed: int = 0, groups: Groups | None = None) -> Interval:
    """Average values."""
    numbers = np.asarray(values, dtype=np.float64)
    return ratio(numbers, np.ones_like(numbers), seed, groups)


def share(found: Sequence[bool], seed: int = 0, groups: Groups | None = None) -> Interval:
    """Count what is so among yes and no.

    Shares of conversations that say more than once, and not always the same, are drawn again. All others have Wilson's
    bounds, which unlike those leave room for what was never seen.
    """
    if not len(found):
        return Interval(np.nan, np.nan, np.nan)
    right = float(np.mean(found))
    count = len(found) if groups is None else len(set(groups))
    if 1 < count < len(found) and 0 < right < 1:
        return mean(found, seed, groups)
    return wilson(right, count)


def wilson(share: float, count: float, z: float = Z) -> Interval:
    """Bound a share of yes and no (Wilson, 1927)."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def mean_probability(values: ArrayLike, error: float = 0.0, texts: int | None = None) -> Interval:
    """Average figures between 0 and 1. Near either end they lean to one side, and a few drawn again are too sure there.

    So the bounds are Wilson's for as many yes and no as would vary so much (the effective size of Korn and Graubard,
    1998). Few figures hardly tell how much they vary: one more is added that is as far off as can be.
    values: (figures,). error: an independent standard error of the whole. texts: how many the figures come from, if
    fewer: those of one are alike. Fewer than two have no bounds.
    """
    from scipy.stats import t

    numbers = np.asarray(values, dtype=np.float64)
    count = len(numbers) if texts is None else min(len(numbers), texts)
    if count < 2:
        return Interval(float(numbers.mean()) if count else np.nan, np.nan, np.nan)
    value = float(numbers.mean())
    within = min(max(value, TINY), 1 - TINY)
    furthest = within * (1 - within)
    variance = ((count - 1) * float(numbers.var(ddof=1)) + furthest) / count / count + error**2
    bounds = wilson(within, furthest / variance, float(t.ppf((1 + CONFIDENCE) / 2, count - 1)))
    return Interval(value, min(bounds.low, value), max(bounds.high, value))


def product(one: Interval, other: Interval) -> Interval:
    """Multiply two estimates that are not below 0; both are taken to be off to the same side, so bounds are wide."""
    return Interval(one.value * other.value, one.low * other.low, one.high * other.high)


def jackknife(groups: Groups, measure: Callable[[Indices], float]) -> Interval:
    """Bound a figure that repeated items would change, such as how many are different, by leaving out one group at a
    time.

    measure: takes one row of indices (Efron and Stein, 1981).
    """
    numbers = np.asarray(groups)
    value = measure(np.arange(len(numbers), dtype=np.intp))
    different = np.unique(numbers)
    count = len(different)
    if count < 2:
        return Interval(value, np.nan, np.nan)
    left = np.array([measure(np.flatnonzero(numbers != group)) for group in different])
    half = Z * jackknife_error(left)
    return Interval(value, value - half, value + half)


def jackknife_error(left: Floats) -> float:
    """Return the standard error of a figure, given what it is without each of its parts: (parts,)."""
    count = len(left)
    return math.sqrt((count - 1) / count * float(((left - left.mean()) ** 2).sum()))


def ratio(numerators: ArrayLike, denominators: ArrayLike, seed: int = 0, groups: Groups | None = None) -> Interval:
    """Divide two sums over the same conversations, as bits per byte is divided."""
    above, below = (_summed(part, groups) for part in (numerators, denominators))
    return statistic(len(above), lambda drawn: _divided(above[drawn].sum(-1), below[drawn].sum(-1)), seed)


class Sums(NamedTuple):
    """Two sums and the conversations that they are over, such as bits, bytes, and where they were written."""

    numerators: Floats
    denominators: Floats
    groups: Groups


def difference(one: Sums, other: Sums) -> Interval:
    """Subtract a ratio from another of other conversations, each with its own spread (Welch, 1947).

    Few conversations on one side make it unsure, however many the other has. Fewer than two have no bounds.
    """
    from scipy.stats import t

    (value, variance, count), (value_2, variance_2, count_2) = (_linearised(side) for side in (one, other))
    found = value - value_2
    if min(count, count_2) < 2:
        return Interval(found, np.nan, np.nan)
    both = max(variance + variance_2, TINY**2)
    spread = variance**2 / (count - 1) + variance_2**2 / (count_2 - 1)
    freedom = both**2 / spread if spread else count + count_2 - 2
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(both)
    return Interval(found, found - half, found + half)


def _linearised(side: Sums) -> tuple[float, float, int]:
    """Return a ratio of sums, its variance to the first order, and how many conversations it is of."""
    above, below = (_summed(part, side.groups) for part in side[:2])
    count, whole = len(above), float(below.sum())
    if not whole:
        return np.nan, np.nan, count
    value = float(above.sum()) / whole
    squares = float(((above - value * below) ** 2).sum())
    return value, squares / whole**2 * count / max(count - 1, 1), count


def statistic(count: int, measure: Callable[[Indices], Floats], seed: int = 0) -> Interval:
    """Bound anything that can be measured on drawn conversations.

    measure: takes indices (resamples, count) and returns one number for each row of them.
    """
    if not count:
        return Interval(np.nan, np.nan, np.nan)
    value = float(measure(np.arange(count, dtype=np.intp)[None])[0])
    if count == 1:
        return Interval(value, np.nan, np.nan)
    drawn = measure(np.random.default_rng(seed).integers(0, count, (RESAMPLES, count), dtype=np.intp))
    return Interval(value, *_bounds(drawn, count))


def of_groups(
    groups: Groups,
    measure: Callable[[Indices], float],
    resamples: int = 200,
    seed: int = 0,
    is_centred: bool = False,
) -> Interval:
    """Bound a figure of single items, drawing whole groups of them; measure takes one row of indices.

    is_centred: for figures that grow when items are drawn twice, such as distances: takes that growth away again.
    """
    if not len(groups):
        return Interval(np.nan, np.nan, np.nan)
    numbers = np.asarray(groups)
    members = [np.flatnonzero(numbers == group) for group in np.unique(numbers)]
    value = measure(np.arange(len(numbers), dtype=np.intp))
    if len(members) == 1:
        return Interval(value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    drawn = [
        measure(np.concatenate([members[index] for index in rng.integers(0, len(members), len(members))]))
        for _ in range(resamples)
    ]
    found = np.array(drawn)
    if is_centred and np.isfinite(found).any():
        found += value - np.nanmean(found)
    return Interval(value, *_bounds(found, len(members)))


def _bounds(drawn: Floats, count: int) -> tuple[float, float]:
    """Cut off both tails, thinner ones where few were drawn from: plain percentiles are too sure there (Hesterberg,
    2015)."""
    from scipy.stats import norm, t

    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return np.nan, np.nan
    tail = norm.cdf(math.sqrt(count / (count - 1)) * t.ppf((1 - CONFIDENCE) / 2, count - 1))
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)


def _summed(values: ArrayLike, groups: Groups | None) -> Floats:
    """Add up what belongs to one conversation."""
    numbers = np.asarray(values, dtype=np.float64)
    if groups is None:
        return numbers
    _, place = np.unique(np.asarray(groups, dtype=np.intp), return_inverse=True)
    totals: Floats = np.bincount(place, weights=numbers).astype(np.float64)
    return totals


def _divided(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)
