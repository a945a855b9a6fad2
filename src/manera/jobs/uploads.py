"""Files that somebody sends: received whole or not at all, imported in a process of their own, and then deleted.

uploads/<id>/order.json         UploadOrder
            /state.json         Imported, once it is
            /raw/               what was sent, until it is imported
            /corpus/            what was read of it
"""

import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from manera.corpus.manifest import Manifest
from manera.corpus.samples import samples
from manera.corpus.storage import Corpus, open_corpus, write
from manera.errors import JobError, ManeraError
from manera.files import replacing_folder, unfinished_beside
from manera.jobs.folder import (
    ORDER,
    STATE,
    Failure,
    Tenant,
    UnknownJobError,
    find_folder,
    job_folders,
    jobs_folder,
    new_id,
    private_file,
    read_record,
    told,
    write_record,
)
from manera.jobs.running import is_running, locked, start, wait_for
from manera.jobs.settings import JobsConfig
from manera.records import Skipped
from manera.sources.reading import read

UPLOADS = "uploads"
RAW, CORPUS = "raw", "corpus"
MAX_SPEAKERS = 200
MAX_SKIPPED = 100
_MAX_NAME_BYTES = 200
_DIED = Failure(
    "the import broke off: its process was ended, or the machine had no memory left for it",
    "upload a smaller part of it, for example one chat",
)


class NoRoomError(JobError):
    """The disk is full."""


class UploadOrder(msgspec.Struct, frozen=True, tag="upload"):
    """What was sent, by whom, and when, in nanoseconds."""

    tenant: Tenant
    created_ns: int
    filename: str
    bytes: int


class FoundSpeaker(msgspec.Struct, frozen=True):
    """Somebody who speaks in an upload, with some lines to recognise them by."""

    id: str
    name: str
    utterances: int
    words: int
    threads: int
    samples: list[str]


class UploadLedger(msgspec.Struct, frozen=True):
    """How much was read and kept, what was dropped and why, and which files were not read."""

    read: int
    kept: int
    dropped: dict[str, int]
    skipped: list[Skipped]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import: a corpus, or an error."""

    error: Failure | None = None
    speakers: list[FoundSpeaker] = []
    owner: str | None = None
    ledger: UploadLedger | None = None
    kinds: dict[str, int] = {}


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload as its owner sees it."""

    id: str
    filename: str
    bytes: int
    status: Literal["importing", "ready", "failed"]
    error: Failure | None = None
    speakers: list[FoundSpeaker] = []
    owner: str | None = None
    ledger: UploadLedger | None = None
    kinds: dict[str, int] = {}


class Arriving:
    """An upload that is being received."""

    def __init__(self, id: str, file: BinaryIO) -> None:
        self.id = id
        self.bytes = 0
        self._file = file

    def write(self, chunk: bytes) -> None:
        """Take in what has come; raise NoRoomError."""
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _no_room(error) from error
        self.bytes += len(chunk)


@contextmanager
def arriving(tenant: Tenant, filename: str) -> Iterator[Arriving]:
    """Receive a file and start its import; nothing is left when the block fails. Raises JobError."""
    id, name = new_id(), safe_name(filename)
    folder = jobs_folder(UPLOADS) / id
    try:
        with replacing_folder(folder) as new:
            (new / RAW).mkdir(mode=0o700)
            with private_file(new / RAW / name) as file:
                received = Arriving(id, file)
                yield received
            if not received.bytes:
                raise JobError(f"{name} is empty", "choose the file again")
            write_record(new / ORDER, UploadOrder(tenant, time.time_ns(), name, received.bytes))
            lock = locked(new)
    except OSError as error:
        raise _no_room(error) from error
    start(folder, lock, lambda: _remove_raw(folder))


def safe_name(filename: str) -> str:
    """Return a file's name without folders, or anything that a file system would not take."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", filename))[-1]
    name = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in name).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, dot + suffix[:20]) if stem else (name, "")
    room = _MAX_NAME_BYTES - len(suffix.encode())
    return (stem.encode()[:room].decode(errors="ignore") + suffix) or "upload"


def read_upload(id: str, tenant: Tenant) -> Upload:
    """Return an upload as it is now; raise UnknownJobError."""
    folder, order = _own(id, tenant)
    running = is_running(folder)  # before its state is read: what ends in between has written it
    found = read_record(folder / STATE, Imported)
    if found is None and running:
        return Upload(id=id, filename=order.filename, bytes=order.bytes, status="importing")
    if found is None:
        _remove_raw(folder)
        found = Imported(error=_DIED)
    told = {name: getattr(found, name) for name in Imported.__struct_fields__}
    status: Literal["ready", "failed"] = "failed" if found.error else "ready"
    return Upload(id=id, filename=order.filename, bytes=order.bytes, status=status, **told)


def open_upload(id: str, tenant: Tenant) -> Corpus:
    """Open the corpus of an upload; raise JobError where there is none, UnknownJobError where there is no upload."""
    upload = read_upload(id, tenant)
    if upload.status != "ready":
        raise JobError(f"{upload.filename} is not imported", upload.error.hint if upload.error else "wait for it")
    return open_corpus(jobs_folder(UPLOADS) / id / CORPUS)


def delete_upload(id: str, tenant: Tenant) -> None:
    """Delete an upload and everything that was read of it; raise UnknownJobError."""
    _delete(_own(id, tenant)[0])


def sweep(settings: JobsConfig) -> None:
    """Delete what is older than uploads are kept, and what dead imports left of the files themselves."""
    oldest = time.time_ns() - int(settings.upload_hours * 3600 * 1e9)
    for folder in job_folders(UPLOADS):
        order = read_record(folder / ORDER, UploadOrder)
        if is_running(folder):
            continue
        if order is None or order.created_ns < oldest:
            _delete(folder)
        else:
            _remove_raw(folder)


def import_upload(folder: Path, order: UploadOrder, settings: JobsConfig) -> None:
    """Import what was sent, write what came of it, and delete the file; in the process of the upload."""
    _limit_processor_time(settings.max_import_seconds)
    for earlier in _before(order):
        wait_for(earlier)
    try:
        write(read([folder / RAW / order.filename]), folder / CORPUS)
        imported = _described(open_corpus(folder / CORPUS))
    except ManeraError as error:
        imported = Imported(error=told(error, folder / RAW))
    finally:
        _remove_raw(folder)
    write_record(folder / STATE, imported)


def _own(id: str, tenant: Tenant) -> tuple[Path, UploadOrder]:
    folder = find_folder(UPLOADS, id)
    order = read_record(folder / ORDER, UploadOrder)
    if order is None or order.tenant != tenant:
        raise UnknownJobError(f"there is nothing called {id!r} in {UPLOADS}")
    return folder, order


def _limit_processor_time(seconds: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _before(order: UploadOrder) -> list[Path]:
    """Return the uploads that came earlier: they are imported one at a time."""
    found = {folder: read_record(folder / ORDER, UploadOrder) for folder in job_folders(UPLOADS)}
    return [folder for folder, other in found.items() if other and other.created_ns < order.created_ns]


def _described(corpus: Corpus) -> Imported:
    manifest = corpus.manifest
    speakers = manifest.speakers[:MAX_SPEAKERS]
    lines = samples(corpus, speakers)
    return Imported(
        speakers=[
            FoundSpeaker(
                one.speaker_id, one.name, one.utterances, one.words, one.threads, lines.get(one.speaker_id, [])
            )
            for one in speakers
        ],
        owner=manifest.owner,
        ledger=_ledger(manifest),
        kinds=manifest.kinds,
    )


def _ledger(manifest: Manifest) -> UploadLedger:
    ledger = manifest.ledger
    return UploadLedger(ledger.read, ledger.kept, ledger.dropped, list(manifest.skipped[:MAX_SKIPPED]))


def _remove_raw(folder: Path) -> None:
    shutil.rmtree(folder / RAW, ignore_errors=True)


def _delete(folder: Path) -> None:
    with unfinished_beside(folder) as removed:
        folder.rename(removed / "deleted")


def _no_room(error: OSError) -> NoRoomError:
    return NoRoomError(f"the file cannot be kept: {error.strerror}", "make room on the server's disk")
