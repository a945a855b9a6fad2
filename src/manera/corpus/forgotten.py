"""What is not to come back with a newer export, known by hashes only."""

import hashlib
from collections.abc import Iterable, Iterator

from manera.corpus.manifest import Forgotten
from manera.records import Dropped, SourceRecord, Utterance, count_characters

FORGOTTEN = "forgotten at somebody's wish"


def without_forgotten(records: Iterable[SourceRecord], forgotten: Forgotten) -> Iterator[SourceRecord]:
    """Drop what is forgotten."""
    speakers, messages = set(forgotten.speakers), set(forgotten.messages)
    if not (speakers or messages):
        yield from records
        return
    for record in records:
        if isinstance(record, Utterance) and (
            speaker_hash(record.speaker_id) in speakers or (messages and message_hash(record) in messages)
        ):
            record = dropped(record)
        yield record


def dropped(utterance: Utterance) -> Dropped:
    """Return what is counted of an utterance that is forgotten."""
    return Dropped(FORGOTTEN, utterance.source, count_characters(utterance.text))


def speaker_hash(speaker_id: str) -> str:
    """Return what somebody who is forgotten is recognised by."""
    return _hash(speaker_id)


def message_hash(utterance: Utterance) -> str:
    """Return what a message that is forgotten is recognised by, whatever it says by then."""
    return _hash(f"{utterance.thread_key}\0{utterance.position}\0{utterance.sent_at}")


def _hash(what: str) -> str:
    return hashlib.sha256(what.encode(errors="surrogatepass")).hexdigest()[:32]
