"""Messages that several files hold: exports that overlap, of one account or of both who talked."""

from array import array

from manera.records import Utterance

# Old exports have dates without a zone; zones differ by quarters of an hour.
_ZONE_STEP = 15 * 60


class Duplicates:
    """Sixteen bytes an utterance, and some two hundred once there is a second file.

    A message is itself by its thread and its number there, which accounts number apart: so its time, whatever
    the zone, has to agree too. Else it is by its sender, its second and its text. Texts without either, such as
    a book's paragraphs, are never duplicates.
    """

    def __init__(self) -> None:
        self._source: str | None = None
        self._fresh: dict[str, array[int]] = {}
        self._earlier: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._threads: list[str] = []
        self._part_of: dict[int, int] = {}

    def holds(self, utterance: Utterance) -> bool:
        """Tell whether an earlier file held this message, and remember it."""
        if utterance.source != self._source:
            self._turn_over(utterance.source)
        keys = _keys(utterance)
        if not keys:
            return False
        thread = utterance.thread_id or utterance.thread
        earlier = None
        if self._earlier:
            earlier = next((self._earlier[key] for key in keys if key in self._earlier), None)
        if earlier is not None:
            self._join(self._number(thread), earlier)
            thread = self._threads[earlier]
        fresh = self._fresh.get(thread)
        if fresh is None:
            fresh = self._fresh[thread] = array("q")
        fresh.extend(keys)
        return earlier is not None

    def _turn_over(self, source: str) -> None:
        """What the file before held is from now on what an earlier one did."""
        for thread, keys in self._fresh.items():
            self._earlier.update(dict.fromkeys(keys, self._number(thread)))
        self._fresh = {}
        self._source = source

    def same_threads(self) -> dict[str, str]:
        """Return threads that share messages with another: by the key of each, that of the first of them."""
        return {self._threads[part]: self._threads[self._root(part)] for part in self._part_of}

    def _number(self, thread: str) -> int:
        number = self._numbers.get(thread)
        if number is None:
            number = self._numbers[thread] = len(self._threads)
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


def _keys(utterance: Utterance) -> tuple[int, ...]:
    sent_at, thread = utterance.sent_at, utterance.thread_id
    if sent_at is None:
        return () if thread is None else (hash((thread, utterance.position, None)),)
    by_text = hash((utterance.speaker_id, sent_at, utterance.text))
    if thread is None:
        return (by_text,)
    return hash((thread, utterance.position, sent_at % _ZONE_STEP)), by_text
