"""What is written whole or not at all: the one place that writes folders, and the one file format, JSON Lines.

.<name>.xxxxxxxx.manera.unfinished/new         what is to become <name>
                                  /replaced    what <name> was, while the two change places
                                  /lock        locked as long as the process that writes lives
"""

import errno
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec

if sys.platform != "win32":
    import fcntl

_NEW = "new"
_REPLACED = "replaced"
_SUFFIX = ".manera.unfinished"
_UNFINISHED = re.compile(rf"\.(?P<of>.+)\.[a-z0-9_]{{8}}{re.escape(_SUFFIX)}", re.DOTALL)
_TRIES = 10

Record = TypeVar("Record", bound=msgspec.Struct)


def read_records(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Yield the records of a JSON Lines file in order.

    Raises FileNotFoundError, and msgspec.DecodeError for a line that is not such a record.
    """
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield decoder.decode(line)
            except UnicodeDecodeError as error:
                raise msgspec.DecodeError(str(error)) from error


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write a JSON Lines file whole or not at all; return how many records it holds."""
    encoder = msgspec.json.Encoder()
    count = 0
    with replacing(path) as unfinished, unfinished.open("wb") as out:
        for record in records:
            out.write(encoder.encode(record))
            out.write(b"\n")
            count += 1
    return count


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Lend an empty file beside ``path`` that takes its place only when the block succeeds."""
    with unfinished_beside(path) as unfinished:
        new = unfinished / _NEW
        new.touch(mode=0o600)
        yield new
        new.chmod(mode)
        new.replace(path)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder beside ``folder``, 0700, that takes its place only when the block succeeds; raise OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with unfinished_beside(folder) as unfinished:
        new = unfinished / _NEW
        new.mkdir(mode=0o700)
        yield new
        if folder.exists():
            folder.rename(unfinished / _REPLACED)
        new.rename(folder)


@contextmanager
def unfinished_beside(path: Path) -> Iterator[Path]:
    """Lend a folder beside ``path``, 0700, that is gone afterwards, and what dead processes left there with it.

    Should this process be killed, the next that writes there removes it.
    """
    remove_abandoned(path.parent)
    unfinished, lock = _locked_beside(path)
    try:
        yield unfinished
    finally:
        try:
            _clear(unfinished, path, lock)
        finally:
            _clear(unfinished, path, lock)  # a signal may have cut it short


def is_unfinished(name: str) -> bool:
    """Tell by its name whether a folder holds what is being written."""
    return _UNFINISHED.fullmatch(name) is not None


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that are dead left unfinished in a folder; what they had moved aside goes back.

    A process that lives has a lock on what it writes. Where there are no locks, as on Windows, everything stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            name = _UNFINISHED.fullmatch(entry.name)
            if name and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _clear(Path(entry), folder / name["of"], _lock(Path(entry)))


def _clear(unfinished: Path, path: Path, lock: BinaryIO | None) -> None:
    """Remove an unfinished folder; what stood at ``path`` goes back first where the new had not yet taken its place."""
    try:
        replaced = unfinished / _REPLACED
        if os.path.lexists(replaced) and (unfinished / _NEW).exists() and not os.path.lexists(path):
            replaced.rename(path)
        shutil.rmtree(unfinished, ignore_errors=True)
    finally:
        if lock:
            lock.close()
    with suppress(OSError):
        unfinished.rmdir()  # on NFS a file that is open leaves its folder when it is closed


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this process for the length of the block; raise BlockingIOError where another one has it.

    Where there are no locks, as on Windows, all come in.
    """
    lock = None
    try:
        lock = _lock(folder)
    except BlockingIOError:
        raise
    except OSError:
        pass
    try:
        yield
    finally:
        if lock:
            lock.close()


def _locked_beside(path: Path) -> tuple[Path, BinaryIO | None]:
    for _ in range(_TRIES):
        unfinished = Path(tempfile.mkdtemp(_SUFFIX, f".{path.name}.", path.parent))
        try:
            return unfinished, _lock(unfinished)
        except (BlockingIOError, FileNotFoundError):
            continue  # another process held it for abandoned before it was locked
        except OSError:
            return unfinished, None  # this file system has no locks
    raise FileNotFoundError(errno.ENOENT, "other processes remove what is begun there", str(path.parent))


def _lock(unfinished: Path) -> BinaryIO:
    """Return a folder's lock, held until it is closed; raise OSError when it cannot be had."""
    if sys.platform == "win32":
        raise OSError("no locks that end with their process")
    path = unfinished / "lock"
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
            raise FileNotFoundError(path)
    except BaseException:
        lock.close()
        raise
    return lock


class Fingerprint(NamedTuple):
    """The SHA-256 of a file's content, and its size in bytes."""

    sha256: str
    size: int


def fingerprint(path: Path) -> Fingerprint:
    """Hash a file's content without holding it in memory."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
        return Fingerprint(digest.hexdigest(), content.tell())
