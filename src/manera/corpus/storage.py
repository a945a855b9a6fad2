"""A corpus on disk: ``utterances.jsonl`` and ``corpus.json``, whole or not at all."""

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import msgspec

from manera.corpus.aliases import Alias, Merged, resolve
from manera.corpus.arranging import Name, arrange
from manera.corpus.census import Census, FoundOwner
from manera.corpus.cleaning import STAND_INS, Cleaning, Kept, write_entries
from manera.corpus.duplicates import without_duplicates
from manera.corpus.forgotten import without_forgotten
from manera.corpus.manifest import VERSION, Forgotten, Ledger, Manifest, Source
from manera.errors import CorpusError
from manera.files import fingerprint, read_records, remove_abandoned, replacing, replacing_folder
from manera.records import Opened, Skipped, SourceRecord, Utterance

MANIFEST = "corpus.json"
UTTERANCES = "utterances.jsonl"
DESCRIPTION = "description.html"
SYNTHESIS = "synthesis.json"
DIVERSITY = "diversity.html"
# What manera itself keeps in a corpus: replacing one may not take anything else with it.
_OWN_FILES = frozenset(
    {
        MANIFEST,
        UTTERANCES,
        STAND_INS,
        "train.jsonl",
        "validation.jsonl",
        "test.jsonl",
        DESCRIPTION,
        SYNTHESIS,
        DIVERSITY,
    }
)
_BATCH = 2000


@dataclass(frozen=True)
class Corpus:
    """An imported corpus, its figures at hand and its utterances read when asked for."""

    folder: Path
    manifest: Manifest

    def utterances(self) -> Iterator[Utterance]:
        return read_records(self.folder / UTTERANCES, Utterance)

    def told(self) -> Iterator[Utterance]:
        """Yield the utterances as a voice learns from them: of others than the owner it learns no names."""
        called = self.manifest.called
        for utterance in self.utterances():
            name = called.get(utterance.speaker_id)
            yield msgspec.structs.replace(utterance, speaker=name) if name else utterance


def write(
    records: Iterable[SourceRecord],
    folder: Path,
    *,
    aliases: Sequence[Alias] = (),
    replace: bool = False,
    cleaning: Cleaning | None = None,
    synthetic: tuple[str, ...] = (),
) -> Manifest:
    """Write what was read as a corpus, cleaned, and return its figures.

    Everything goes to a folder beside it first, so a failure leaves nothing and harms nothing.
    Files are for their owner alone. Raises CorpusError when the folder is in use, when nothing
    was kept, or when it cannot be written; what reading raises passes through. What was forgotten in the corpus that
    is replaced stays so. synthetic: the models that wrote it, where no people did.
    """
    require_free(folder, replace)
    forgotten = _forgotten(folder)
    with rewriting(folder) as new:
        known = without_duplicates(without_forgotten(records, forgotten))
        return write_into(
            new, known, aliases, cleaning=cleaning or Cleaning(), forgotten=forgotten, synthetic=synthetic
        )


def write_into(
    folder: Path,
    records: Iterable[SourceRecord],
    aliases: Sequence[Alias] = (),
    *,
    cleaning: Cleaning | None = None,
    before: Sequence[Manifest] = (),
    parts: Collection[str] = (),
    forgotten: Forgotten | None = None,
    synthetic: tuple[str, ...] = (),
) -> Manifest:
    """Fill a folder of one's own with what a corpus consists of; raise CorpusError when nothing was kept.

    cleaning: what the records go through first; none if they did so before. before: of the corpora whose utterances
    the records are, the changed one first. parts: threads that come in parts.
    forgotten: what is forgotten from now on; by default what was before. synthetic: models that wrote of it.
    """
    census = Census()
    cleaned = cleaning.walk(records, folder) if cleaning else records
    digest = _write_utterances(cleaned, folder / UTTERANCES, census)
    ledger = census.ledger()
    _refuse_nothing(ledger, census.skipped())
    merged = tuple(resolve(aliases, census.speakers()))
    digest = _arranged(folder / UTTERANCES, census, merged, parts) or digest
    opened = _fingerprinted(census.opened())
    speakers = census.speakers()
    ids = {speaker.speaker_id for speaker in speakers}
    owner = _owner(census, before, ids)
    manifest = Manifest(
        version=VERSION,
        sources=tuple(dict.fromkeys(chain(*(one.sources for one in before), opened))),
        ledger=ledger.after(*(one.ledger for one in before)) if before else ledger,
        speakers=speakers,
        owner=owner.speaker_id if owner else None,
        owner_evidence=owner.evidence if owner else None,
        kinds=census.kinds(),
        fingerprint=digest,
        skipped=tuple(dict.fromkeys(chain(*(one.skipped for one in before), census.skipped()))),
        left_out=tuple(dict.fromkeys(chain(*(one.left_out for one in before), census.left_out()))),
        merged={other: whom for other, whom in _merged(before, merged).items() if whom in ids},
        called={one: name for one, name in _called(before, cleaning).items() if one in ids},
        forgotten=forgotten or (before[0].forgotten if before else Forgotten()),
        silence_seconds=census.silence_seconds(),
        synthetic=tuple(dict.fromkeys(chain(*(one.synthetic for one in before), synthetic))),
    )
    if cleaning:
        write_entries(folder, cleaning.entries)
    with replacing(folder / MANIFEST) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def is_corpus(folder: Path) -> bool:
    """Tell whether there is a corpus, whole or not."""
    remove_abandoned(folder.absolute().parent)
    return (folder / MANIFEST).is_file()


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


def _forgotten(folder: Path) -> Forgotten:
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest).forgotten
    except (OSError, msgspec.DecodeError):
        return Forgotten()


def _write_utterances(records: Iterable[SourceRecord | Kept], path: Path, census: Census) -> str:
    """Stream the utterances in batches, and return their file's fingerprint."""
    digest = hashlib.sha256()
    with replacing(path) as unfinished, unfinished.open("wb") as out:
        for batch in _batches(records, census):
            lines = b"".join(batch)
            digest.update(lines)
            out.write(lines)
    return digest.hexdigest()


def _batches(records: Iterable[SourceRecord | Kept], census: Census) -> Iterator[list[bytes]]:
    """Yield the lines of utterances, of which most come encoded and counted."""
    encoder = msgspec.json.Encoder()
    batch: list[bytes] = []
    for record in records:
        if isinstance(record, Kept):
            census.keep(record.utterance, record.words, record.characters)
            batch.append(record.line)
        elif utterance := census.count(record):
            batch.append(encoder.encode(utterance) + b"\n")
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _arranged(path: Path, census: Census, merged: Iterable[Merged], parts: Collection[str]) -> str | None:
    """Join what belongs together, as all files show it; return the new fingerprint, None where nothing changed."""
    threads = census.threads_in_parts() | set(parts)
    speakers: dict[str, Name] = {}
    for one in merged:
        census.merge_speakers(*one)
        speakers |= dict.fromkeys((one.speaker_id, *one.others), Name(one.name, one.speaker_id))
    return arrange(path, threads, speakers) if threads or speakers else None


def _owner(census: Census, before: Sequence[Manifest], ids: Collection[str]) -> FoundOwner | None:
    """Return whose corpus it is: what was known of it stays, since utterances that are read again do not say so."""
    for one in reversed(before):
        if one.owner in ids:
            return FoundOwner(str(one.owner), one.owner_evidence or "chats")
    return census.owner()


def _merged(before: Sequence[Manifest], now: Sequence[Merged]) -> dict[str, str]:
    """Return who is whom: who became another one goes along when that one is merged again."""
    new = {other: one.speaker_id for one in now for other in one.others}
    old = {other: new.get(whom, whom) for manifest in before for other, whom in manifest.merged.items()}
    return old | new


def _called(before: Sequence[Manifest], cleaning: Cleaning | None) -> dict[str, str]:
    called: dict[str, str] = {}
    for manifest in reversed(before):
        called |= manifest.called
    return called | (cleaning.called if cleaning else {})


def _refuse_nothing(ledger: Ledger, skipped: Sequence[Skipped]) -> None:
    if ledger.kept:
        return
    reasons = [f"{count:,} {reason}" for reason, count in (ledger.dropped | ledger.files.skipped).items()]
    hint = next((file.detail for file in skipped if file.detail), None)
    raise CorpusError(
        f"there is nothing to keep: {', '.join(reasons) or 'nothing was read'}",
        hint or "name an export or texts that hold words",
    )


def require_free(
    folder: Path, replace: bool, hint: str = "to add what is new, add --add; to replace it, --replace"
) -> None:
    """Raise CorpusError where something else lies in the folder, or a corpus that may not be replaced.

    hint: what to do about that corpus.
    """
    remove_abandoned(folder.absolute().parent)
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
        raise CorpusError(f"there is a corpus in {folder} already", hint)


@contextmanager
def rewriting(folder: Path) -> Iterator[Path]:
    """Lend a folder beside a corpus's, or beside where one is to be, that takes its place when the block succeeds.

    Raises CorpusError when something that is not manera's would go with the old one, or it cannot be written.
    """
    folder = folder.absolute()
    remove_abandoned(folder.parent)
    entries = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if foreign := sorted(entries - _OWN_FILES):
        raise CorpusError(
            f"the corpus in {folder} cannot be replaced: it also holds {', '.join(foreign[:3])}",
            "move that elsewhere, or choose another folder for the corpus",
        )
    with ExitStack() as stack:
        try:
            new = stack.enter_context(replacing_folder(folder))
        except OSError as error:
            raise CorpusError(
                f"{folder} cannot be written: {error.strerror}", "choose another folder for the corpus"
            ) from error
        if (folder / STAND_INS).is_file():
            shutil.copy2(folder / STAND_INS, new / STAND_INS)
        yield new
