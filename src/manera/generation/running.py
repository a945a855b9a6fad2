"""The replies that an engine is writing."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Event

from manera.errors import GenerationError
from manera.generation.engine import Finished, Request

_log = logging.getLogger(__name__)


class Running:
    """Counts an engine's replies: none begins once it is closing, and closing waits for all to end."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = Condition()
        self._closing = Event()

    @property
    def is_closing(self) -> bool:
        """Tell a reply to end."""
        return self._closing.is_set()

    def reply(self, request: Request, write: Callable[[], Finished]) -> Finished:
        """Count one reply while it is written, and log its lengths; raise GenerationError when it comes too late."""
        with self._counted():
            _log.info("a reply begins: %d tokens of prompt", len(request.prompt))
            try:
                ended = write()
            except Exception as error:
                _log.info("a reply failed: %s", type(error).__name__)
                raise
        counts = (ended.prompt_tokens, ended.new_tokens, ended.seconds)
        _log.info("a reply ended, %s: %d tokens read, %d written in %.2f s", ended.reason, *counts)
        return ended

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._changed:
            if self._closing.is_set():
                raise GenerationError("the engine is closed", "open it again")
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let no reply begin any more, and return when all have ended."""
        with self._changed:
            self._closing.set()
            self._changed.wait_for(lambda: self._count == 0)
