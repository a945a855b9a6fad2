"""Which language a text is in, and which script a letter is of."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

Language = Literal["ru", "en"]

_CYRILLIC, _LATIN = re.compile("[а-яёА-ЯЁ]"), re.compile("[a-zA-Z]")
_EMOJI_FROM = 0x2190


def language_of(texts: Iterable[str]) -> Language:
    """Tell Russian from English by the letters that are more; Russian where they are as many, or none."""
    balance = sum(len(_CYRILLIC.findall(text)) - len(_LATIN.findall(text)) for text in texts)
    return "ru" if balance >= 0 else "en"


@lru_cache(maxsize=1 << 16)
def script(character: str) -> str | None:
    """Name a letter's script, or that it is an emoji; None for what all scripts share."""
    category = unicodedata.category(character)
    if category[0] == "L":
        return unicodedata.name(character, "UNKNOWN").partition(" ")[0]
    return "EMOJI" if category == "So" and ord(character) >= _EMOJI_FROM else None
