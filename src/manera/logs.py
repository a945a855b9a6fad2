"""What the API, the studio, the bot and trainings log: never what people wrote.

MANERA_LOGS, else <home>/logs/
├── api.log  studio.log  bot.log  training.log      a line: time, role, level, request id, what happened
└── api.log.2026-11-26                              a day before; kept for 30 days
"""

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from io import TextIOWrapper
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Literal
from uuid import uuid4

from manera import config
from manera.errors import SettingsError

Role = Literal["api", "studio", "bot", "training"]

REQUEST_ID = "x-request-id"
"""The header that carries a request's id from a face to the API, and back."""

DAYS_KEPT = 30

_OURS = "manera"
_FACES = "manera.faces"
_VALID_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def folder() -> Path:
    """Return where the log files are: ``MANERA_LOGS``, else a folder in MANERA_HOME."""
    configured = os.environ.get("MANERA_LOGS")
    return Path(configured).expanduser() if configured else config.home() / "logs"


@contextmanager
def kept(role: Role, *, on_console: bool = True) -> Iterator[None]:
    """Log what a role does to its file, and to stderr, for the length of the block.

    ``MANERA_LOG_CONSOLE=off`` keeps a role that nobody watches off stderr.
    Two roles in one process keep a file each. Raises SettingsError where no file can be written.
    """
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    handlers: list[logging.Handler] = [_file(role)]
    if on_console and os.environ.get("MANERA_LOG_CONSOLE") != "off":
        handlers.append(logging.StreamHandler(sys.stderr))
    level = ours.level
    with ExitStack() as end:
        for handler in handlers:
            handler.setFormatter(Line(role))
            handler.addFilter(lambda record: _concerns(role, record.name))
            root.addHandler(handler)
            end.callback(handler.close)
            end.callback(root.removeHandler, handler)
        ours.setLevel(logging.INFO)
        end.callback(ours.setLevel, level)
        yield


def current_request() -> str | None:
    """Return the id of the request that is being worked on, None outside of any."""
    return _request_id.get()


@contextmanager
def request(given: str | None = None) -> Iterator[str]:
    """Give what is done in the block a request's id; without a valid one it is that of the block around, or a new one.

    It goes along into tasks and ``asyncio.to_thread``, and into other threads with a copied context.
    """
    is_valid = given is not None and _VALID_ID.fullmatch(given)
    request_id = given if given and is_valid else current_request() or uuid4().hex
    token = _request_id.set(request_id)
    try:
        yield request_id
    finally:
        _request_id.reset(token)


class Line(logging.Formatter):
    """One line per record, without the words of anyone.

    Of an exception it tells the kind and the places, not the message, and what other libraries log is not filled in:
    either may quote what was read.
    """

    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        when = f"{self.formatTime(record)}{time.strftime('%z', time.localtime(record.created))}"
        return f"{when} {self._role} {record.levelname} {current_request() or '-'} {' | '.join(self._told(record))}"

    def _told(self, record: logging.LogRecord) -> Iterator[str]:
        is_ours = record.name.partition(".")[0] == _OURS
        message = record.getMessage() if is_ours else f"{record.name}: {record.msg}"
        yield from message.splitlines() if is_ours else message.splitlines()[:1]
        if record.exc_info and record.exc_info[0]:
            yield f"{record.exc_info[0].__name__} at {' < '.join(_places(record.exc_info[2]))}"


class DailyFile(TimedRotatingFileHandler):
    """A file that only its owner reads, a new one each midnight, also when several processes write to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, when="midnight", backupCount=DAYS_KEPT, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=_owners)

    def doRollover(self) -> None:
        if self.stream is not None and self._is_moved(self.stream.fileno()):
            # another process was first: moving once more would replace the day that it has put away
            self.stream.close()
            self.stream = self._open()
            self.rolloverAt = self.computeRollover(int(time.time()))
        else:
            super().doRollover()

    def _is_moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(file), Path(self.baseFilename).stat())
        except FileNotFoundError:
            return True


def _file(role: Role) -> DailyFile:
    path = folder() / f"{role}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return DailyFile(path)
    except OSError as error:
        raise SettingsError(
            f"no log can be written to {path}: {error.strerror}", "set MANERA_LOGS to a folder that can be written"
        ) from error


def _owners(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _concerns(role: Role, logger: str) -> bool:
    is_face = logger == _FACES or logger.startswith(f"{_FACES}.")
    return not is_face if role in ("api", "training") else is_face or logger.partition(".")[0] != _OURS


def _places(trace: TracebackType | None) -> Iterator[str]:
    """Yield where an exception came from, the innermost first."""
    frames: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    yield from reversed(frames)
