"""What the messages of every messenger have in common."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from manera.records import Cut, Dropped, Mended, SourceRecord, Utterance, UtteranceKind, count_characters
from manera.sources.decoding import REPLACEMENT

_LINK = r"(?:[a-z][a-z0-9+.-]*://|www\.|t\.me/)\S+"
_LINKS = re.compile(rf"\s*{_LINK}(?:\s+{_LINK})*\s*", re.IGNORECASE)
_COMMAND = re.compile(r"\s*/[a-z][a-z0-9_]*(?:@\w+)?(?:[ \t]+\S+){0,2}\s*", re.IGNORECASE | re.ASCII)
LONE_SURROGATES = "halves of characters, shown as \ufffd"
BROKEN_MESSAGE = "broken message"
UNDATED = "messages without a date that can be read"


def why_wordless(text: str) -> str | None:
    """Say what a text is that holds none of its sender's words: nothing, links or a bot's command; None for words."""
    if not text.strip():
        return "empty text"
    if "/" in text or "www." in text:
        if _LINKS.fullmatch(text):
            return "nothing but a link"
        if _COMMAND.fullmatch(text):
            return "bot command"
    return None


def encodable(text: str) -> str:
    r"""Return the text itself where it can be stored; JSON may hold half of a surrogate pair (``\ud83d``)."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_broken(text: str) -> bool:
    """Tell a text of which no character could be read."""
    return not text.strip(REPLACEMENT)


def other_of_two(names: Mapping[str, str], partner: str) -> str | None:
    """Return who of two it is that their talk is not named after, whose export it then is; None where it is no such.

    names: of those who wrote, by their ids. partner: what the talk is called.
    """
    others = [speaker_id for speaker_id, name in names.items() if name != partner]
    return others[0] if len(names) == 2 and len(others) == 1 else None


@dataclass
class Talk:
    """One chat while it is read; position is that of its last message where the source does not number them."""

    source: str
    thread: str
    thread_id: str | None = None
    kind: UtteranceKind = "message"
    position: int = 0

    def record(
        self,
        speaker_id: str,
        speaker: str,
        text: str,
        sent_at: int | None = None,
        *,
        reason: str | None = None,
        cut: Iterable[tuple[str, str]] = (),
        number: int | None = None,
        reply_to: int | None = None,
    ) -> Iterator[SourceRecord]:
        """Yield what becomes of one message.

        reason: why it is dropped, where its text alone does not show that. cut: what was taken out of the text, and
        why; a message of which nothing is left is dropped as the first of these.
        """
        cut = [(why, part) for why, part in cut if part]
        reason = reason or (cut[0][0] if cut and not text.strip() else why_wordless(text))
        whole = encodable(text)
        if reason is None and whole is not text and is_broken(whole):
            reason = BROKEN_MESSAGE
        if reason:
            characters = count_characters(text) + sum(count_characters(part) for _, part in cut)
            yield Dropped(reason, self.source, characters)
            return
        yield from (Cut(why, self.source, count_characters(part)) for why, part in cut)
        if whole is not text:
            yield Mended(LONE_SURROGATES, self.source, 1)
        if sent_at is None:
            yield Mended(UNDATED, self.source, 1)
        self.position = self.position + 1 if number is None else number
        yield Utterance(
            encodable(speaker_id),
            encodable(speaker),
            whole,
            self.thread,
            self.position,
            self.kind,
            self.source,
            sent_at,
            thread_id=self.thread_id,
            reply_to=reply_to,
        )
