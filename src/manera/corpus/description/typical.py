"""Words that one writes more, or less, than others: log-odds with an informative prior, as z-scores.

Monroe, Colaresi and Quinn, "Fightin' Words" (2008), https://doi.org/10.1093/pan/mpn018. Counted are messages that have
a word, so that one long text about one thing does not decide.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

PRIOR = 500.0
"""Messages' worth of words that both are thought to have in common."""

MIN_MESSAGES = 3
SURE = 1.96


class TypicalWord(msgspec.Struct, frozen=True):
    """A word, how surely it is one's own (below 0: that it is avoided), and how many in 1,000 messages have it."""

    word: str
    z: float
    own_per_1000: float
    others_per_1000: float


def typical_words(
    own: Mapping[str, int], others: Mapping[str, int], own_messages: int, others_messages: int
) -> list[TypicalWord]:
    """Return the words of which it is sure, the most typical first and the most avoided last."""
    both = Counter(own) + Counter(others)
    total = both.total() or 1
    totals = (sum(own.values()), sum(others.values()))
    found = []
    for word, count in both.items():
        if count < MIN_MESSAGES:
            continue
        prior = PRIOR * count / total
        z = _z(own.get(word, 0), others.get(word, 0), prior, totals)
        if abs(z) >= SURE:
            rates = 1000 * own.get(word, 0) / max(1, own_messages), 1000 * others.get(word, 0) / max(1, others_messages)
            found.append(TypicalWord(word, round(z, 2), *(round(rate, 2) for rate in rates)))
    return sorted(found, key=lambda one: (-one.z, one.word))


def _z(own: int, others: int, prior: float, totals: tuple[int, int]) -> float:
    odds, variance = [], 0.0
    for count, total in zip((own, others), totals, strict=True):
        with_prior = count + prior
        odds.append(math.log(with_prior / max(total + PRIOR - with_prior, 1e-9)))
        variance += 1 / with_prior
    return (odds[0] - odds[1]) / math.sqrt(variance)


def zipf(counts: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Yield ranks and counts of words, the most frequent first, at ranks evenly spread on a logarithmic scale."""
    ordered = sorted(counts.values(), reverse=True)
    last = 0
    for step in range(120):
        rank = round(10 ** (step / 20))
        if rank > len(ordered):
            return
        if rank != last:
            last = rank
            yield rank, ordered[rank - 1]
