"""What a word is: letters, joined by hyphens and apostrophes within it. Numbers are none."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

JOINERS = "-'’"
WORD = re.compile(rf"[^\W\d_]+(?:[{JOINERS}][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+[\s»\"”)]*")


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared: without case."""
    return WORD.findall(text.casefold())


def count_words(text: str) -> int:
    """Count the words of a text."""
    return len(WORD.findall(text))


def runs(found: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Return all runs of so many words in a row."""
    return [tuple(found[start : start + length]) for start in range(len(found) - length + 1)]


def is_complete(text: str, end: int) -> bool:
    """Tell whether the word that ends here stays as it is, whatever is added to the text."""
    return end < len(text) and (text[end] not in JOINERS or end + 1 < len(text))


def sentence_lengths(text: str) -> list[int]:
    """Count the words of each sentence; a message without an end mark is a sentence too."""
    counted = (count_words(sentence) for line in text.splitlines() for sentence in _SENTENCE_END.split(line))
    return [count for count in counted if count]


def common_words(authors: Iterable[Iterable[str]], count: int) -> tuple[str, ...]:
    """Return the words most frequent over authors, each author counting as much as any other.

    These are the function words of whatever language it is; no list has to be kept.
    """
    share: dict[str, float] = {}
    for texts in authors:
        counted = Counter(word for text in texts for word in words(text))
        total = sum(counted.values()) or 1
        for word, times in counted.items():
            share[word] = share.get(word, 0.0) + times / total
    return tuple(word for word, _ in sorted(share.items(), key=lambda entry: (-entry[1], entry[0]))[:count])
