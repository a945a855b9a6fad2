"""Words of a text between its marks, and which of them are names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

_NOT_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`"  # code
    r"|!\[[^]\n]*\]\([^)\n]*\)|\]\([^)\n]*\)"  # Markdown's pictures, and where its links lead
    r"|<[^<>\n]*>|\b\w+://\S+|\S+@\S+|(?<!\w)[@#/]\w[\w/.-]*",  # tags, addresses, paths
    re.DOTALL,
)
_PIECE = re.compile(r"\d[\d.,:]*|[^\W\d_][^\W_]*(?:[-'][^\W\d_][^\W_]*)*|[^\w\s]|\n")


def pieces(text: str) -> list[str]:
    """Cut a text into words, numbers, marks and line breaks; code, tags and addresses are left out if words remain."""
    text = text.replace("’", "'")
    found = _PIECE.findall(_NOT_PROSE.sub(" … ", text))
    return found if any(map(is_word, found)) else _PIECE.findall(text)


def is_word(piece: str) -> bool:
    """Say whether a piece is a word."""
    return piece[0].isalpha()


def is_number(piece: str) -> bool:
    """Say whether a piece is a number in figures."""
    return piece[0].isdigit()


def is_russian(word: str) -> bool:
    """Say whether a word has Russian letters."""
    return any("а" <= letter <= "ё" for letter in word.lower())


def names(texts: Iterable[Sequence[str]]) -> set[str]:
    """Return, in lower case, words that stand within sentences with a capital more often than without."""
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for text in texts:
        for before, word in pairwise(text):
            if word[0].islower():
                small[word] += 1
            elif word[0].isupper() and (is_word(before) or before == ","):
                capital[word.lower()] += 1
    return {word for word, count in capital.items() if count > small[word]}


def in_sentence(word: str, named: Iterable[str]) -> str:
    """Write a word as within a sentence: in lower case unless it is a name or an abbreviation."""
    return word if word.lower() in named or (word.isupper() and len(word) > 1) else word.lower()
