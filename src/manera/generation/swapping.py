"""Voices that come and go while others write: llama.cpp takes adapters only when it opens, so it is opened again.

The base is mapped from its file, so opening takes a fraction of a second. The old server finishes what it has begun:
no reply ever changes its server.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from threading import Condition
from typing import NamedTuple

from manera.errors import GenerationError, ManeraError
from manera.generation import llama_cpp
from manera.generation.engine import Deliver, Finished, IsCancelled, Request
from manera.generation.llama_cpp import LlamaCpp

ADAPTER_BYTES = 512 * 1024 * 1024
LOOK_AGAIN_SECONDS = 0.05
"""How often a request that waits for its adapter looks whether it was cancelled."""


class AdapterFile(NamedTuple):
    """An adapter's file as it was at one time: with another stamp it is another adapter."""

    path: Path
    modified_ns: int
    size: int


def open_engine(
    base: Path,
    adapters: Callable[[str], Path | None],
    opened: Iterable[str] = (),
    *,
    most_adapter_bytes: int = ADAPTER_BYTES,
    slots: int = 4,
    context_length: int = 4096,
    threads: int | None = None,
) -> "SwappingEngine":
    """Load a base GGUF file; its adapters are opened when a request names them, and again when their files change.

    adapters: tells where the adapter of this name is now, None when there is none; what it raises, the reply raises.
    opened: those to begin with. most_adapter_bytes: of files that stay open; beyond it the least recently used are let
    go. The others are as in ``llama_cpp.open_engine``. Raises GenerationError.
    """
    open_with = partial(llama_cpp.open_engine, base, slots=slots, context_length=context_length, threads=threads)
    return SwappingEngine(open_with, adapters, opened, most_adapter_bytes)


class SwappingEngine:
    """An engine that is opened again for adapters it lacks; see ``manera.generation.engine.Engine``.

    At most two servers are open at a time: the current one, and one that finishes its last replies.
    """

    def __init__(
        self,
        open_with: Callable[[Mapping[str, Path]], LlamaCpp],
        find: Callable[[str], Path | None],
        opened: Iterable[str],
        most_adapter_bytes: int,
    ) -> None:
        self._open_with = open_with
        self._find = find
        self._most_adapter_bytes = most_adapter_bytes
        self._changed = Condition()
        self._is_opening = False
        self._is_closed = False
        self._wanted: dict[str, AdapterFile] = {}  # by requests that wait
        self._last_used: dict[str, None] = {}  # the latest last
        self._old: _Server | None = None
        self._current = self._open({name: self._file(name) for name in opened})
        self.context_length = self._current.engine.context_length
        self.drafts = self._current.engine.drafts

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the adapters that are open now."""
        return tuple(self._current.adapters)

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        server = self._take(request, is_cancelled)
        if server is None:
            return Finished("cancelled", len(request.prompt), 0, 0.0, 0.0)
        try:
            return server.engine.generate(request, deliver, is_cancelled)
        finally:
            self._give_back(server)

    def close(self) -> None:
        """Cancel what is being written, wait for it to end, and free the model."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._is_opening)
            for server in (self._current, self._old):
                if server is not None:
                    server.engine.close()

    def __enter__(self) -> "SwappingEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, request: Request, is_cancelled: IsCancelled) -> "_Server | None":
        """Wait for the server that has this request's adapters, opening it where nobody does; None when cancelled."""
        files = {name: self._file(name) for name in request.adapters}
        with self._changed:
            while not self._serves(files):
                if is_cancelled():
                    return None
                self._wanted |= files
                if self._is_opening or self._old is not None:
                    self._changed.wait(LOOK_AGAIN_SECONDS)
                else:
                    self._swap(files)
            for name in files:
                self._last_used.pop(name, None)
                self._last_used[name] = None
            self._current.replies += 1
            return self._current

    def _give_back(self, server: "_Server") -> None:
        with self._changed:
            server.replies -= 1
            self._retire_old()

    def _serves(self, files: Mapping[str, AdapterFile]) -> bool:
        if self._is_closed:
            raise GenerationError("the engine is closed", "open it again")
        return files.items() <= self._current.adapters.items()

    def _swap(self, files: Mapping[str, AdapterFile]) -> None:
        """Open a server that has these adapters too; called with the lock held, which others may take meanwhile.

        What other waiting requests want comes along, but cannot make this one fail.
        """
        self._is_opening = True
        together = self._chosen(files, self._wanted)
        alone = self._chosen(files, {})
        self._wanted = {}
        self._changed.release()
        try:
            opened = self._open(together, alone)
        finally:
            self._changed.acquire()
            self._is_opening = False
            self._changed.notify_all()
        self._old, self._current = self._current, opened
        self._retire_old()

    def _chosen(self, needed: Mapping[str, AdapterFile], wanted: Mapping[str, AdapterFile]) -> dict[str, AdapterFile]:
        """Choose what is to be open: what is needed, then what fits beside it, wanted ones and last used ones first."""
        opened = {name: self._current.adapters[name] for name in reversed(self._last_used) if name in self.adapters}
        chosen = dict(needed)
        room = self._most_adapter_bytes - sum(file.size for file in needed.values())
        for name, file in (*wanted.items(), *opened.items(), *self._current.adapters.items()):
            if name not in chosen and file.size <= room and self._is_there(name, file):
                chosen[name] = file
                room -= file.size
        return chosen

    def _open(self, adapters: Mapping[str, AdapterFile], needed: Mapping[str, AdapterFile] | None = None) -> "_Server":
        try:
            return _Server(self._open_with({name: file.path for name, file in adapters.items()}), adapters)
        except GenerationError:
            if needed is None or needed == adapters:
                raise
            return self._open(needed)

    def _retire_old(self) -> None:
        """Close the server before the current one once its last reply has ended."""
        if self._old is not None and not self._old.replies:
            self._old.engine.close()
            self._old = None
            _return_freed_memory()
            self._changed.notify_all()

    def _file(self, name: str) -> AdapterFile:
        path = self._find(name)
        try:
            stamp = None if path is None else path.stat()
        except FileNotFoundError:
            stamp = None
        if path is None or stamp is None:
            raise GenerationError(f"there is no adapter {name!r}", "list what there is: manera doctor")
        return AdapterFile(path, stamp.st_mtime_ns, stamp.st_size)

    def _is_there(self, name: str, file: AdapterFile) -> bool:
        try:
            return self._file(name) == file
        except ManeraError:
            return False


class _Server:
    """An open engine, the adapters in it, and how many replies it is writing."""

    def __init__(self, engine: LlamaCpp, adapters: Mapping[str, AdapterFile]) -> None:
        self.engine = engine
        self.adapters = adapters
        self.replies = 0


def _return_freed_memory() -> None:
    """Let glibc give back what a closed server has freed: it would keep some 30 MB of each."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
