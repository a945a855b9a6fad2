"""Which bases a voice can be trained on here: those of the catalogue, and those that lie ready beside them."""

from contextlib import suppress
from pathlib import Path

import msgspec

from manera import config
from manera.bases import base_model
from manera.bases.base_model import DESCRIPTION, BaseModel
from manera.bases.catalogue import CATALOGUE, DEFAULT_BASE
from manera.bases.vocabulary import known_languages
from manera.errors import JobError, ModelError


class Base(msgspec.Struct, frozen=True):
    """A base; is_ready: nothing is to be fetched or built. licence, parameters: None where they are not known."""

    id: str
    name: str
    parameters: int | None
    languages: list[str]
    licence: str | None
    is_ready: bool


def list_bases() -> list[Base]:
    """Return the bases of the catalogue, then the others that are ready here."""
    ready = _ready()
    catalogued = [
        Base(
            base.name,
            base.about,
            base.parameters or None,
            known_languages(base.name) or list(base.languages),
            base.licence,
            any(one.id == base.name for one in ready.values()),
        )
        for base in CATALOGUE
    ]
    known = {base.id for base in catalogued}
    own = {base.id: base for base in ready.values() if base.id not in known}
    return catalogued + [Base(base.id, base.id, None, list(base.languages), None, True) for base in own.values()]


def chosen_base(name: str | None, served: BaseModel | None) -> tuple[str, Path | None]:
    """Return the id and, where it is ready, the folder of a base; raise JobError for one that is not known.

    served: the base that is served here, which is taken before another of its name: a voice on it can be asked at once.
    """
    wanted = name or (served.id if served else DEFAULT_BASE)
    if served is not None and served.id == wanted and (folder := base_model.find_built(served)):
        return wanted, folder
    ready = [folder for folder, base in _ready().items() if base.id == wanted]
    if wanted in {base.name for base in CATALOGUE}:
        return wanted, None if not base_model.is_prepared(name=wanted) else base_model.prepare(name=wanted)
    if not ready:
        raise JobError(f"there is no base {wanted!r}", f"bases: {', '.join(base.id for base in list_bases())}")
    return wanted, ready[-1]


def _ready() -> dict[Path, BaseModel]:
    found = {}
    for description in sorted((config.home() / "bases").glob(f"*/{DESCRIPTION}")):
        with suppress(ModelError):
            found[description.parent] = base_model.read(description.parent)
    return found
