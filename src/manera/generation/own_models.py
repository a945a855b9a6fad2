"""Voices that are models of their own, beside the base and its adapters: each has a server, which opens when asked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

import msgspec

from manera.errors import GenerationError
from manera.generation.engine import Deliver, Engine, Finished, IsCancelled, Request

MAX_OPEN = 2
"""Such models that stay open; beyond it the one that was used longest ago goes when it has nothing to write."""


@dataclass(eq=False)
class _Server:
    """An open model, and how many replies it is writing."""

    path: Path
    engine: Engine
    replies: int = 0


class OwnModels:
    """An engine for a base, and those of some voices; see ``manera.generation.engine.Engine``."""

    def __init__(self, base: Engine, find: Callable[[str], Path | None], open_model: Callable[[Path], Engine]) -> None:
        """find: tells where a voice's model is now; None where the base's engine has the voice."""
        self.context_length = base.context_length
        self.drafts = base.drafts
        self._base = base
        self._find = find
        self._open_model = open_model
        self._servers: dict[str, _Server] = {}  # used last is last
        self._changed = Condition()

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        paths = {name: path for name in request.adapters if (path := self._find(name)) is not None}
        if not paths:
            return self._base.generate(request, deliver, is_cancelled)
        _require_alone(request, paths)
        ((name, path),) = paths.items()
        server = self._take(name, path)
        try:
            return server.engine.generate(msgspec.structs.replace(request, adapters={}), deliver, is_cancelled)
        finally:
            self._give_back(server)

    def close(self) -> None:
        """Cancel what is being written, wait for it to end, and free the models."""
        with self._changed:
            servers, self._servers = list(self._servers.values()), {}
        for engine in (self._base, *(server.engine for server in servers)):
            engine.close()

    def _take(self, name: str, path: Path) -> _Server:
        """Return the server of a voice, opening it where it is not open, or is another model by now."""
        with self._changed:
            server = self._servers.pop(name, None)
            if server is None or server.path != path:
                self._retire(server)
                server = _Server(path, self._open_model(path))
            self._servers[name] = server
            server.replies += 1
            idle = [other for other, one in self._servers.items() if not one.replies]
            for other in idle[: max(0, len(self._servers) - MAX_OPEN)]:
                self._retire(self._servers.pop(other))
            return server

    def _give_back(self, server: _Server) -> None:
        with self._changed:
            server.replies -= 1
            if server not in self._servers.values():
                self._retire(server)

    @staticmethod
    def _retire(server: _Server | None) -> None:
        """Close a server that is not wanted any more, unless it is writing: then its last reply does."""
        if server is not None and not server.replies:
            server.engine.close()


def _require_alone(request: Request, own: Collection[str]) -> None:
    """Raise GenerationError where a model of its own was to be mixed or weighed."""
    if len(request.adapters) > 1 or any(request.adapters[name] != 1 for name in own):
        raise GenerationError(
            f"the voice {next(iter(own))!r} is a model of its own: it can be neither mixed nor weighed",
            "ask it alone, as it was trained",
        )
