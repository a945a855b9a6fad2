"""A job's folder: an order that never changes, and a state that is replaced whole.

<kind>/<id>/order.json     what is asked for, and by whom
           /state.json     how far it has come
           /lock           locked as long as its process lives
           /pid            of that process
           /log            where its process broke off, if it did; nobody's words
"""

import re
import secrets
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from manera import config
from manera.errors import JobError, ManeraError
from manera.files import replacing

ORDER, STATE, LOCK, PID, LOG = "order.json", "state.json", "lock", "pid", "log"
_ID = re.compile(r"[0-9a-f]{32}")

Record = TypeVar("Record", bound=msgspec.Struct)


class UnknownJobError(JobError):
    """There is no such job, or it is somebody else's: the two are told alike."""


class Tenant(msgspec.Struct, frozen=True):
    """Whose something is: the key's name, and whom that client asks for; "" where there is none."""

    client: str = ""
    user: str = ""


class Failure(msgspec.Struct, frozen=True):
    """An error as it is told to people."""

    message: str
    hint: str | None = None


def told(error: ManeraError, folder: Path) -> Failure:
    """Return an error in words that say nothing of where things lie on this machine."""

    def hidden(text: str) -> str:
        for place in (folder, folder.parent, config.home()):
            text = text.replace(f"{place}/", "").replace(str(place), "")
        return text

    return Failure(hidden(error.message), error.hint and hidden(error.hint))


def jobs_folder(kind: str) -> Path:
    """Return where the jobs of a kind lie."""
    return config.home() / kind


def new_id() -> str:
    """Return a name that nobody guesses."""
    return secrets.token_hex(16)


def job_folders(kind: str) -> list[Path]:
    """Return the folders of all jobs of a kind."""
    return [order.parent for order in jobs_folder(kind).glob(f"*/{ORDER}")]


def find_folder(kind: str, id: str) -> Path:
    """Return a job's folder; raise UnknownJobError."""
    folder = jobs_folder(kind) / id
    if not _ID.fullmatch(id) or not (folder / ORDER).is_file():
        raise UnknownJobError(f"there is nothing called {id!r} in {kind}")
    return folder


def private_file(path: Path) -> BinaryIO:
    """Open a new file for its owner alone."""
    path.touch(mode=0o600)
    return path.open("r+b")


def write_record(path: Path, record: msgspec.Struct) -> None:
    """Write a record whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(record))


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Read a record; None where there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
