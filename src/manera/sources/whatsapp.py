"""WhatsApp's export of a chat: a text file, a message a line, as phones in many languages write it."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from manera.records import Cut, Dropped, Mended, Owner, SourceRecord, count_characters
from manera.sources.chat_lines import DAY, TIME, messages
from manera.sources.files import SourceFile
from manera.sources.foreign import is_chat
from manera.sources.messages import Talk
from manera.sources.names import stem_of
from manera.sources.source import Source
from manera.sources.text_lines import head_lines
from manera.sources.whatsapp_words import is_notice, is_of_the_owner, own_words

# Android: "12.03.24, 18:05 - Ася: Привет"; iOS: "[12.03.2024, 18:05:11] Ася: Привет". Who is no contact has a tilde.
_HEADING = re.compile(
    rf"[\u200e\u200f\ufeff]?(?P<bracket>\[)?{DAY},? {TIME}(?(bracket)\]| [-–]) "
    r"[\u200e\u200f]?(?:~[ \u202f\u00a0]?)?(?:(?P<sender>[^:\n]{1,60}):(?: |$))?",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"^(?:WhatsApp Chat with|WhatsApp Chat -|Чат WhatsApp с контактом|Чат WhatsApp с|WhatsApp[- ]Chat mit"
    r"|Chat de WhatsApp con) |(?: \(\d+\))$"
)
NAME = "WhatsApp chat"


def claims(file: SourceFile) -> bool:
    """Tell a chat by the lines that begin with a date, a time and a sender."""
    return file.may_be_text and is_chat(head_lines(file), _HEADING)


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per message, then how many characters its dates, names and marks took.

    A chat is named after its file, or after the folder or archive of a ``_chat.txt``. Times have no zone and are taken
    for UTC; whether the day or the month comes first is read from the whole file.
    """
    talk = Talk(file.source, _title(file))
    mended: Counter[str] = Counter()
    senders: dict[str, None] = {}
    owner: str | None = None
    around = 0
    for message in messages(file, _HEADING, mended):
        around += message.heading
        if message.sent_at is None:
            yield Dropped("text before the first message", file.source, count_characters(message.text))
            continue
        if message.sender is None or is_notice(message.sender):
            yield Dropped("service message", file.source, count_characters(message.text))
            continue
        words, reason, cut = own_words(message.text)
        around += _difference(message.text, [words, *(part for _, part in cut)])
        owner = message.sender if is_of_the_owner(message.text) else owner
        if reason != "service message":
            senders[message.sender] = None
        yield from talk.record(message.sender, message.sender, words, message.sent_at, reason=reason, cut=cut)
    yield Cut("dates, names and marks", file.source, around)
    if owner := owner or _other(senders, talk.thread):
        yield Owner(owner, is_certain=False)
    yield from (Mended(what, file.source, count) for what, count in mended.items() if count)


def _title(file: SourceFile) -> str:
    stem = stem_of(file.path)
    return _TITLE.sub("", file.folder if stem == "_chat" else stem)


def _other(senders: Collection[str], partner: str) -> str | None:
    """In a talk of two the file is named after the one whose phone it is not."""
    others = [sender for sender in senders if sender != partner]
    return others[0] if len(others) == 1 and len(senders) == 2 else None


def _difference(whole: str, parts: Iterable[str]) -> int:
    return count_characters(whole) - sum(map(count_characters, parts))


SOURCE = Source(NAME, claims, read, "WhatsApp's text")
