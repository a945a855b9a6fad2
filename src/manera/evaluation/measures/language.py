"""The language of a text, by its alphabet."""

from collections.abc import Sequence


def language_of(writing: Sequence[Sequence[str]]) -> str:
    """Tell Russian from English by the letters that are more."""
    letters = "".join(text for talk in writing for text in talk).lower()
    cyrillic = sum("а" <= letter <= "ё" for letter in letters)
    latin = sum("a" <= letter <= "z" for letter in letters)
    return "ru" if cyrillic >= latin else "en"
