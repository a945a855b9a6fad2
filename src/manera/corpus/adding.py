"""A newer export added to a corpus: what is new is added, what was edited is updated, everything else stays."""

import shutil
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec

from manera.corpus.aliases import Alias
from manera.corpus.cleaning import STAND_INS, Cleaning, read_entries
from manera.corpus.duplicates import DUPLICATE, Hashes, chat_of, keys_of_message, without_duplicates
from manera.corpus.forgotten import without_forgotten
from manera.corpus.manifest import Manifest
from manera.corpus.storage import Corpus, is_corpus, open_corpus, rewriting, write, write_into
from manera.records import Dropped, SourceRecord, Utterance, count_characters

EDITED = "earlier form of a message that was edited"
REPLACED = "earlier reading of a text that was read again"
_FRESH = "fresh"


class Added(msgspec.Struct, frozen=True):
    """What an addition changed: messages that are new, were edited, and were known; texts that were read again."""

    manifest: Manifest
    added: int
    edited: int = 0
    known: int = 0
    replaced: tuple[str, ...] = ()


def add(
    records: Iterable[SourceRecord],
    folder: Path,
    *,
    aliases: Sequence[Alias] = (),
    cleaning: Cleaning | None = None,
) -> Added:
    """Add what was read to a corpus; where there is none, make it.

    A message is known as in an import of both exports. Of one that was edited the form counts that the export with
    the later messages of its chat has. A text without times and numbers, as a book, is read again whole when any of it
    changed. People who were merged, what was forgotten, and what stands for what, stay so. Raises CorpusError.
    """
    cleaning = cleaning or Cleaning()
    if not is_corpus(folder):
        manifest = write(records, folder, aliases=aliases, cleaning=cleaning)
        return Added(manifest, manifest.ledger.kept)
    old = open_corpus(folder)
    owner = next((one for one in old.manifest.speakers if one.speaker_id == old.manifest.owner), None)
    cleaning.go_by(read_entries(folder), [owner.speaker_id, owner.name, *owner.aliases] if owner else [])
    try:
        with rewriting(folder) as new:
            return _rewritten(old, records, new, aliases, cleaning)
    except _NothingNew as nothing:
        return Added(old.manifest, 0, known=nothing.known)


class _NothingNew(Exception):
    """Everything that was read is in the corpus already: it stays as it is, and so does its ledger."""

    def __init__(self, known: int) -> None:
        self.known = known


def _rewritten(
    old: Corpus, records: Iterable[SourceRecord], new: Path, aliases: Sequence[Alias], cleaning: Cleaning
) -> Added:
    (new / _FRESH).mkdir()
    known = _merged_as_before(without_forgotten(records, old.manifest.forgotten), old.manifest)
    fresh = Corpus(new / _FRESH, write_into(new / _FRESH, without_duplicates(known), cleaning=cleaning))
    found = _compare(old, fresh)
    if not aliases and all(found.is_known) and not found.edits:
        raise _NothingNew(len(found.is_known))
    joined = _joined(old, fresh, found)
    manifest = write_into(new, joined, aliases, before=(old.manifest, fresh.manifest), parts=found.parts)
    (new / _FRESH / STAND_INS).replace(new / STAND_INS)
    shutil.rmtree(new / _FRESH)
    return Added(
        manifest,
        len(found.is_known) - sum(found.is_known),
        len(found.edits),
        sum(found.is_known) - len(found.edits),
        tuple(sorted(found.retold)),
    )


@dataclass
class _Compared:
    """What of the fresh utterances the corpus has: by their places; edits are by the message's own key.

    retold: untimed threads of which something changed. renamed: those that only share a name with another text.
    parts: threads in which something new comes before something old.
    """

    is_known: bytearray = field(default_factory=bytearray)
    edits: dict[int, Utterance] = field(default_factory=dict)
    retold: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)


def _merged_as_before(records: Iterable[SourceRecord], manifest: Manifest) -> Iterator[SourceRecord]:
    names = {speaker.speaker_id: speaker.name for speaker in manifest.speakers}
    for record in records:
        if isinstance(record, Utterance) and (one := manifest.merged.get(record.speaker_id)):
            record = msgspec.structs.replace(record, speaker_id=one, speaker=names.get(one, record.speaker))
        yield record


def _compare(old: Corpus, fresh: Corpus) -> _Compared:
    """Tell what is known; of an edit the form in the export that knows the chat longer counts."""
    keys_before = array("q")
    texts: dict[str, set[int]] = {}
    last: dict[str, int] = {}
    ends: dict[str, tuple[int, int]] = {}
    for utterance in old.utterances():
        ends[utterance.thread_key] = max(ends.get(utterance.thread_key, _place(utterance)), _place(utterance))
        _note_last(utterance, last)
        if _is_untimed(utterance):
            texts.setdefault(utterance.thread_key, set()).add(hash(utterance.text))
        keys_before.extend(keys_of_message(utterance))
    messages = Hashes(keys_before)
    found, last_fresh, shared = _Compared(), dict[str, int](), set[str]()
    for utterance in fresh.utterances():
        _note_last(utterance, last_fresh)
        keys = keys_of_message(utterance)
        thread = utterance.thread_key
        if _is_untimed(utterance):
            known = hash(utterance.text) in texts.get(thread, ())
            if known:
                shared.add(thread)
            elif thread in texts:
                found.retold.add(thread)
        else:
            known = any(key in messages for key in keys)
        if known and len(keys) == 3 and not any(key in messages for key in keys[1:]):
            found.edits[keys[0]] = utterance
        if not known and thread in ends and _place(utterance) < ends[thread]:
            found.parts.add(thread)
        found.is_known.append(known)
    _undo_older(found, last, last_fresh)
    for thread in found.retold - shared:
        found.retold.discard(thread)
        found.parts.discard(thread)
        found.renamed[thread] = _free_name(thread, ends.keys())
    return found


def _free_name(thread: str, taken: Collection[str]) -> str:
    return next(name for number in count(2) if (name := f"{thread} ({number})") not in taken)


def _undo_older(found: _Compared, last: dict[str, int], last_fresh: dict[str, int]) -> None:
    for key, utterance in list(found.edits.items()):
        chat = chat_of(utterance) or ""
        if last_fresh[chat] < last[chat]:
            del found.edits[key]


def _joined(old: Corpus, fresh: Corpus, found: _Compared) -> Iterator[SourceRecord]:
    for utterance in old.utterances():
        keys = keys_of_message(utterance)
        edit = found.edits.get(keys[0]) if keys else None
        if utterance.thread_key in found.retold:
            yield _dropped(REPLACED, utterance)
        elif edit:
            yield _dropped(EDITED, utterance)
            yield msgspec.structs.replace(utterance, text=edit.text)
        else:
            yield utterance
    for utterance, is_known in zip(fresh.utterances(), found.is_known, strict=True):
        keys = keys_of_message(utterance)
        if utterance.thread_key in found.retold or not is_known:
            name = found.renamed.get(utterance.thread)
            yield msgspec.structs.replace(utterance, thread=name) if name else utterance
        elif not (keys and keys[0] in found.edits):
            yield _dropped(DUPLICATE, utterance)


def _dropped(reason: str, utterance: Utterance) -> Dropped:
    return Dropped(reason, utterance.source, count_characters(utterance.text))


def _is_untimed(utterance: Utterance) -> bool:
    return utterance.sent_at is None and utterance.thread_id is None


def _place(utterance: Utterance) -> tuple[int, int]:
    """Return what messages of a thread are ordered by."""
    return utterance.sent_at or 0, utterance.position


def _note_last(utterance: Utterance, last: dict[str, int]) -> None:
    if (chat := chat_of(utterance)) and utterance.sent_at is not None:
        last[chat] = max(last.get(chat, utterance.sent_at), utterance.sent_at)
