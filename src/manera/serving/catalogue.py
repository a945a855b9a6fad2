"""What is served: one engine, and everyone who writes with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from manera.errors import ServingError
from manera.generation.engine import Engine
from manera.generation.reply import Writer


class UnknownModelError(ServingError):
    """A request names a model that is not served."""


@dataclass(frozen=True)
class Catalogue:
    """An engine and its writers by model id; ``base`` is the id of the untuned base."""

    engine: Engine
    base: str
    writers: Mapping[str, Writer]
    created: int

    def writer(self, model: str) -> Writer:
        """Return who is called so; raise UnknownModelError."""
        found = self.writers.get(model)
        if found is None:
            raise UnknownModelError(f"the model {model!r} does not exist", f"models: {', '.join(self.writers)}")
        return found
