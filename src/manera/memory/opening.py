"""Where the store of past talk lies, and how it is opened: SQLite beside the voices, or a PostgreSQL by its URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from manera import config
from manera.errors import StoreError
from manera.memory import migrating

FILE = "memory.sqlite"
BUSY_SECONDS = 10.0
"""How long another writer of the same SQLite file is waited for."""

_CONNECT_SECONDS = 10
_POSTGRES = "postgresql+psycopg"
_READS = "manera_reads"
_PRAGMAS = (
    "journal_mode = WAL",  # who reads does not wait for who writes
    "foreign_keys = ON",
    "secure_delete = ON",  # what is forgotten is overwritten, not only let go
)
_WORDS = {
    "locked": ("is locked: another program has been writing it", "end the program that holds it, then ask again"),
    "readonly": ("may only be read", "check who owns the file and its folder"),
    "unable to open": ("cannot be opened", "check that its folder is there and is yours"),
    "not a database": ("is no SQLite file", "move it away; a new one is then made"),
    "malformed": ("is damaged", "copy what is left with sqlite3's .recover, or move it away"),
    "full": ("has no room to grow", "free some space; nothing that was kept is lost"),
}
"""What SQLite says, and how it is told: what is wrong, what to do next."""


def open_engine(place: str | None) -> Engine:
    """Open a store and bring its tables up to today; ``place`` is a file, a URL, or None for memory.sqlite.

    Raises StoreError.
    """
    url = url_of(place)
    with in_words(url):
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgres(url)
        try:
            migrating.upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def url_of(place: str | None) -> URL:
    """Return the URL of a store; raise StoreError when it names neither SQLite nor PostgreSQL."""
    if place is None:
        return URL.create("sqlite", database=str(config.home() / FILE))
    if "://" not in place:
        return URL.create("sqlite", database=str(Path(place).expanduser()))
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise StoreError("the store's URL cannot be read", _url_hint()) from error
    if url.drivername in ("postgres", "postgresql", _POSTGRES):
        return url.set(drivername=_POSTGRES)
    if url.drivername == "sqlite" and url.database:
        return url
    raise StoreError(f"no store of past talk at {url.drivername}://: it is SQLite or PostgreSQL", _url_hint())


def shown(url: URL) -> str:
    """Name a store without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


@contextmanager
def in_words(url: URL) -> Iterator[None]:
    """Turn what a database says into a StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise _told(url, str(error.orig)) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {shown(url)} cannot be used: {type(error).__name__}", place=shown(url)) from error


def reading(engine: Engine) -> Engine:
    """Return the same engine for reading only: on SQLite it does not wait for who writes."""
    return engine.execution_options(**{_READS: True})


def _told(url: URL, said: str) -> StoreError:
    if url.get_backend_name() == "sqlite":
        for sign, (what, hint) in _WORDS.items():
            if sign in said:
                return StoreError(f"the store {shown(url)} {what}", hint, shown(url))
    first = said.strip().partition("\n")[0] or "no reason given"
    hint = "check MANERA_STORE_URL, and that it runs"
    return StoreError(f"the store {shown(url)} cannot be used: {first}", hint, shown(url))


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own would be readable by others
    except OSError as error:
        told = f"the store {path} cannot be opened: {error.strerror}"
        raise StoreError(told, "check its folder", str(path)) from error
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: _begin does
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Take the lock of who writes at once: one that is asked for later is refused without waiting."""
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> Engine:
    try:
        connecting = {"connect_timeout": _CONNECT_SECONDS}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=connecting)
    except ImportError as error:
        raise StoreError("PostgreSQL needs the package psycopg", "pip install 'psycopg[binary]'") from error


def _url_hint() -> str:
    return "write a path, sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
