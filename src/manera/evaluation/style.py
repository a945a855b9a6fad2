"""How a text is written, as numbers: what a verifier of authorship looks at."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Piece = Sequence[str]
"""Messages or paragraphs of one author that follow each other."""

WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+[\s»\"”)]*")
_EMOJI = re.compile("[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
_SMILE = re.compile(r"[:;=]-?[)(DP]|\){2,}|\({2,}")
_MARKS = ".,!?…;:—–-()\"«»“”'*/"
_KEPT_LETTERS = 2


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def pictures(text: str) -> list[str]:
    """List the emoji of a text."""
    return _EMOJI.findall(text)


def sentence_lengths(text: str) -> list[int]:
    """Count the words of each sentence; a message without an end mark is a sentence too."""
    counted = (len(words(sentence)) for line in text.splitlines() for sentence in _SENTENCE_END.split(line))
    return [count for count in counted if count]


def common_words(authors: Iterable[Iterable[str]], count: int) -> tuple[str, ...]:
    """Return the words most frequent over authors, each author counting as much as any other.

    These are the function words of whatever language it is; no list has to be kept.
    """
    share: Counter[str] = Counter()
    for texts in authors:
        counted = Counter(word for text in texts for word in words(text))
        total = sum(counted.values()) or 1
        for word, times in counted.items():
            share[word] += times / total  # type: ignore[assignment]
    return tuple(word for word, _ in sorted(share.items(), key=lambda entry: (-entry[1], entry[0]))[:count])


def distorted(text: str, known: frozenset[str]) -> str:
    """Hide what a text is about: of a word that is not common, only its ending is left.

    After Stamatatos (2017), who masks such words whole; endings tell grammar, which Russian has there.
    """

    def masked(found: re.Match[str]) -> str:
        word = found.group().lower()
        return word if word in known else "*" + word[-_KEPT_LETTERS:]

    return WORD.sub(masked, text)


def habits(piece: Piece) -> NDArray[np.float64]:
    """Measure lengths, punctuation, emoji and casing of a piece; every entry is a rate or a logarithm."""
    text = "\n".join(piece)
    characters = max(len(text), 1)
    found = WORD.findall(text)
    count = max(len(found), 1)
    lengths = np.array([len(words(message)) for message in piece] or [0])
    sentences = np.array(sentence_lengths(text) or [0])
    first = [next((character for character in message if character.isalpha()), "") for message in piece]
    ends = [message.rstrip()[-1:] for message in piece]
    messages = max(len(piece), 1)
    return np.array(
        [
            np.log1p(lengths).mean(),
            np.log1p(lengths).std(),
            (lengths <= 2).mean(),
            np.log1p(sentences).mean(),
            np.log1p(sentences).std(),
            sum(map(len, found)) / count,
            sum(letter.islower() for letter in first) / messages,
            sum(end.isalnum() for end in ends) / messages,
            sum(word.isupper() and len(word) > 1 for word in found) / count,
            sum(word[0].isupper() for word in found) / count,
            sum(character.isdigit() for character in text) / characters,
            text.lower().count("ё") / characters,
            len(pictures(text)) / characters,
            len(_SMILE.findall(text)) / messages,
            sum("\n" in message for message in piece) / messages,
            *(text.count(mark) / characters for mark in _MARKS),
        ]
    )
