"""The replies that an engine is writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event

from manera.errors import GenerationError


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

    @contextmanager
    def reply(self) -> Iterator[None]:
        """Count one reply while it is written; raise GenerationError when it comes too late."""
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
