"""Telegram Desktop's machine-readable export: one chat, or a whole account."""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from manera.records import Dropped, Owner, SourceRecord, Utterance, UtteranceKind
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument, open_document

CHAT_TYPES = frozenset(
    {
        "saved_messages",
        "replies",
        "personal_chat",
        "bot_chat",
        "private_group",
        "private_supergroup",
        "public_group",
        "public_supergroup",
        "private_channel",
        "public_channel",
    }
)
_CHANNELS = frozenset({"private_channel", "public_channel"})
_TALKS_OF_TWO = frozenset({"personal_chat", "bot_chat"})
_DELETED = "Deleted account"

# The first key present says why a message has no words of its own.
_WORDLESS_MEDIA = {
    "sticker": "sticker",
    "voice_message": "voice message",
    "video_message": "video message",
    "animation": "animation without text",
    "video_file": "video without text",
    "audio_file": "audio without text",
}
_WORDLESS_KEYS = {
    "photo": "photo without text",
    "poll": "poll",
    "location_information": "location",
    "place_name": "location",
    "contact_information": "contact",
    "game_title": "game",
    "invoice_information": "invoice",
    "todo_list": "to-do list",
    "giveaway_information": "giveaway",
    "paid_stars_amount": "paid media",
    "file": "file without text",
}


@dataclass
class _Chat:
    """One chat's header, and what its messages showed so far."""

    source: str
    ordinal: int
    header: dict[str, Any]
    speakers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.header.get("name") or self.type.replace("_", " ") or "chat")

    @property
    def type(self) -> str:
        return str(self.header.get("type") or "")

    @property
    def is_channel(self) -> bool:
        return self.type in _CHANNELS

    @property
    def kind(self) -> UtteranceKind:
        return "post" if self.is_channel else "message"

    @property
    def thread(self) -> str:
        """Names repeat, ids do not; the place in the file serves where an id is missing."""
        number = self.header.get("id")
        return f"{self.name} ({number})" if number is not None else f"{self.name} ({self.source} #{self.ordinal})"

    def owner(self) -> str | None:
        """Tell whose export this is, as far as this chat shows it."""
        number = self.header.get("id")
        with_chat_id = [speaker_id for speaker_id in self.speakers if speaker_id == f"user{number}"]
        if self.type == "saved_messages" or self.is_channel:
            own = with_chat_id or list(self.speakers)
            return own[0] if len(own) == 1 else None
        if self.type not in _TALKS_OF_TWO:
            return None
        named_as_chat = [speaker_id for speaker_id, name in self.speakers.items() if name == self.name]
        partners = named_as_chat or with_chat_id
        others = [speaker_id for speaker_id in self.speakers if speaker_id not in partners]
        return others[0] if len(partners) == 1 and len(others) == 1 else None


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per message in the file's order, and whose export it is where that shows.

    Each chat is a thread and a message's id is its position. Text is joined from its parts exactly.
    A forward, or a message that a bot wrote on somebody's behalf, is dropped: it is not the sender's words.
    Old exports have numbers for ids and dates without a zone, which are taken for UTC.
    Raises SourceError with line and column when the file is not valid JSON.
    """
    with open_document(file.path) as document:
        ordinal = 0
        for header in _headers(document):
            if "user_id" in header:
                yield Owner(f"user{header['user_id']}", is_certain=True)
                continue
            ordinal += 1
            chat = _Chat(file.source, ordinal, header)
            yield from _messages(chat, document)
            if owner := chat.owner():
                yield Owner(owner, is_certain=False)
        document.end()


def holds_messages(document: JsonDocument) -> bool | None:
    """Tell whether a document is an export, None when it is one without a single message."""
    is_export = False
    for header in _headers(document):
        is_export |= "user_id" in header or header.get("type") in CHAT_TYPES
        if "user_id" in header:
            continue
        for message in document.values():
            return is_export or _is_message(message)
    return None if is_export else False


def _is_message(value: object) -> bool:
    """An export that lost its header is known by the fields of its messages."""
    return (
        isinstance(value, Mapping)
        and value.get("type") in ("message", "service")
        and ("text" in value or "action" in value)
        and ("date" in value or "date_unixtime" in value)
    )


def _headers(document: JsonDocument) -> Iterator[dict[str, Any]]:
    """Yield each chat's header when its array of messages comes next, which the caller consumes.

    The account's own header, which has user_id, is followed by nothing to consume.
    """
    if document.peek() != "{":
        document.value()
        return
    header: dict[str, Any] = {}
    for key in document.members():
        if key == "messages" and document.peek() == "[":
            yield header
        elif key in ("chats", "left_chats") and document.peek() == "{":
            yield from _listed(document)
        else:
            value = document.value()
            if key in ("name", "type", "id"):
                header[key] = value
            elif key == "personal_information" and isinstance(value, dict) and "user_id" in value:
                yield {"user_id": value["user_id"]}


def _listed(document: JsonDocument) -> Iterator[dict[str, Any]]:
    for key in document.members():
        if key != "list" or document.peek() != "[":
            document.value()
            continue
        for _ in document.elements():
            yield from _headers(document)


def _messages(chat: _Chat, document: JsonDocument) -> Iterator[SourceRecord]:
    thread, kind, source = chat.thread, chat.kind, chat.source
    speakers = chat.speakers
    position = 0
    for message in document.values():
        reason, text = _words(message)
        if reason is None:
            position = message["id"] if type(message.get("id")) is int else position + 1
            speaker_id, speaker = _sender(message, chat)
            speakers[speaker_id] = speaker
            reply_to = message.get("reply_to_message_id")
            yield Utterance(
                speaker_id,
                speaker,
                text,
                thread,
                position,
                kind,
                source,
                _sent_at(message),
                reply_to if type(reply_to) is int else None,
            )
        else:
            yield Dropped(reason, source)


def _words(message: Any) -> tuple[str | None, str]:
    """Return why a message is dropped, None when it is kept, and its text."""
    if not isinstance(message, dict):
        return "broken message", ""
    kind = message.get("type", "message")
    if kind != "message":
        return f"{kind} message" if kind in ("service", "unsupported") else "broken message", ""
    # Present but null: forwarded from an account that was deleted.
    if "forwarded_from" in message or "saved_from" in message:
        return "forward", ""
    if "via_bot" in message:
        return "via bot", ""
    text = message.get("text")
    if type(text) is not str:
        text = _joined(text)
        if text is None:
            return "broken message", ""
    if not text or text.isspace():
        return _wordless(message), ""
    return (None, text) if _is_encodable(text) else ("broken message", "")


def _joined(parts: object) -> str | None:
    """Join the strings and entities of a formatted text; None when it is something else."""
    if not isinstance(parts, list):
        return None
    texts: list[Any] = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None


def _wordless(message: dict[str, Any]) -> str:
    media = message.get("media_type")
    if isinstance(media, str) and media in _WORDLESS_MEDIA:
        return _WORDLESS_MEDIA[media]
    return next((reason for key, reason in _WORDLESS_KEYS.items() if key in message), "empty text")


def _is_encodable(text: str) -> bool:
    r"""JSON may hold half of a surrogate pair (``\ud83d``), which is no character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sender(message: dict[str, Any], chat: _Chat) -> tuple[str, str]:
    """Return id and name. Old exports number users and channels alike; some files leave ids out."""
    name = message.get("from")
    number = message.get("from_id")
    if not isinstance(name, str) or not name:
        name = chat.name if chat.is_channel and number is None else _DELETED
    if isinstance(number, str) and number:
        return number, name
    if isinstance(number, int):
        return f"{'channel' if chat.is_channel else 'user'}{number}", name
    return name, name


def _sent_at(message: dict[str, Any]) -> int | None:
    try:
        return int(message["date_unixtime"])
    except (KeyError, TypeError, ValueError):
        pass
    try:
        date = datetime.fromisoformat(message["date"])
    except (KeyError, TypeError, ValueError):
        return None
    return calendar.timegm((date.astimezone(UTC) if date.tzinfo else date).timetuple())
