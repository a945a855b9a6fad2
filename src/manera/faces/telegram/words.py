"""What the bot says itself, in the person's language."""

import json
from functools import cache
from importlib import resources

from manera.text.languages import Language

COMMANDS = ("help", "post", "voice", "stop", "reset", "forget", "export", "privacy")
"""As Telegram's menu shows them, each with the words ``command_<name>``."""


def language_for(code: str | None) -> Language:
    """Choose by a user's language code, such as ``ru`` or ``en-GB``."""
    return "ru" if (code or "").lower().partition("-")[0] == "ru" else "en"


def say(language: Language, words: str, **values: object) -> str:
    """Return words by their id, with values put into them."""
    return _words(language)[words].format(**values)


@cache
def _words(language: Language) -> dict[str, str]:
    loaded: dict[str, str] = json.loads(resources.files(__package__).joinpath(f"{language}.json").read_text("utf-8"))
    return loaded
