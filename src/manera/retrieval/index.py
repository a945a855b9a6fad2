"""Texts to be searched by likeness: TF-IDF over words, or over the characters of words."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NGRAM_CHARACTERS = (3, 4, 5)


class Near(NamedTuple):
    """The place of a text among those indexed, and the cosine of the two, from 0 to 1."""

    place: int
    similarity: float


def character_ngrams(text: str) -> list[str]:
    """Return the runs of characters within each word, which inflected forms share; a blank marks where it ends."""
    return [ngram for word in text.lower().split() for ngram in _ngrams_of(word)]


@lru_cache(maxsize=1 << 16)
def _ngrams_of(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    ngrams: list[str] = []
    for size in NGRAM_CHARACTERS:
        ngrams += (padded[start : start + size] for start in range(max(1, len(padded) - size + 1)))
        if len(padded) <= size:
            break
    return tuple(ngrams)


class Index:
    """Texts, found by what they share with another; built once, then each search reads only the terms asked for.

    terms: what a text is compared by: ``words`` is quicker, ``character_ngrams`` also finds other forms of a word.
    A term weighs (1 + ln of its count) · (1 + ln of (1 + texts) / (1 + texts that have it)), and a text has length 1:
    the formula, and the order in which numbers are added, are those of scikit-learn's ``TfidfVectorizer`` with
    ``sublinear_tf``, so that both find the same to the last bit. Any number of threads may search.
    """

    def __init__(self, texts: Iterable[str], terms: Callable[[str], list[str]]) -> None:
        self._terms = terms
        self._ids: dict[str, int] = {}
        ids, times, sizes = array("i"), array("i"), array("i")
        for text in texts:
            counted = Counter(terms(text))
            ids.extend([self._ids.setdefault(term, len(self._ids)) for term in counted])
            times.extend(counted.values())
            sizes.append(len(counted))
        self._count = len(sizes)
        self._post(np.array(ids), np.array(times), np.array(sizes))

    def _post(self, ids: NDArray[np.int32], times: NDArray[np.int32], sizes: NDArray[np.int32]) -> None:
        """Turn the terms of each text to the texts of each term."""
        frequency = np.bincount(ids, minlength=len(self._ids)).astype(np.float64)
        self._rarity = _rarity(self._count, frequency)
        order = np.argsort(ids, kind="stable")
        self._places = np.repeat(np.arange(self._count, dtype=np.int32), sizes)[order]
        weights = _dampened(times[order]) * self._rarity[ids[order]]
        lengths = np.sqrt(np.bincount(self._places, weights=weights * weights, minlength=self._count))
        self._weights = weights / lengths[self._places]
        self._starts = np.concatenate(([0], np.cumsum(frequency, dtype=np.int64)))

    def __len__(self) -> int:
        return self._count

    def similarity(self, text: str) -> Floats:
        """Return the cosine of each text and this one, whose terms that no text has are passed over."""
        similarity = np.zeros(self._count)
        counted = {term: times for term, times in Counter(self._terms(text)).items() if term in self._ids}
        if not counted:
            return similarity
        ids = np.array([self._ids[term] for term in sorted(counted)], np.int64)
        weights = _dampened(np.array([counted[term] for term in sorted(counted)])) * self._rarity[ids]
        weights /= _length(weights)
        for at in np.argsort(ids):
            found = slice(self._starts[ids[at]], self._starts[ids[at] + 1])
            similarity[self._places[found]] += self._weights[found] * weights[at]
        return similarity

    def nearest(self, text: str, count: int) -> list[Near]:
        """Return the most similar first, of equals those that came first; nothing where no text has a term."""
        if not self._ids or count < 1:
            return []
        similarity = self.similarity(text)
        bound = np.partition(similarity, -count)[-count] if count < len(similarity) else 0.0
        likely = np.flatnonzero(similarity >= bound)
        order = likely[np.argsort(-similarity[likely], kind="stable")][:count]
        return [Near(int(place), float(similarity[place])) for place in order]

    def coverage(self, text: str) -> float:
        """Return the length of what a text shares with any other as a share of its own, from 0 to 1.

        A similarity times this is the cosine in which terms that no text has count too.
        """
        counted = Counter(self._terms(text))
        if not counted:
            return 0.0
        unseen = float(_rarity(self._count, np.zeros(1))[0])
        rarity = np.array([self._rarity[self._ids[term]] if term in self._ids else unseen for term in counted])
        weights = _dampened(np.array([*counted.values()])) * rarity
        is_known = np.array([term in self._ids for term in counted])
        return _length(weights * is_known) / _length(weights)


def _rarity(count: int, frequency: Floats) -> Floats:
    rarity: Floats = np.log((count + 1) / (frequency + 1)) + 1
    return rarity


def _dampened(times: NDArray[np.integer]) -> Floats:
    dampened: Floats = np.log(times.astype(np.float64)) + 1
    return dampened


def _length(weights: Floats) -> float:
    """Add the squares one after the other, which ``np.sum`` does not; at least one."""
    return float(np.sqrt(np.cumsum(weights * weights)[-1]))
