"""``manera bases``, and a base made ready with words about it."""

from collections.abc import Sequence
from pathlib import Path

from manera.bases.base_model import is_prepared, prepare
from manera.bases.catalogue import CATALOGUE, DEFAULT_BASE, find_base
from manera.bases.vocabulary import known_languages
from manera.cli import console


def show_bases(as_json: bool) -> None:
    """List the bases that a voice can be trained on."""
    if as_json:
        listed = [
            {
                "name": base.name,
                "about": base.about,
                "licence": base.licence,
                "origin": base.origin,
                "languages": known_languages(base.name),
                "ready": is_prepared(name=base.name),
            }
            for base in CATALOGUE
        ]
        console.result({"default": DEFAULT_BASE, "bases": listed})
        return
    for base in CATALOGUE:
        default = ", the default" if base.name == DEFAULT_BASE else ""
        ready = "ready" if is_prepared(name=base.name) else "built when it is first used"
        console.show(f"{base.name}{default}: {base.about}")
        console.show(f"    tokens of {', '.join(known_languages(base.name))}; licence {base.licence}; {ready}")


def ready_base(name: str, languages: Sequence[str]) -> Path:
    """Return a base's folder; say so where it has to be fetched or built first."""
    if not is_prepared(languages, name):
        base = find_base(name)
        fetching = f"fetching {name} ({base.megabytes} MB) and " if base.megabytes else ""
        chosen = ", ".join(sorted(languages or base.languages))
        console.say(f"{fetching}building the base for {chosen} (once, about half a minute)")
    return prepare(languages, name)
