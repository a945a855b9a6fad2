"""English given names, those of other peoples that English texts hold, and which of them are words too."""

from functools import cache
from typing import Literal, NamedTuple, cast

from manera.text.declension import Gender
from manera.text.word_lists import rows


class EnglishName(NamedTuple):
    """is_word: «Will», «Rose», «Charlotte»: an ordinary word, a month or a place as well."""

    name: str
    gender: Gender
    form: Literal["full", "short"]
    is_word: bool


@cache
def given_names() -> dict[str, EnglishName]:
    """Return the names by what they are in lower case."""
    found: dict[str, EnglishName] = {}
    for row in rows("names-en.tsv"):
        form = cast(Literal["full", "short"], row["form"])
        for name in row["name"].split():
            found[name.lower()] = EnglishName(name, cast(Gender, row["gender"]), form, row["word"] == "yes")
    return found
