"""The words of the page by id and language."""

from collections.abc import Callable

from manera.faces.web.words_en import ENGLISH
from manera.faces.web.words_ru import RUSSIAN

LANGUAGES = {"ru": RUSSIAN, "en": ENGLISH}

Say = Callable[..., str]
"""Takes an id and what its words name; returns them in the language of the page."""


def words_of(language: str) -> Say:
    """Return what looks words up in a language."""
    table = LANGUAGES[language]

    def say(id: str, **parameters: object) -> str:
        return table[id].format_map(parameters) if parameters else table[id]

    return say


def preferred_language(accepted: str) -> str:
    """Choose a language by a browser's ``Accept-Language``: the first that the page has, else English."""
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower().partition("-")[0]
        if language in LANGUAGES:
            return language
    return "en"
