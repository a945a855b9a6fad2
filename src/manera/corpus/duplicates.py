"""Messages that several files hold: exports that overlap, of one account or of both who talked."""

from array import array

from manera.records import Utterance

# Old exports have dates without a zone; zones differ by quarters of an hour.
_ZONE_STEP = 15 * 60


class Duplicates:
    """Sixteen to twenty-four bytes an utterance, and some three hundred once there is a second file.

    A message is itself by its thread, its number there and its time, though it was edited; whatever the zone of
    its time is, if its text is the same; and whatever its number, which accounts count apart, if sender, time and
    text are. Texts without a thread's id and a time, such as a book's paragraphs, are never duplicates.
    """

    def __init__(self) -> None:
        self._source: str | None = None
        self._fresh = array("q")
        self._earlier: set[int] = set()

    def holds(self, utterance: Utterance) -> bool:
        """Tell whether an earlier file held this message, and remember it."""
        if utterance.source != self._source:
            self._earlier.update(self._fresh)
            self._fresh = array("q")
            self._source = utterance.source
        keys = _keys(utterance)
        self._fresh.extend(keys)
        return bool(self._earlier) and any(key in self._earlier for key in keys)


def _keys(utterance: Utterance) -> tuple[int, ...]:
    sent_at, position, text = utterance.sent_at, utterance.position, utterance.text
    # A topic is known only where the message that began it is in the export.
    chat = utterance.thread_id.partition("/")[0] if utterance.thread_id else None
    if sent_at is None:
        return () if chat is None else (hash((chat, position, text)),)
    by_text = hash((chat, utterance.speaker_id, sent_at, text))
    if chat is None:
        return (by_text,)
    return hash((chat, position, sent_at)), hash((chat, position, sent_at % _ZONE_STEP, text)), by_text
