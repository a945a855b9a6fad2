"""Which bases a voice can be trained on here: those that need no hub, and whatever others lie ready.

Gigabytes of a hub are fetched for whoever sits at this machine, and never for a client.
"""

from pathlib import Path

import msgspec

from manera.bases import base_model
from manera.bases.base_model import BaseModel
from manera.bases.catalogue import CATALOGUE, DEFAULT_BASE, catalogued, without_hub
from manera.bases.vocabulary import known_languages
from manera.errors import JobError


class Base(msgspec.Struct, frozen=True):
    """A base; is_ready: nothing is to be fetched or built. licence, parameters: None where they are not known."""

    id: str
    name: str
    parameters: int | None
    languages: list[str]
    licence: str | None
    is_ready: bool


def list_bases() -> list[Base]:
    """Return the bases that come without a hub, then the others that are ready here."""
    ready = _ready()
    offered = [
        Base(
            base.name,
            base.about,
            base.parameters or None,
            known_languages(base.name) or list(base.languages),
            base.licence,
            any(one.id == base.name for one in ready.values()),
        )
        for base in CATALOGUE
        if base.is_packaged
    ]
    known = {base.id for base in offered}
    own = {base.id: base for base in ready.values() if base.id not in known}
    return offered + [_own(base) for base in own.values()]


def chosen_base(name: str | None, served: BaseModel | None) -> tuple[str, Path | None]:
    """Return the id and, where it is ready, the folder of a base; raise JobError for one that is not known.

    served: the base that is served here, which is taken before another of its name: a voice on it can be asked at once.
    """
    wanted = name or (served.id if served else DEFAULT_BASE)
    if served is not None and served.id == wanted and (folder := base_model.find_built(served)):
        return wanted, folder
    ready = [folder for folder, base in _ready().items() if base.id == wanted]
    if wanted in without_hub():
        return wanted, base_model.find_prepared(name=wanted)
    if not ready:
        raise JobError(f"there is no base {wanted!r}", f"bases: {', '.join(base.id for base in list_bases())}")
    return wanted, ready[-1]


def _own(base: BaseModel) -> Base:
    """Describe a base that is ready, with what the catalogue knows of it."""
    known = catalogued(base.id)
    if known is None:
        return Base(base.id, base.id, None, list(base.languages), None, True)
    return Base(base.id, known.about, known.parameters, list(known.languages), known.licence, True)


def _ready() -> dict[Path, BaseModel]:
    return dict(base_model.built())
