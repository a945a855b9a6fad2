"""A corpus on disk: ``utterances.jsonl`` and ``corpus.json``, whole or not at all."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from manera.corpus.aliases import Alias, resolve
from manera.corpus.arranging import Name, arrange
from manera.corpus.census import Census
from manera.corpus.manifest import VERSION, Ledger, Manifest, Source
from manera.errors import CorpusError
from manera.files import fingerprint, read_records, remove_abandoned, replacing, replacing_folder
from manera.records import Opened, Skipped, SourceRecord, Utterance

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


def write(
    records: Iterable[SourceRecord], folder: Path, *, aliases: Sequence[Alias] = (), replace: bool = False
) -> Manifest:
    """Write what was read as a corpus, and return its figures.

    Everything goes to a folder beside it first, so a failure leaves nothing and harms nothing.
    Files are for their owner alone. Raises CorpusError when the folder is in use, when nothing
    was kept, or when it cannot be written; what reading raises passes through.
    """
    folder = folder.absolute()
    remove_abandoned(folder.parent)
    _refuse_occupied(folder, replace)
    with _replacing(folder) as new:
        census = Census()
        digest = _write_utterances(records, new / UTTERANCES, census)
        ledger = census.ledger()
        _refuse_nothing(ledger, census.skipped())
        digest = _arranged(new / UTTERANCES, census, aliases) or digest
        manifest = Manifest(
            version=VERSION,
            sources=_fingerprinted(census.opened()),
            ledger=ledger,
            speakers=census.speakers(),
            owner=census.owner(),
            kinds=census.kinds(),
            fingerprint=digest,
            skipped=census.skipped(),
            left_out=census.left_out(),
        )
        with replacing(new / MANIFEST) as unfinished:
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def open_corpus(folder: Path) -> Corpus:
    """Open a corpus and check that its utterances are those that were imported.

    Raises CorpusError when it is absent, broken, or was changed.
    """
    remove_abandoned(folder.parent)
    again = f"import it again: manera import PATH --to {folder} --replace"
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        found = fingerprint(folder / UTTERANCES).sha256
    except FileNotFoundError as error:
        raise CorpusError(f"there is no corpus in {folder}", f"make one: manera import PATH --to {folder}") from error
    except (msgspec.DecodeError, OSError) as error:
        raise CorpusError(f"the corpus in {folder} cannot be read: {error}", again) from error
    if manifest.version != VERSION:
        raise CorpusError(f"the corpus in {folder} has version {manifest.version}, not {VERSION}", again)
    if found != manifest.fingerprint:
        raise CorpusError(f"{folder / UTTERANCES} was changed after it was imported", again)
    return Corpus(folder, manifest)


def _fingerprinted(files: Iterable[Opened]) -> tuple[Source, ...]:
    """Files of one archive have its fingerprint, which is taken once."""
    once = cache(fingerprint)
    return tuple(Source(opened.source, *once(opened.path)) for opened in files)


def _write_utterances(records: Iterable[SourceRecord], path: Path, census: Census) -> str:
    """Stream the utterances in batches, and return their file's fingerprint."""
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256()
    with replacing(path) as unfinished, unfinished.open("wb") as out:
        for batch in _batches(records, census):
            lines = encoder.encode_lines(batch)
            digest.update(lines)
            out.write(lines)
    return digest.hexdigest()


def _batches(records: Iterable[SourceRecord], census: Census) -> Iterator[list[Utterance]]:
    batch: list[Utterance] = []
    for record in records:
        if utterance := census.count(record):
            batch.append(utterance)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    yield batch


def _arranged(path: Path, census: Census, aliases: Sequence[Alias]) -> str | None:
    """Join what belongs together, as all files show it; return the new fingerprint, None where nothing changed."""
    threads = census.threads_in_parts()
    speakers: dict[str, Name] = {}
    for merged in resolve(aliases, census.speakers()):
        census.merge_speakers(*merged)
        speakers |= dict.fromkeys((merged.speaker_id, *merged.others), Name(merged.name, merged.speaker_id))
    return arrange(path, threads, speakers) if threads or speakers else None


def _refuse_nothing(ledger: Ledger, skipped: Sequence[Skipped]) -> None:
    if ledger.kept:
        return
    reasons = [f"{count:,} {reason}" for reason, count in (ledger.dropped | ledger.files.skipped).items()]
    hint = next((file.detail for file in skipped if file.detail), None)
    raise CorpusError(
        f"there are nobody's words to keep: {', '.join(reasons) or 'nothing was read'}",
        hint or "name an export or texts that hold words",
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
def _replacing(folder: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            new = stack.enter_context(replacing_folder(folder))
        except OSError as error:
            raise CorpusError(
                f"{folder} cannot be written: {error.strerror}", "choose another folder for the corpus"
            ) from error
        yield new
