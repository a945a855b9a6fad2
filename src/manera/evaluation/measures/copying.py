"""Is it only repeating? Verbatim runs of the training text in other text, and where they come from."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from manera.text.words import WORD, words

RUNS = (8, 12, 20)
"""Words in a row. Eight may be a phrase that everybody uses; twelve are hardly ever chance."""

COPIED = 12
QUOTED = 30
"""Words quoted before and behind a run: one text of the source may be a whole book."""

_NEAR = 3

Gram = tuple[str, ...]


class Run(NamedTuple):
    """So many words that stand in two texts, and where they begin in the second."""

    words: int
    start: int


class Nearest(NamedTuple):
    """The training text most like another, quoted around their longest run; share is of the other's words in runs of
    three that it holds."""

    text: str
    share: float
    longest_run: int


@dataclass(frozen=True)
class Source:
    """Training texts, indexed by runs of words."""

    texts: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    grams: dict[int, frozenset[Gram]]
    places: dict[Gram, list[int]]

    def copied_words(self, text: str, run: int) -> int:
        """Count the words of a text that stand in verbatim runs of at least ``run`` words of one training text."""
        found = words(text)
        copied: set[int] = set()
        for start, gram in enumerate(_grams(found, run)):
            if gram in self.grams[run]:
                copied.update(range(start, start + run))
        return len(copied)

    def nearest(self, text: str) -> Nearest:
        """Find the training text that holds most of a text's runs of three words."""
        found = words(text)
        shared: Counter[int] = Counter()
        for gram in _grams(found, _NEAR):
            shared.update(self.places.get(gram, ()))
        if not shared:
            return Nearest("", 0.0, 0)
        index, _ = min(shared.items(), key=lambda entry: (-entry[1], entry[0]))
        held = {
            start + offset
            for start, gram in enumerate(_grams(found, _NEAR))
            if index in self.places.get(gram, ())
            for offset in range(_NEAR)
        }
        run = longest_run(found, self.words[index])
        return Nearest(_quoted(self.texts[index], run), len(held) / len(found), run.words)


def index_source(texts: Sequence[str]) -> Source:
    """Index training texts; runs do not cross from one text to the next."""
    split = tuple(tuple(words(text)) for text in texts)
    grams = {run: frozenset(gram for found in split for gram in _grams(found, run)) for run in RUNS}
    places: defaultdict[Gram, list[int]] = defaultdict(list)
    for index, found in enumerate(split):
        for gram in set(_grams(found, _NEAR)):
            places[gram].append(index)
    return Source(tuple(texts), split, grams, dict(places))


def longest_run(one: Sequence[str], other: Sequence[str]) -> Run:
    """Find the longest run of words that stands in both."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    known = set(one)
    for index, word in enumerate(other):
        if word in known:
            places[word].append(index)
    longest = Run(0, 0)
    ending: dict[int, int] = {}
    for word in one:
        ending = {index: ending.get(index - 1, 0) + 1 for index in places[word]}
        for index, length in ending.items():
            if length > longest.words:
                longest = Run(length, index - length + 1)
    return longest


def _quoted(text: str, run: Run) -> str:
    """Cut a text down to what stands around a run."""
    first, last = max(0, run.start - QUOTED), run.start + run.words + QUOTED
    spans = [found.span() for found in islice(WORD.finditer(text), first, last + 1)]
    before, behind = ("… " if first else ""), (" …" if len(spans) > last - first else "")
    start, end = (spans[0][0] if first else 0), (spans[-2][1] if behind else len(text))
    return before + text[start:end] + behind


def _grams(found: Sequence[str], run: int) -> Iterator[Gram]:
    return (tuple(found[start : start + run]) for start in range(len(found) - run + 1))
