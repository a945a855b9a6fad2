"""``manera bases``, and a base made ready with words about it."""

from collections.abc import Sequence
from pathlib import Path

from manera.bases.base_model import find_prepared, is_prepared, prepare
from manera.bases.catalogue import CATALOGUE, DEFAULT_BASE, CataloguedBase, catalogued
from manera.bases.memory import needs
from manera.bases.origins import local
from manera.bases.vocabulary import known_languages
from manera.cli import console


def show_bases(as_json: bool, every: bool) -> None:
    """List the bases that a voice can be trained on."""
    if as_json:
        listed = [
            {
                "name": base.name,
                "about": base.about,
                "parameters": base.parameters,
                "architecture": base.architecture,
                "languages": known_languages(base.name) or list(base.languages),
                "licence": base.licence,
                "origin": base.origin,
                "needs_hub": not base.is_packaged,
                "is_gated": base.is_gated,
                "train_memory_bytes": round(needs(base).train),
                "serve_memory_bytes": round(needs(base).serve),
                "ready": is_prepared(name=base.name),
            }
            for base in CATALOGUE
        ]
        console.result({"default": DEFAULT_BASE, "bases": listed})
        return
    columns = ("base", "parameters", "languages", "built like", "licence", "GB to train", "GB to serve", "from")
    console.show_table(columns, map(_row, CATALOGUE), None if every else console.FIRST_ROWS)
    console.say(f"by default {DEFAULT_BASE}; or any hub id, a folder, a GGUF file: manera train CORPUS --base NAME")


def _row(base: CataloguedBase) -> tuple[object, ...]:
    memory = needs(base)
    return (
        base.name,
        f"{base.parameters / 1e6:,.0f} M",
        ", ".join(known_languages(base.name) or base.languages),
        base.architecture,
        base.licence,
        f"{memory.train / 1e9:.1f}",
        f"{memory.serve / 1e9:.1f}",
        _had(base),
    )


def _had(base: CataloguedBase) -> str:
    if is_prepared(name=base.name):
        return "ready"
    if base.is_packaged:
        return f"a package, {base.megabytes} MB" if base.megabytes else "manera itself"
    return "the hub, once its terms are accepted" if base.is_gated else "the hub"


def ready_base(name: str, languages: Sequence[str]) -> Path:
    """Return a base's folder; say so where it has to be fetched or built first."""
    if (ready := find_prepared(languages, name)) is not None:
        return ready
    base = catalogued(name)
    if base is not None and base.is_packaged:
        fetching = f"fetching {name} ({base.megabytes} MB) and " if base.megabytes else ""
        chosen = ", ".join(sorted(languages or base.languages))
        console.say(f"{fetching}building the base for {chosen} (once, about half a minute)")
    else:
        console.say(f"{'building' if local(name) else 'fetching and building'} the base {name} (once)")
    return prepare(languages, name)
