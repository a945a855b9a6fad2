"""Words that do not exist: known to neither a dictionary, nor a list of frequent words, nor the author."""

import lzma
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from manera.text.words import JOINERS, WORD

TEXTS = Path(__file__).parents[1] / "texts"
ALPHABETS = {"ru": re.compile("[а-яё]+"), "en": re.compile("[a-z]+")}
_JOINER = re.compile(f"[{JOINERS}]")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")


class Lexicon:
    """The words of Russian and English, and those of some texts, typing errors and all."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._own = {word.casefold() for text in texts for word in WORD.findall(text)}

    def invented(self, text: str) -> list[str]:
        """Return the words of a text that are not known, each as often as it stands there."""
        return [word for word in judged(text) if not self.knows(word)]

    def knows(self, word: str) -> bool:
        """Tell whether a word, given in lower case, is known: as it is, in all its parts, or less drawn out."""
        return any(map(self._knows, {word, _DRAWN_OUT.sub(r"\1", word), _DRAWN_OUT.sub(r"\1\1", word)}))

    def _knows(self, word: str) -> bool:
        if word in self._own or is_listed(word):
            return True
        parts = _JOINER.split(word)
        return len(parts) > 1 and all(len(part) == 1 or part in self._own or is_listed(part) for part in parts)


def judged(text: str) -> list[str]:
    """Return the words that can be told invented: in lower case, since others may be names, and of a known alphabet."""
    found = (word for word in WORD.findall(text) if word[0].islower())
    return [word for word in map(str.casefold, found) if _language(word) is not None]


def is_listed(word: str) -> bool:
    """Tell whether the dictionary or the list of the word's language has it."""
    language = _language(word)
    if language is None:
        return False
    return word.replace("’", "'") in _frequent(language) or (language == "ru" and _is_in_dictionary(word))


def _language(word: str) -> str | None:
    letters = _JOINER.sub("", word)
    return next((name for name, alphabet in ALPHABETS.items() if alphabet.fullmatch(letters)), None)


@cache
def _frequent(language: str) -> frozenset[str]:
    return frozenset(lzma.decompress((TEXTS / f"words-{language}.txt.xz").read_bytes()).decode().split("\n"))


@cache
def _is_in_dictionary(word: str) -> bool:
    return bool(_dictionary().word_is_known(word))


@cache
def _dictionary():  # type: ignore[no-untyped-def]  # pymorphy3 has no types
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer()
