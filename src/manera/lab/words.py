"""The words of a text as a vocabulary sees them: how often each comes, how many come once, how many cover how much."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from manera.errors import CorpusError
from manera.text.words import words

MIN_WORDS = 200
MAX_LETTERS = 40
"""On average, above which what lies between spaces are no words."""

_STEPS = (1, 2, 5)
_POINTS = 60


class Words(msgspec.Struct, frozen=True):
    """What there is to say of a text's words; case does not count.

    words: running ones. different: of them. once: of these, how many come once. common: the most frequent, with how
    often. zipf: ranks and how often the word of that rank comes. coverage: for so many most frequent words, the share
    of all running words that they are. growth: after so many running words, how many different ones there were.
    """

    name: str
    characters: int
    words: int
    different: int
    once: int
    common: tuple[tuple[str, int], ...]
    zipf: tuple[tuple[int, int], ...]
    coverage: tuple[tuple[int, float], ...]
    growth: tuple[tuple[int, int], ...]


def count_words(name: str, texts: Iterable[str]) -> Words:
    """Count the words of some texts; raise CorpusError where there are too few, or none that spaces part."""
    whole = "\n".join(texts)
    running = words(whole)
    _require_words(name, whole, running)
    counted = Counter(running)
    counts = sorted(counted.values(), reverse=True)
    covered = list(accumulate(counts))
    ranks = _round_numbers(len(counts))
    return Words(
        name=name,
        characters=len(whole),
        words=len(running),
        different=len(counts),
        once=counts.count(1),
        common=tuple(counted.most_common(20)),
        zipf=tuple((rank, counts[rank - 1]) for rank in _spread(len(counts))),
        coverage=tuple((rank, covered[rank - 1] / len(running)) for rank in ranks),
        growth=_growth(running),
    )


def _require_words(name: str, whole: str, running: Sequence[str]) -> None:
    if running and sum(map(len, running)) / len(running) > MAX_LETTERS:
        raise CorpusError(
            f"{name} has {len(running):,} words of {sum(map(len, running)) // len(running):,} letters each: "
            "no spaces part them",
            f"a tokenizer that needs no spaces: manera lab tokenizer {name} --kind character",
        )
    if len(running) < MIN_WORDS:
        raise CorpusError(
            f"{name} has {len(running):,} words, and fewer than {MIN_WORDS} show nothing", "give it more text"
        )


def _growth(running: Sequence[str]) -> tuple[tuple[int, int], ...]:
    marks, seen, found = set(_round_numbers(len(running))), set(), []
    for place, word in enumerate(running, 1):
        seen.add(word)
        if place in marks:
            found.append((place, len(seen)))
    return tuple(found)


def _round_numbers(end: int) -> list[int]:
    """Return 10, 20, 50, 100, ... up to the end, and the end."""
    found = [step * 10**power for power in range(1, len(str(end)) + 1) for step in _STEPS]
    return [*(number for number in found if number < end), end]


def _spread(end: int) -> list[int]:
    """Return ranks that stand evenly on a logarithmic axis."""
    return sorted({round(end ** (place / (_POINTS - 1))) for place in range(_POINTS)})
