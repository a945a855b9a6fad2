"""What is served: one engine, and everyone who writes with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from manera.errors import ManeraError, ServingError
from manera.generation.engine import Engine
from manera.generation.reply import Writer


class UnknownModelError(ServingError):
    """A request names a model that is not served, or not to the key it came with."""


class UnavailableModelError(ServingError):
    """A request names a voice that is there and cannot be used."""


class Entry(NamedTuple):
    """One model: since when it is there (Unix seconds), and who writes as it, or why nobody can."""

    created: int
    writer: Writer | ManeraError


@dataclass
class Catalogue:
    """An engine and its writers by model id; ``base`` is the id of the untuned base."""

    engine: Engine
    base: str
    writers: Mapping[str, Writer]
    created: int

    def entries(self) -> Mapping[str, Entry]:
        """Return everyone there is, by model id."""
        return {model: Entry(self.created, writer) for model, writer in self.writers.items()}

    def entry(self, model: str) -> Entry | None:
        """Return who is called so."""
        writer = self.writers.get(model)
        return None if writer is None else Entry(self.created, writer)


def visible(catalogue: Catalogue, allowed: Collection[str] | None) -> dict[str, Entry]:
    """Return the entries that may be used; None allows all."""
    return {model: entry for model, entry in catalogue.entries().items() if allowed is None or model in allowed}


def writer_of(catalogue: Catalogue, model: str, allowed: Collection[str] | None = None) -> Writer:
    """Return who writes as a model; raise UnknownModelError, UnavailableModelError.

    What is not allowed is as unknown as what is not there: a refusal tells nothing of it.
    """
    entry = catalogue.entry(model) if allowed is None or model in allowed else None
    if entry is None:
        models = ", ".join(visible(catalogue, allowed))
        raise UnknownModelError(f"the model {model!r} does not exist", f"models: {models or 'none'}")
    if isinstance(entry.writer, ManeraError):
        raise UnavailableModelError(
            f"the voice {model!r} cannot be used: {entry.writer.message}", entry.writer.hint
        ) from entry.writer
    return entry.writer
