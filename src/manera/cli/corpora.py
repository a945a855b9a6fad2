"""``manera import`` and ``manera speakers``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from manera import config
from manera.cli import console
from manera.cli.fetching import fetched
from manera.corpus.adding import Added, add
from manera.corpus.aliases import parse_alias, propose
from manera.corpus.cleaning import STAND_INS, Cleaning
from manera.corpus.manifest import Ledger, Manifest, OwnerEvidence, Speaker
from manera.corpus.narrowing import narrow
from manera.corpus.samples import samples
from manera.corpus.storage import Corpus, open_corpus, write
from manera.errors import SettingsError
from manera.records import SourceRecord
from manera.sources.reading import read

NAMED_FILES = 5
EVIDENCE: dict[OwnerEvidence, str] = {
    "account": "as the export says",
    "chats": "as the chats show",
    "presence": "the only one who speaks in every chat",
}


def import_corpus(
    paths: list[Path],
    folder: Path,
    replace: bool,
    as_json: bool,
    aliases: Iterable[str] = (),
    flags: Mapping[str, object] | None = None,
    add_to: bool = False,
    of_sources: Mapping[str, object] | None = None,
) -> None:
    """Import files as a corpus, or into one; show its ledger and three things that somebody wrote."""
    if add_to and replace:
        raise SettingsError("what is there is either kept or replaced", "leave out --add or --replace")
    records = wanted(paths, flags or {}, of_sources)
    merged = [parse_alias(alias) for alias in aliases]
    cleaned = cleaning(flags or {})
    added = add(records, folder, aliases=merged, cleaning=cleaned) if add_to else None
    manifest = added.manifest if added else write(records, folder, aliases=merged, replace=replace, cleaning=cleaned)
    if as_json:
        console.result(_counted(added) if added else manifest.ledger)
        return
    show_import(open_corpus(folder), console.show)
    if added:
        console.show(f"added {added.added:,}, edited {added.edited:,}, known before {added.known:,}")
        for text in added.replaced:
            console.show(f"read again: {text}")


def wanted(
    paths: Sequence[Path], flags: Mapping[str, object], of_sources: Mapping[str, object] | None = None
) -> Iterator[SourceRecord]:
    """Read files, and chats of Telegram, without the chats and the days that were not asked for."""
    from manera.corpus.settings import CorpusConfig
    from manera.sources.settings import SourcesConfig

    settings = config.resolve(CorpusConfig, "corpus", flags)
    reading = config.resolve(SourcesConfig, "sources", of_sources or {})
    return narrow(read(fetched(paths), settings=reading), settings)


def cleaning(flags: Mapping[str, object], known: Iterable[str] = ()) -> Cleaning:
    """Return how an import is cleaned; known: people whose names stay."""
    from manera.corpus.settings import CorpusConfig

    settings = config.resolve(CorpusConfig, "corpus", flags)
    if settings.ray is not None:
        console.say(
            f"every text GOES TO THE MACHINES of the Ray cluster {settings.ray}: whoever runs them can read it; "
            "Ctrl-C ends it"
        )
    return Cleaning(
        keep_names=settings.keep_names,
        manner_only=settings.manner_only,
        known=known,
        workers=settings.workers,
        ray=settings.ray,
    )


def _counted(added: Added) -> dict[str, object]:
    counts = {name: getattr(added, name) for name in ("added", "edited", "known", "replaced")}
    return counts | {"ledger": added.manifest.ledger}


def show_import(corpus: Corpus, tell: Callable[[str], None]) -> None:
    """Tell line by line what was imported, what was not, and what is going to be learned."""
    manifest = corpus.manifest
    for line in [*_ledger(manifest.ledger), *_left_out(manifest), *_skipped(manifest)]:
        tell(line)
    if manifest.kinds.get("message"):
        tell(f"a silence of {console.minutes(manifest.silence_seconds)} ends a conversation")
    if owner := next((one for one in manifest.speakers if one.speaker_id == manifest.owner), None):
        tell(f"owner: {owner.name}, {EVIDENCE[manifest.owner_evidence or 'chats']}")
    for alias in propose(manifest.speakers):
        tell(f'maybe one person: --alias "{alias.name}={",".join(alias.others)}"')
    speaker = _most_likely(manifest)
    tell(f"corpus: {corpus.folder}, for example by {speaker.name}:")
    for text in samples(corpus, [speaker]).get(speaker.speaker_id, []):
        tell(f"  {text}")


def _ledger(ledger: Ledger) -> Iterator[str]:
    characters = ledger.characters
    yield f"read {ledger.read:,} ({characters.read:,} characters), kept {ledger.kept:,} ({characters.kept:,})"
    reasons = dict(ledger.dropped) | {reason: 0 for reason in characters.dropped if reason not in ledger.dropped}
    if reasons:
        yield "dropped  characters"
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        yield f"{f'{count:,}' if count else 'parts':>7}  {characters.dropped.get(reason, 0):>10,}  {reason}"
    if ledger.mended:
        yield "mended:"
        yield from _counts(ledger.mended)
    if ledger.replaced:
        yield f"private, and something else stands for it ({STAND_INS} says what):"
        yield from _counts(ledger.replaced)
    files = ledger.files
    if files.skipped or sum(files.read.values()) > 1:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in files.read.items())
        skipped = sum(files.skipped.values())
        yield f"files read: {kinds}" + (f"; not read: {skipped:,}" if skipped else "")
        yield from _counts(files.skipped)


def _counts(counts: dict[str, int]) -> Iterator[str]:
    return (f"{count:>7,}  {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1]))


def _left_out(manifest: Manifest) -> Iterator[str]:
    for part in manifest.left_out:
        place = (
            f"line {part.first_line:,}"
            if part.first_line == part.last_line
            else f"lines {part.first_line:,} to {part.last_line:,}"
        )
        yield f"{part.source}: {part.share:.0%} left out as {part.reason}, {place}"


def _skipped(manifest: Manifest) -> Iterator[str]:
    """Name the files about which there is more to say."""
    told = [file for file in manifest.skipped if file.detail]
    for file in told[:NAMED_FILES]:
        yield f"not read: {file.source}, {file.reason}: {file.detail}"
    if told[NAMED_FILES:]:
        yield f"… and {len(told) - NAMED_FILES:,} more: see skipped in corpus.json"


def _most_likely(manifest: Manifest) -> Speaker:
    """The owner, else who wrote most."""
    owners = (speaker for speaker in manifest.speakers if speaker.speaker_id == manifest.owner)
    return next(owners, manifest.speakers[0])


def show_speakers(folder: Path, show_all: bool, as_json: bool) -> None:
    """List the speakers of a corpus, who wrote most first."""
    manifest = open_corpus(folder).manifest
    if as_json:
        console.result({"owner": manifest.owner, "speakers": manifest.speakers})
        return
    rows = (
        (
            speaker.name + (" (owner)" if speaker.speaker_id == manifest.owner else ""),
            speaker.speaker_id,
            speaker.utterances,
            speaker.words,
            speaker.threads,
        )
        for speaker in manifest.speakers
    )
    limit = None if show_all else console.FIRST_ROWS
    console.show_table(("speaker", "id", "utterances", "words", "threads"), rows, limit)
