"""Write the words of Russian and English that evaluation knows, from wordfreq's word frequencies.

    pip install 'wordfreq>=3.1'
    python scripts/known_words.py

A word is kept from a frequency on at which misspellings are rare. Of Russian only what pymorphy's dictionary, which is
installed anyway, does not know.
"""

import lzma
import re
from collections.abc import Callable
from pathlib import Path

import wordfreq
from pymorphy3 import MorphAnalyzer

FOLDER = Path(__file__).parents[1] / "src" / "manera" / "evaluation" / "texts"
LETTERS = {"en": re.compile("[a-z]+(?:'[a-z]+)*"), "ru": re.compile("[а-яё]+")}
ZIPF = {"en": 1.5, "ru": 2.0}
"""The least frequency of a word, as the logarithm of how often it stands among a billion."""


def main() -> None:
    """Write both lists."""
    for language, is_known in (("en", lambda word: False), ("ru", MorphAnalyzer().word_is_known)):
        found = list_words(language, is_known)
        path = FOLDER / f"words-{language}.txt.xz"
        path.write_bytes(lzma.compress("\n".join(found).encode(), preset=9))
        print(f"{path.name}: {len(found):,} words, {path.stat().st_size:,} bytes")


def list_words(language: str, is_known: Callable[[str], bool]) -> list[str]:
    """List a language's words of letters that are frequent enough and not known."""
    frequencies = wordfreq.get_frequency_dict(language, wordlist="large")
    least = 10 ** (ZIPF[language] - 9)
    frequent = (word for word, frequency in frequencies.items() if frequency >= least)
    return sorted(word for word in frequent if LETTERS[language].fullmatch(word) and not is_known(word))


if __name__ == "__main__":
    main()
