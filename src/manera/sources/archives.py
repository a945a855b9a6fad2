"""Zip and tar archives, read where they lie: nothing of them is written to a folder."""

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple, Protocol, cast

from manera.errors import SourceError
from manera.sources import cut_zip

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC = b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_HEAD_BYTES = 512
ARCHIVE_SUFFIXES = frozenset({".gz", ".tar", ".tgz", ".zip"})

# Chats and books shrink to a tenth at best; a bomb to a thousandth.
_MAX_RATIO = 200
_MIN_ROOM = 64 << 20
_MAX_MEMBERS = 200_000
_MAX_HELD = 64 << 20
_MAX_SPOOLED = 4 << 30
_CHUNK = 1 << 18
_ENCRYPTED, _UTF_8 = 0x1, 0x800  # bits of an entry's flags
# The others may ask for gigabytes before they yield a byte.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error),
    *(EOFError, IndexError, NotImplementedError, RuntimeError, ValueError),
)
_DOCUMENT_PARTS = frozenset(
    {"mimetype", "META-INF/container.xml", "META-INF/MANIFEST.MF", "[Content_Types].xml", "word/document.xml"}
)

OUTSIDE = "name that leads out of its archive"
LOCKED = "locked with a password"
LINK = "link in an archive"
TWICE = "twice in its archive"
UNUSUAL = "compressed in a way that is not read"


class Member(NamedTuple):
    """A file of an archive: its path there, and why it is not to be opened, None where it may be."""

    name: str
    fault: str | None = None


class _Format(Protocol):
    """One kind of archive; members says what is in it, once, before anything is opened."""

    def members(self) -> Iterator[Member]: ...

    def open(self, name: str) -> IO[bytes]: ...


class Archive:
    """An archive, or a document that is one; what it holds may be read while it is open, by ``with``.

    What it says of its sizes is not believed: bytes are counted as they come. Raises SourceError for an archive that is
    broken, and for one that unpacks to hundreds of times its size.
    """

    def __init__(self, path: Path, open: Callable[[], BinaryIO] | None = None, salvage: bool = False) -> None:
        """path: what to call it, and where it lies unless ``open`` opens it. salvage: read one that is cut short."""
        self.path = path
        self.is_cut_short = False
        self._salvage = salvage
        self.members: list[Member] = []
        self._open = open or (lambda: path.open("rb"))
        self._format: _Format | None = None
        self._held = ExitStack()
        self._room = 0

    def __enter__(self) -> "Archive":
        with ExitStack() as stack:
            try:
                content = stack.enter_context(self._open())
                self._room = max(_MIN_ROOM, _MAX_RATIO * content.seek(0, io.SEEK_END))
                self._format = self._recognised(content, stack)
                self.members = sorted(self._format.members(), key=lambda member: member.name)
            except _BROKEN as error:
                raise self._broken() from error
            except OSError as error:
                fault = error.strerror or str(error)
                raise SourceError(f"{self.path} cannot be opened: {fault}", "get it once more") from error
            if len(self.members) > _MAX_MEMBERS:
                raise SourceError(f"{self.path} holds {len(self.members):,} files", f"pack at most {_MAX_MEMBERS:,}")
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._format = None
        self._held.close()

    def open(self, name: str) -> BinaryIO:
        """Open a file in it, to be read from its beginning on."""
        if self._format is None:
            raise ValueError(f"{self.path} is read outside of its with block")
        try:
            content = self._format.open(name)
        except _BombError:
            raise self._bursting() from None
        except (*_BROKEN, OSError, KeyError) as error:
            raise self._broken(name) from error
        return io.BufferedReader(_Counted(content, self, name), _CHUNK)

    def _recognised(self, content: BinaryIO, held: ExitStack) -> _Format:
        content.seek(0)
        head = content.read(_HEAD_BYTES)
        content.seek(0)
        if head.startswith(ZIP_MAGIC):
            return self._zip(content)
        if not head.startswith(_GZIP_MAGIC):
            return _Tar(content)
        packed = gzip.GzipFile(fileobj=content)
        if not _is_tar(packed.read(_HEAD_BYTES)):
            return _Gzip(content, self.path.name)
        packed.seek(0)
        # A compressed tar cannot be read out of order: it goes to a file without a name, of which nothing stays.
        spooled = cast(BinaryIO, held.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
        try:
            while chunk := packed.read1(_CHUNK):  # what was unpacked before the end is not lost
                self._spend(len(chunk))
                spooled.write(chunk)
                self._refuse_large(spooled.tell())
        except (EOFError, zlib.error):
            if not self._salvage:
                raise
            self.is_cut_short = True
        spooled.seek(0)
        return _Tar(spooled, self.is_cut_short)

    def _zip(self, content: BinaryIO) -> _Format:
        try:
            return _Zip(content)
        except zipfile.BadZipFile:
            if not self._salvage:
                raise
            self.is_cut_short = True
            return _CutZip(content, self._spend)

    def _refuse_large(self, size: int) -> None:
        if size > _MAX_SPOOLED:
            raise SourceError(f"{self.path} holds more than {_MAX_SPOOLED >> 30} GB", "unpack it, and name the folder")

    def _spend(self, count: int) -> None:
        self._room -= count
        if self._room < 0:
            raise self._bursting()

    def _bursting(self) -> SourceError:
        return SourceError(
            f"{self.path} unpacks to more than {_MAX_RATIO} times its size", "unpack it, and name the files"
        )

    def _broken(self, name: str | None = None) -> SourceError:
        what = f"{name} in {self.path}" if name else str(self.path)
        return SourceError(f"{what} cannot be unpacked: the archive is broken or cut short", "get it once more")


class _Counted(io.RawIOBase):
    """What is read of a member, counted; faults of unpacking become SourceErrors."""

    def __init__(self, content: IO[bytes], archive: Archive, name: str) -> None:
        self._content, self._archive, self._name = content, archive, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = cast(memoryview, buffer)
        try:
            chunk = self._content.read(len(view))
        except (*_BROKEN, OSError) as error:
            raise self._archive._broken(self._name) from error
        self._archive._spend(len(chunk))
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._content.close()
        super().close()


def is_archive(head: bytes) -> bool:
    """Tell by its first bytes whether a file is an archive; so are books and documents that are zips."""
    return head.startswith((*ZIP_MAGIC, _GZIP_MAGIC)) or _is_tar(head)


def is_document(names: Collection[str]) -> bool:
    """Tell by the names in a zip whether it is one document: a book, of an office, a program."""
    return not _DOCUMENT_PARTS.isdisjoint(names)


class _BombError(Exception):
    """A file of an archive says itself that it is hundreds of times as large as what it was packed to."""


class _Zip:
    def __init__(self, content: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(content)
        self._entries: dict[str, zipfile.ZipInfo] = {}

    def members(self) -> Iterator[Member]:
        for entry in self._archive.infolist():
            if entry.is_dir():
                continue
            name, fault = _place(_zip_name(entry))
            fault = fault or _zip_fault(entry) or (TWICE if name in self._entries else None)
            if fault is None:
                self._entries[name] = entry
            yield Member(name, fault)

    def open(self, name: str) -> IO[bytes]:
        entry = self._entries[name]
        if entry.file_size > max(_MIN_ROOM, _MAX_RATIO * entry.compress_size):
            raise _BombError
        return self._archive.open(entry)


class _CutZip:
    def __init__(self, content: BinaryIO, spend: Callable[[int], None]) -> None:
        self._content, self._spend = content, spend
        self._entries: dict[str, cut_zip.CutMember] = {}

    def members(self) -> Iterator[Member]:
        for found in cut_zip.members(self._content, self._spend):
            name, fault = _place(_zip_name(found.entry))
            fault = fault or _zip_fault(found.entry) or (TWICE if name in self._entries else None)
            if fault is None and not found.entry.is_dir():
                self._entries[name] = found
            if not found.entry.is_dir():
                yield Member(name, fault)

    def open(self, name: str) -> IO[bytes]:
        return cast(IO[bytes], cut_zip.open_member(self._content, self._entries[name]))


class _Tar:
    def __init__(self, content: BinaryIO, is_cut_short: bool = False) -> None:
        self._is_cut_short = is_cut_short
        self._archive = tarfile.TarFile(fileobj=_Guarded(content))
        self._entries: dict[str, tarfile.TarInfo] = {}

    def members(self) -> Iterator[Member]:
        for entry in self._read_entries():
            if entry.isdir():
                continue
            name, fault = _place(entry.name)
            fault = fault or (None if entry.isreg() else LINK) or (TWICE if name in self._entries else None)
            if fault is None:
                self._entries[name] = entry
            yield Member(name, fault)

    def _read_entries(self) -> Iterator[tarfile.TarInfo]:
        try:
            yield from self._archive
        except tarfile.ReadError:
            if not self._is_cut_short:
                raise

    def open(self, name: str) -> IO[bytes]:
        content = self._archive.extractfile(self._entries[name])
        assert content is not None
        return content


class _Gzip:
    """One file that was compressed by itself."""

    def __init__(self, content: BinaryIO, name: str) -> None:
        self._content, self._name = content, name

    def members(self) -> Iterator[Member]:
        yield _place(self._name.removesuffix(".gz"))

    def open(self, name: str) -> IO[bytes]:
        self._content.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=self._content))


class _Guarded(io.RawIOBase):
    """A tar's header may claim gigabytes, which tarfile would hold at once."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_HELD:
            raise tarfile.ReadError("a header that claims too much")
        return self._content.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()


def _is_tar(head: bytes) -> bool:
    return head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC)


def _place(name: str) -> Member:
    """Return a name as a path below the archive, with the fault of one that leads out of it."""
    place = PurePosixPath(name.replace("\\", "/").replace("\0", "\ufffd"))
    leads_out = place.is_absolute() or ".." in place.parts or not place.parts or ":" in place.parts[0]
    return Member(place.as_posix().lstrip("/"), OUTSIDE if leads_out else None)


def _zip_fault(entry: zipfile.ZipInfo) -> str | None:
    if entry.flag_bits & _ENCRYPTED:
        return LOCKED
    if stat.S_ISLNK(entry.external_attr >> 16):
        return LINK
    return None if entry.compress_type in _METHODS else UNUSUAL


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """Where an archive does not tell its encoding, that is UTF-8, or what Windows writes in Russia."""
    if entry.flag_bits & _UTF_8:
        return entry.filename
    raw = entry.orig_filename.encode("cp437")
    for encoding in ("utf-8", "cp866"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename
