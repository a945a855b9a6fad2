"""How somebody writes, as numbers: lengths, marks, emoji, casing, and the endings of words."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manera.text.words import WORD, count_words, sentence_lengths

Piece = Sequence[str]
"""Messages or paragraphs of one author that follow each other."""

_EMOJI = re.compile("[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
SMILE = re.compile(r"[:;=]-?[)(DP]|\){2,}|\({2,}")
_MARKS = ".,!?…;:—–-()\"«»“”'*/"
_KEPT_LETTERS = 2


def emoji(text: str) -> list[str]:
    """List the emoji of a text."""
    return _EMOJI.findall(text)


def distorted(text: str, known: frozenset[str]) -> str:
    """Hide what a text is about: of a word that is not common, only its ending is left.

    After Stamatatos (2017), who masks such words whole; endings tell grammar, which Russian has there.
    """

    def masked(found: re.Match[str]) -> str:
        word = found.group().casefold()
        return word if word in known else "*" + word[-_KEPT_LETTERS:]

    return WORD.sub(masked, text)


def habits(piece: Piece) -> NDArray[np.float64]:
    """Measure lengths, punctuation, emoji and casing of a piece; every entry is a rate or a logarithm."""
    text = "\n".join(piece)
    characters = max(len(text), 1)
    found = WORD.findall(text)
    count = max(len(found), 1)
    lengths = np.array([count_words(message) for message in piece] or [0])
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
            len(emoji(text)) / characters,
            len(SMILE.findall(text)) / messages,
            sum("\n" in message for message in piece) / messages,
            *(text.count(mark) / characters for mark in _MARKS),
        ]
    )
