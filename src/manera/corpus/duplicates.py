"""Messages that several files hold: exports that overlap, of one account or of both who talked.

A message is itself by its thread, its number there and its time, though it was edited; whatever the zone of its time
is, if its text is the same; and whatever its number, which accounts count apart, if sender, time and text are.
Texts without a thread's id and a time, such as a book's paragraphs, are never duplicates.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import numpy as np

from manera.records import Dropped, SourceRecord, Utterance, count_characters

DUPLICATE = "already imported from another file"

# Old exports have dates without a zone; zones differ by quarters of an hour.
_ZONE_STEP = 15 * 60


def without_duplicates(records: Iterable[SourceRecord]) -> Iterator[SourceRecord]:
    """Drop the utterances that an earlier file held.

    Takes sixteen to twenty-four bytes an utterance, and some three hundred once there is a second file.
    """
    source: str | None = None
    fresh = array("q")
    earlier: set[int] = set()
    for record in records:
        if isinstance(record, Utterance):
            if record.source != source:
                earlier.update(fresh)
                fresh = array("q")
                source = record.source
            keys = keys_of_message(record)
            fresh.extend(keys)
            if earlier and any(key in earlier for key in keys):
                record = Dropped(DUPLICATE, record.source, count_characters(record.text))
        yield record


class Hashes:
    """Hashes that all are known before any is looked for: eight bytes each, where a set takes sixty."""

    def __init__(self, hashes: "array[int]") -> None:
        self._sorted = array("q", np.sort(np.frombuffer(hashes, np.int64)).tobytes() if hashes else b"")

    def __contains__(self, key: int) -> bool:
        place = bisect_left(self._sorted, key)
        return place < len(self._sorted) and self._sorted[place] == key


def keys_of_message(utterance: Utterance) -> tuple[int, ...]:
    """Return hashes, any of which tells that two utterances are one message, for this process only.

    Where there are three, the first is the message's own, whatever it says; of the others the text is a part.
    """
    sent_at, position, text = utterance.sent_at, utterance.position, utterance.text
    chat = chat_of(utterance)
    if sent_at is None:
        return () if chat is None else (hash((chat, position, text)),)
    by_text = hash((chat, utterance.speaker_id, sent_at, text))
    if chat is None:
        return (by_text,)
    return hash((chat, position, sent_at)), hash((chat, position, sent_at % _ZONE_STEP, text)), by_text


def chat_of(utterance: Utterance) -> str | None:
    """Return the id of a chat; a topic is known only where the message that began it is in the export."""
    return utterance.thread_id.partition("/")[0] if utterance.thread_id else None
