"""Messages that several files hold: exports that overlap, of one account or of both who talked."""

from array import array
from collections.abc import Iterator

from manera.records import Utterance

# Old exports have dates without a zone; zones differ by quarters of an hour.
_ZONE_STEP = 15 * 60


class Duplicates:
    """Some thirty bytes an utterance, and some two hundred once there is a second file.

    A message is itself by its thread and its number there, which accounts number apart: so its time, whatever
    the zone, has to agree too. Else it is by its sender, its second and its text. Texts without either, such as
    a book's paragraphs, are never duplicates.
    """

    def __init__(self) -> None:
        self._source: str | None = None
        self._keys = array("q")
        self._key_threads = array("q")
        self._earlier: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._threads: list[str] = []
        self._part_of: dict[int, int] = {}

    def holds(self, utterance: Utterance) -> bool:
        """Tell whether an earlier file held this message, and remember it."""
        if utterance.source != self._source:
            self._earlier.update(zip(self._keys, self._key_threads, strict=True))
            self._keys, self._key_threads = array("q"), array("q")
            self._source = utterance.source
        keys = tuple(_keys(utterance))
        if not keys:
            return False
        thread = self._number(utterance.thread_key)
        found = [self._earlier[key] for key in keys if key in self._earlier]
        if found:
            self._join(thread, found[0])
        self._keys.extend(keys)
        self._key_threads.extend([found[0] if found else thread] * len(keys))
        return bool(found)

    def same_threads(self) -> dict[str, str]:
        """Return threads that share messages with another: by the key of each, that of the first of them."""
        return {self._threads[part]: self._threads[self._root(part)] for part in self._part_of}

    def _number(self, thread: str) -> int:
        number = self._numbers.setdefault(thread, len(self._threads))
        if number == len(self._threads):
            self._threads.append(thread)
        return number

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        if first != second:
            self._part_of[second] = first

    def _root(self, thread: int) -> int:
        while thread in self._part_of:
            thread = self._part_of[thread]
        return thread


def _keys(utterance: Utterance) -> Iterator[int]:
    sent_at = utterance.sent_at
    if utterance.thread_id is not None:
        yield hash((utterance.thread_id, utterance.position, None if sent_at is None else sent_at % _ZONE_STEP))
    if sent_at is not None:
        yield hash((utterance.speaker_id, sent_at, utterance.text))
