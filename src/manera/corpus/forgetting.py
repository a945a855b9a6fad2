"""A person, or one message, leaves a corpus for good: a newer export does not bring them back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from manera.corpus.cleaning import forget_names
from manera.corpus.forgotten import dropped, message_hash, speaker_hash
from manera.corpus.keys import key_of
from manera.corpus.manifest import Forgotten, Manifest
from manera.corpus.narrowing import answers
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import Corpus, open_corpus, rewriting, write_into
from manera.errors import CorpusError
from manera.records import SourceRecord, Utterance

_SHOWN = 3


class Forgetting(NamedTuple):
    """What is left, how many utterances went, and the keys by which voices know them.

    speakers: the ids of all who spoke before. earlier: the corpus's fingerprint before.
    """

    manifest: Manifest
    utterances: int
    keys: frozenset[bytes]
    speakers: frozenset[str]
    earlier: str


def forget_speaker(folder: Path, speaker: str) -> Forgetting:
    """Remove everything that somebody wrote; raise CorpusError when nobody answers, or nothing would be left."""
    corpus = open_corpus(folder)
    try:
        person = choose_speaker(corpus.manifest, speaker)
    except CorpusError as error:  # a command ready to be copied would take out somebody else
        raise CorpusError(error.message, f"see who is there: manera speakers {folder}") from error
    speaker_id = person.speaker_id
    merged = [other for other, whom in corpus.manifest.merged.items() if whom == speaker_id]
    known = corpus.manifest.forgotten
    hashes = (*known.speakers, *map(speaker_hash, [speaker_id, *merged]))
    kept = Forgotten(tuple(dict.fromkeys(hashes)), known.messages)
    forgotten = _forget(corpus, kept, lambda utterance: utterance.speaker_id == speaker_id)
    forget_names(folder, [person.name, *person.aliases])
    return forgotten


def forget_message(folder: Path, id: str) -> Forgetting:
    """Remove one message, ``NUMBER`` or ``CHAT/NUMBER``; raise CorpusError when there is none, or more than one."""
    corpus = open_corpus(folder)
    chat, _, number = id.rpartition("/")
    if not number.removeprefix("-").isdigit():
        raise CorpusError(f"{id!r} is no message's number", f"manera forget {folder} --message CHAT/123")
    found = [
        utterance
        for utterance in corpus.utterances()
        if utterance.position == int(number) and (not chat or answers(utterance, chat))
    ]
    if len(found) != 1:
        listed = ", ".join(repr(f"{utterance.thread}/{number}") for utterance in found[:_SHOWN])
        raise CorpusError(
            f"{len(found):,} messages in {folder} are {id!r}",
            f"say which: {listed}" if found else "numbers stand in utterances.jsonl, as position",
        )
    known = corpus.manifest.forgotten
    kept = Forgotten(known.speakers, tuple(dict.fromkeys((*known.messages, message_hash(found[0])))))
    return _forget(corpus, kept, lambda utterance: utterance == found[0])


def _forget(corpus: Corpus, forgotten: Forgotten, is_meant: Callable[[Utterance], bool]) -> Forgetting:
    keys: set[bytes] = set()
    count = 0

    def left() -> Iterator[SourceRecord]:
        nonlocal count
        for utterance in corpus.utterances():
            if is_meant(utterance):
                keys.add(key_of(utterance))
                count += 1
                yield dropped(utterance)
            else:
                yield utterance

    if not any(not is_meant(utterance) for utterance in corpus.utterances()):
        raise CorpusError(f"nothing would be left in {corpus.folder}", f"remove the folder: rm -r {corpus.folder}")
    with rewriting(corpus.folder) as new:
        manifest = write_into(new, left(), before=(corpus.manifest,), forgotten=forgotten)
    speakers = frozenset(speaker.speaker_id for speaker in corpus.manifest.speakers)
    return Forgetting(manifest, count, frozenset(keys), speakers, corpus.manifest.fingerprint)
