"""What is written whole or not at all: the one place that writes folders, and the one file format, JSON Lines."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

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
    """Lend a file beside ``path`` that takes its place only when the block succeeds."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(mode)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder beside ``folder``, 0700, that takes its place only when the block succeeds; raise OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as unfinished:
        new, aside = Path(unfinished) / "new", Path(unfinished) / "replaced"
        new.mkdir(mode=0o700)
        yield new
        if folder.exists():
            folder.rename(aside)
        try:
            new.rename(folder)
        except BaseException:
            if aside.exists():
                aside.rename(folder)
            raise


class Fingerprint(NamedTuple):
    """The SHA-256 of a file's content, and its size in bytes."""

    sha256: str
    size: int


def fingerprint(path: Path) -> Fingerprint:
    """Hash a file's content without holding it in memory."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
        return Fingerprint(digest.hexdigest(), content.tell())
