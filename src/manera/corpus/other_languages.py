"""Conversations in another language than most: told one by one, for a message is too short."""

import re
from collections import Counter
from functools import cache, cached_property
from typing import Any

from manera.text.stems import FUNCTION_WORDS
from manera.text.words import words

# A language is somebody's own where so much of all that was told apart is in it.
_OWN_SHARE = 0.1
_MIN_LETTERS = 60
_MIN_CERTAINTY = 0.95
# So much of a conversation is enough to tell by.
MAX_CHARACTERS = 600

_CYRILLIC = re.compile("[\u0400-\u04ff]")
_NOT_RUSSIAN = re.compile("[іїєґўқғүұһәөђћљњџјѓќѕ]", re.IGNORECASE)
_MIN_FUNCTION_WORDS = 0.25


def language(text: str) -> str | None:
    """Name the language of a text, as ISO 639-1 has it; None where it is too short or too mixed to tell."""
    letters = sum(map(str.isalpha, text))
    if letters < _MIN_LETTERS:
        return None
    cyrillic = len(_CYRILLIC.findall(text))
    if cyrillic > 0.9 * letters and not _NOT_RUSSIAN.search(text):
        return "ru"
    said = words(text)
    if cyrillic < 0.1 * letters and sum(word in FUNCTION_WORDS for word in said) > _MIN_FUNCTION_WORDS * len(said):
        return "en"
    name, certainty = _identifier().classify(text)
    return str(name) if certainty >= _MIN_CERTAINTY else None


class Languages:
    """Counts the languages of conversations by their numbers; afterwards tells which are in another one.

    A conversation takes one byte.
    """

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._found = bytearray()
        self._sizes: Counter[str] = Counter()

    def count(self, number: int, text: str, size: int) -> None:
        """Count a conversation of so many characters by its beginning."""
        if name := language(text):
            self._found.extend(bytes(max(0, number + 1 - len(self._found))))
            self._found[number] = self._names.setdefault(name, len(self._names) + 1)
            self._sizes[name] += size

    def other(self, number: int) -> str | None:
        """Return the language of a conversation, if it is not one of those that are written here."""
        found = self._found[number] if number < len(self._found) else 0
        return self._others.get(found)

    @cached_property
    def _others(self) -> dict[int, str]:
        """The languages that are not written here, when all have been counted; what they were told by is let go."""
        _identifier.cache_clear()
        least = _OWN_SHARE * self._sizes.total()
        return {number: name for name, number in self._names.items() if self._sizes[name] < least}


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
