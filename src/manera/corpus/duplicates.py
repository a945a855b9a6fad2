"""Messages that several files hold: exports that overlap, of one account or of both who talked.

A message is itself by its thread, its number there and its time, though it was edited; whatever the zone of its time
is, if its text is the same; and whatever its number, which accounts count apart, if sender, time and text are.
Texts without a thread's id and a time, such as a book's paragraphs, are never duplicates.
"""

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from manera.records import Dropped, SourceRecord, Utterance, count_characters

DUPLICATE = "already imported from another file"

# Old exports have dates without a zone; zones differ by quarters of an hour.
_ZONE_STEP = 15 * 60
# So many records are looked for together.
_BATCH = 1000
_HELD = 1 << 18


def without_duplicates(records: Iterable[SourceRecord]) -> Iterator[SourceRecord]:
    """Drop the utterances that an earlier file held.

    Takes up to twenty-four bytes an utterance: on the disk as long as there is one file, in memory from the second on.
    """
    with tempfile.TemporaryFile() as spilled:
        earlier = _Earlier(spilled)
        source: str | None = None
        batch: list[SourceRecord] = []
        for record in records:
            if isinstance(record, Utterance) and record.source != source:
                yield from earlier.without_known(batch)
                batch = []
                earlier.end_file()
                source = record.source
            batch.append(record)
            if len(batch) == _BATCH:
                yield from earlier.without_known(batch)
                batch = []
        yield from earlier.without_known(batch)


class _Earlier:
    """The hashes of what earlier files held, in sorted runs, each of more than twice as many as the next.

    Those of the file that is read are nobody's yet: they go to a file without a name, which most imports never read.
    """

    def __init__(self, spilled: BinaryIO) -> None:
        self._runs: list[NDArray[np.int64]] = []
        self._fresh = array("q")
        self._spilled = spilled

    def without_known(self, records: list[SourceRecord]) -> list[SourceRecord]:
        """Drop from records of one file what earlier ones held, and remember them."""
        keys = [keys_of_message(record) if isinstance(record, Utterance) else () for record in records]
        flat = array("q", chain.from_iterable(keys))
        self._fresh.extend(flat)
        if len(self._fresh) > _HELD:
            self._spill()
        if not self._runs or not flat:
            return records
        is_known = iter(self._holds(np.frombuffer(flat, np.int64)).tolist())
        return [
            _dropped(record) if any(list(islice(is_known, len(of_record)))) else record
            for record, of_record in zip(records, keys, strict=True)
        ]

    def end_file(self) -> None:
        """Count what was read so far among what is known."""
        self._spill()
        if not (size := self._spilled.tell()):
            return
        keys = bytearray(size)
        self._spilled.seek(0)
        self._spilled.readinto(keys)  # type: ignore[attr-defined]
        new = np.frombuffer(keys, np.int64)
        self._spilled.seek(0)
        self._spilled.truncate()
        new.sort()
        while self._runs and len(self._runs[-1]) <= 2 * len(new):
            new = np.concatenate([self._runs.pop(), new])
            new.sort(kind="stable")  # merges what is sorted already
        self._runs.append(new)

    def _spill(self) -> None:
        self._spilled.write(self._fresh.tobytes())
        self._fresh = array("q")

    def _holds(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros(len(keys), np.bool_)
        for run in self._runs:
            places = np.searchsorted(run, keys)
            found |= run[np.minimum(places, len(run) - 1)] == keys
        return found


def _dropped(record: SourceRecord) -> SourceRecord:
    return Dropped(DUPLICATE, record.source, count_characters(record.text)) if isinstance(record, Utterance) else record


class Hashes:
    """Hashes that all are known before any is looked for, sorted where they lie: a set takes eight times as much."""

    def __init__(self, hashes: "array[int]") -> None:
        if hashes:
            np.frombuffer(hashes, np.int64).sort()
        self._sorted = hashes

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
