"""A corpus on disk: ``utterances.jsonl`` and ``corpus.json``, whole or not at all."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from manera.corpus.census import Census
from manera.corpus.manifest import VERSION, Ledger, Manifest, Source
from manera.errors import CorpusError
from manera.files import fingerprint, read_records
from manera.records import Dropped, Owner, SourceRecord, Utterance
from manera.sources.files import find

MANIFEST = "corpus.json"
UTTERANCES = "utterances.jsonl"
# What manera itself keeps in a corpus: replacing one may not take anything else with it.
_OWN_FILES = frozenset({MANIFEST, UTTERANCES, "train.jsonl", "validation.jsonl", "test.jsonl"})
_BATCH = 2000


@dataclass(frozen=True)
class Corpus:
    """An imported corpus, its figures at hand and its utterances read when asked for."""

    folder: Path
    manifest: Manifest

    def utterances(self) -> Iterator[Utterance]:
        return read_records(self.folder / UTTERANCES, Utterance)


def write(records: Iterable[SourceRecord], folder: Path, paths: Iterable[Path], *, replace: bool = False) -> Manifest:
    """Write what was read from ``paths`` as a corpus, and return its figures.

    Everything goes to a folder beside it first, so a failure leaves nothing and harms nothing.
    Files are for their owner alone. Raises CorpusError when the folder is in use, when nothing
    was kept, or when it cannot be written; what reading raises passes through.
    """
    folder = folder.absolute()
    _refuse_occupied(folder, replace)
    with _unfinished_beside(folder) as unfinished:
        census = Census()
        digest = _write_utterances(records, unfinished / UTTERANCES, census)
        _refuse_nothing(census.ledger())
        manifest = Manifest(
            version=VERSION,
            sources=_sources(paths, census.sources()),
            ledger=census.ledger(),
            speakers=census.speakers(),
            owner=census.owner(),
            kinds=census.kinds(),
            fingerprint=digest,
        )
        with _private(unfinished / MANIFEST) as out:
            out.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        _take_place(unfinished, folder)
    return manifest


def open_corpus(folder: Path) -> Corpus:
    """Open a corpus and check that its utterances are those that were imported.

    Raises CorpusError when it is absent, broken, or was changed.
    """
    again = f"import it again: manera import PATH --to {folder} --replace"
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        found = fingerprint(folder / UTTERANCES).sha256
    except FileNotFoundError as error:
        raise CorpusError(f"there is no corpus in {folder}", "make one: manera import PATH") from error
    except (msgspec.DecodeError, OSError) as error:
        raise CorpusError(f"the corpus in {folder} cannot be read: {error}", again) from error
    if manifest.version != VERSION:
        raise CorpusError(f"the corpus in {folder} has version {manifest.version}, not {VERSION}", again)
    if found != manifest.fingerprint:
        raise CorpusError(f"{folder / UTTERANCES} was changed after it was imported", again)
    return Corpus(folder, manifest)


def _write_utterances(records: Iterable[SourceRecord], path: Path, census: Census) -> str:
    """Stream the utterances in batches, and return their file's fingerprint."""
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256()
    with _private(path) as out:
        for batch in _batches(records, census):
            lines = encoder.encode_lines(batch)
            digest.update(lines)
            out.write(lines)
    return digest.hexdigest()


def _batches(records: Iterable[SourceRecord], census: Census) -> Iterator[list[Utterance]]:
    batch: list[Utterance] = []
    for record in records:
        if isinstance(record, Utterance):
            if census.keep(record):
                batch.append(record)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        elif isinstance(record, Dropped):
            census.drop(record)
        elif isinstance(record, Owner):
            census.hear(record)
    yield batch


def _sources(paths: Iterable[Path], used: set[str]) -> tuple[Source, ...]:
    return tuple(Source(file.source, *fingerprint(file.path)) for file in find(paths) if file.source in used)


def _refuse_nothing(ledger: Ledger) -> None:
    if ledger.kept:
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in ledger.dropped.items())
    raise CorpusError(
        f"there are nobody's words to keep: {ledger.read:,} read, all dropped ({reasons})",
        "name an export or texts that hold words",
    )


def _refuse_occupied(folder: Path, replace: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CorpusError(f"{folder} is a file", "choose another folder for the corpus")
    entries = {entry.name for entry in folder.iterdir()}
    if not entries:
        return
    if MANIFEST not in entries:
        raise CorpusError(f"{folder} is not empty and holds no corpus", "choose another folder for the corpus")
    if not replace:
        raise CorpusError(f"there is a corpus in {folder} already", "to replace it, add --replace")
    if foreign := sorted(entries - _OWN_FILES):
        raise CorpusError(
            f"the corpus in {folder} cannot be replaced: it also holds {', '.join(foreign[:3])}",
            "move that elsewhere, or choose another folder for the corpus",
        )


@contextmanager
def _unfinished_beside(folder: Path) -> Iterator[Path]:
    """Lend a private folder that is gone afterwards, unless it was moved into place."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise CorpusError(
            f"{folder} cannot be written: {error.strerror}", "choose another folder for the corpus"
        ) from error
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as out:
        yield out


def _take_place(unfinished: Path, folder: Path) -> None:
    """Move the new corpus in; the old one is moved aside first and put back should that fail."""
    if not folder.exists():
        unfinished.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)) / folder.name
    folder.rename(aside)
    try:
        unfinished.rename(folder)
    except BaseException:
        aside.rename(folder)
        raise
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)
