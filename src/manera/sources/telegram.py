"""Telegram Desktop's machine-readable export: one chat, or a whole account."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any, TypeGuard

from manera.records import Cut, Dropped, Mended, Owner, SourceRecord, Utterance, UtteranceKind, count_characters
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign, is_json
from manera.sources.json_document import JsonDocument, open_document
from manera.sources.json_export import as_fields, as_number, json_source, seconds_of_date
from manera.sources.messages import BROKEN_MESSAGE, LONE_SURROGATES, UNDATED, encodable, is_broken, why_wordless
from manera.sources.source import Source

CHAT_TYPES = frozenset(
    {
        "saved_messages",
        "replies",
        "verification_codes",
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
# People, groups and channels are numbered apart; a group that grew large has a channel's number.
_NUMBERED_AS = {
    **dict.fromkeys(("personal_chat", "bot_chat"), "user"),
    "saved_messages": "saved",
    "replies": "replies",
    "verification_codes": "codes",
    "private_group": "chat",
    **dict.fromkeys(("private_supergroup", "public_group", "public_supergroup"), "channel"),
    **dict.fromkeys(_CHANNELS, "channel"),
}
DELETED = "Deleted account"
WITHOUT_MESSAGES = Foreign("Telegram export without messages", "export the chat again, and choose the whole period")
_MAX_NUMBER = 1 << 62
# So many messages of a talk are held to learn who else speaks in it.
_MESSAGES_HELD = 1000

# Entities of a text that are not the sender's own prose.
_FOREIGN_ENTITIES = {"blockquote": "quotation", "pre": "code"}

# The first key present says why a message has no words of its own.
_WORDLESS_MEDIA = {
    "sticker": "sticker",
    "voice_message": "voice message",
    "video_message": "video message",
    "animation": "animation without text",
    "video_file": "video without text",
    "audio_file": "audio without text",
    "story": "story",
    "dice": "dice",
}
_WORDLESS_KEYS = {
    "story_id": "story",
    "dice": "dice",
    "photo": "photo without text",
    "poll": "poll",
    "location_information": "location",
    "place_name": "location",
    "contact_information": "contact",
    "game_title": "game",
    "invoice_information": "invoice",
    "todo_list": "to-do list",
    "giveaway_information": "giveaway",
    "giveaway_results": "giveaway results",
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
    names: dict[str, str] = field(default_factory=dict)
    partner: str | None = None
    _topics: dict[int, str] = field(default_factory=dict)
    _topic_of: dict[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return encodable(str(self.header.get("name") or self.type.replace("_", " ") or "chat"))

    @property
    def type(self) -> str:
        kind = self.header.get("type")
        return kind if isinstance(kind, str) else ""

    @property
    def is_channel(self) -> bool:
        return self.type in _CHANNELS

    @property
    def kind(self) -> UtteranceKind:
        return "post" if self.is_channel else "message"

    @cached_property
    def thread(self) -> str:
        """Names repeat, ids do not; the place in the file serves where an id is missing."""
        number = self.header.get("id")
        return f"{self.name} ({number})" if number is not None else f"{self.name} ({self.source} #{self.ordinal})"

    @cached_property
    def thread_id(self) -> str | None:
        """A talk of two has the number of the other in each one's export: only both numbers name it."""
        number = self.header.get("id")
        if number is None:
            return None
        own = f"{_NUMBERED_AS.get(self.type, 'peer')}{number}"
        if self.type not in _TALKS_OF_TWO or self.partner is None:
            return own
        return "+".join(sorted((own, self.partner)))

    def place(self, message: dict[str, Any]) -> tuple[str, str | None]:
        """Return the thread of a message and its id, which stays when the chat is renamed.

        In a group with topics, what a message answers is a topic's first message, or lies in the topic.
        """
        if not self._topics and message.get("action") != "topic_created":
            return self.thread, self.thread_id
        topic = self._topic(message)
        if topic is None:
            return self.thread, self.thread_id
        return f"{self.thread} / {self._topics[topic]}", f"{self.thread_id or self.thread}/{topic}"

    def _topic(self, message: dict[str, Any]) -> int | None:
        number = message.get("id")
        if message.get("action") == "topic_created" and _is_number(number):
            self._topics[number] = encodable(str(message.get("title") or number))
        answered = _answered(message)
        if answered is None:
            return None
        topic = answered if answered in self._topics else self._topic_of.get(answered)
        if topic is not None and _is_number(number):
            self._topic_of[number] = topic
        return topic

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

    Each chat, and each topic of a group that has topics, is a thread; a message's id is its position.
    Text is joined from its parts exactly, but for quotations and blocks of code, which are cut.
    Dropped: a forward, or a message that a bot wrote on somebody's behalf, for it is not the sender's
    words; a message that is only links or a bot's command. Old exports have numbers for ids and dates
    without a zone, which are taken for UTC. Raises SourceError with line and column when the file is
    not valid JSON, and is not broken in a way that Telegram Desktop is known for.
    """
    with open_document(file) as document:
        ordinal = 0
        account: str | None = None
        for header in _headers(document):
            if "user_id" in header:
                account = f"user{header['user_id']}"
                yield Owner(account, is_certain=True)
                continue
            ordinal += 1
            chat = _Chat(file.source, ordinal, header, partner=account)
            yield from _messages(chat, document.values())
            if owner := chat.owner():
                yield Owner(owner, is_certain=False)
        document.end()
        yield from (Mended(what, file.source, count) for what, count in document.mended.items() if count)


def read_fetched(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield the messages of a chat that was fetched from Telegram: a line for the chat, then one for each message."""
    header = as_fields(document.value())
    account = f"user{header.get('fetched_by')}"
    chat = _Chat(file.source, 1, header, partner=account)
    yield from _messages(chat, _lines(document))
    yield Owner(account, is_certain=True)
    if owner := chat.owner():
        yield Owner(owner, is_certain=False)


def _lines(document: JsonDocument) -> Iterator[Any]:
    while document.peek():
        yield document.value()


def claims(file: SourceFile) -> bool | Foreign:
    """Tell an export by its fields, up to its first message; one without a single message cannot be read."""
    if not (file.may_be_text and is_json(file.head)):
        return False
    with open_document(file) as document:
        return _holds_messages(document)


def _holds_messages(document: JsonDocument) -> bool | Foreign:
    is_export = False
    for header in _headers(document):
        is_export |= "user_id" in header or str(header.get("type")) in CHAT_TYPES
        if "user_id" in header:
            continue
        for message in document.values():
            return is_export or _is_message(message)
    return is_export and WITHOUT_MESSAGES


def _is_message(value: object) -> bool:
    """An export that lost its header is known by the fields of its messages."""
    return (
        isinstance(value, Mapping)
        and value.get("type") in ("message", "service")
        and ("text" in value or "action" in value)
        and ("date" in value or "date_unixtime" in value)
    )


def _headers(document: JsonDocument, is_account: bool = True) -> Iterator[dict[str, Any]]:
    """Yield each chat's header when its array of messages comes next, which the caller consumes.

    The account's own header, which has user_id, is followed by nothing to consume. Only an account lists chats.
    """
    if document.peek() != "{":
        document.value()
        return
    header: dict[str, Any] = {}
    for key in document.members():
        if key == "messages" and document.peek() == "[":
            yield header
        elif is_account and key in ("chats", "left_chats") and document.peek() == "{":
            yield from _listed(document)
        else:
            value = document.value()
            if key == "name" or key == "type" or (key == "id" and isinstance(value, int | str)):
                header[key] = value if not isinstance(value, str) else encodable(value)
            elif key == "personal_information" and isinstance(value, dict) and "user_id" in value:
                yield {"user_id": value["user_id"]}


def _listed(document: JsonDocument) -> Iterator[dict[str, Any]]:
    for key in document.members():
        if key != "list" or document.peek() != "[":
            document.value()
            continue
        for _ in document.elements():
            yield from _headers(document, is_account=False)


def _messages(chat: _Chat, values: Iterator[Any]) -> Iterator[SourceRecord]:
    kind, source, speakers = chat.kind, chat.source, chat.speakers
    position = 0
    for message in _with_partner(chat, values):
        if not isinstance(message, dict):
            yield Dropped(BROKEN_MESSAGE, source)
            continue
        thread, thread_id = chat.place(message)
        reason, text, cuts = _words(message)
        speaker_id, speaker = _sender(message, chat)
        if reason is None or "from_id" in message:
            speakers[speaker_id] = speaker
        if reason is not None:
            yield Dropped(reason, source, count_characters(text))
            continue
        for what, removed in cuts:
            yield Cut(what, source, count_characters(removed))
        number = message.get("id")
        position = number if _is_number(number) else position + 1
        whole = encodable(text)
        if whole is not text:
            if is_broken(whole):
                yield Dropped(BROKEN_MESSAGE, source, count_characters(text))
                continue
            yield Mended(LONE_SURROGATES, source, 1)
        sent_at = _sent_at(message)
        if sent_at is None:
            yield Mended(UNDATED, source, 1)
        yield Utterance(
            speaker_id,
            speaker,
            whole,
            thread,
            position,
            kind,
            source,
            sent_at,
            thread_id=thread_id,
            reply_to=_answered(message),
        )


def _with_partner(chat: _Chat, messages: Iterator[Any]) -> Iterator[Any]:
    """Find who talks with the one that a talk of two is named after, before its first message is handed on."""
    held: list[Any] = []
    if chat.type in _TALKS_OF_TWO and chat.partner is None:
        named_after = f"user{chat.header.get('id')}"
        for message in islice(messages, _MESSAGES_HELD):
            held.append(message)
            sender = _sender(message, chat)[0] if isinstance(message, dict) and "from_id" in message else named_after
            if sender != named_after:
                chat.partner = sender
                break
    return chain(held, messages)


def _words(message: dict[str, Any]) -> tuple[str | None, str, list[tuple[str, str]]]:
    """Return why a message is dropped, None when it is kept; its text; and what was cut from that, by reason."""
    kind = message.get("type", "message")
    text = message.get("text")
    foreign: list[tuple[str, str]] = []
    are_links = False
    if type(text) is not str:
        text, foreign, are_links = _parts(text)
    if kind != "message":
        return (f"{kind} message" if kind in ("service", "unsupported") else BROKEN_MESSAGE), text or "", []
    if text is None:
        return BROKEN_MESSAGE, "", []
    # Present but null: forwarded from an account that was deleted.
    if "forwarded_from" in message or "saved_from" in message:
        return "forward", text, []
    if "via_bot" in message:
        return "via bot", text, []
    if not text.strip():
        return _wordless(message), text, []
    if reason := why_wordless(text):
        return reason, text, []
    if are_links:
        return "nothing but a link", text, []
    if not foreign:
        return None, text, []
    own = _without(message["text"])
    if not own.strip():
        return foreign[0][0], text, []
    return None, own, foreign


def _parts(parts: object) -> tuple[str | None, list[tuple[str, str]], bool]:
    """Join the strings and entities of a formatted text; None when it is something else.

    Returns also the entities that are not the sender's words, and whether there is nothing but links.
    """
    if not isinstance(parts, list):
        return None, [], False
    texts: list[Any] = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        return None, [], False
    kinds = [str(part.get("type")) if isinstance(part, dict) else "" for part in parts]
    foreign = [(_FOREIGN_ENTITIES[kind], text) for kind, text in zip(kinds, texts, strict=True) if _is_foreign(kind)]
    shown = [kind for kind, text in zip(kinds, texts, strict=True) if text.strip()]
    return "".join(texts), foreign, bool(shown) and {"link"}.issuperset(shown)


def _is_foreign(kind: str) -> bool:
    return kind in _FOREIGN_ENTITIES


def _without(parts: list[Any]) -> str:
    """Join what is the sender's own; a cut between two lines leaves one line break."""
    own = ""
    after_cut = False
    for part in parts:
        if isinstance(part, dict) and _is_foreign(str(part.get("type"))):
            own = own.rstrip("\n")
            after_cut = True
            continue
        text = part["text"] if isinstance(part, dict) else part
        if after_cut and text:
            text = ("\n" if own else "") + text.lstrip("\n")
            after_cut = False
        own += text
    return own


def _wordless(message: dict[str, Any]) -> str:
    media = message.get("media_type")
    if isinstance(media, str) and media in _WORDLESS_MEDIA:
        return _WORDLESS_MEDIA[media]
    return next((reason for key, reason in _WORDLESS_KEYS.items() if key in message), "empty text")


def _sender(message: dict[str, Any], chat: _Chat) -> tuple[str, str]:
    """Return id and name. Old exports number users and channels alike; some files leave ids out."""
    name = message.get("from")
    number = message.get("from_id")
    if not isinstance(name, str) or not name:
        name = chat.name if chat.is_channel and number is None else DELETED
    known = chat.names.get(name)
    name = chat.names.setdefault(name, encodable(name)) if known is None else known
    if isinstance(number, str) and number:
        return encodable(number), name
    if isinstance(number, int):
        return f"{'channel' if chat.is_channel else 'user'}{number}", name
    return name, name


def _answered(message: dict[str, Any]) -> int | None:
    """A reply to a message of another chat answers none of this one."""
    answered = message.get("reply_to_message_id")
    return answered if _is_number(answered) and "reply_to_peer_id" not in message else None


def _is_number(value: object) -> TypeGuard[int]:
    return type(value) is int and -_MAX_NUMBER < value < _MAX_NUMBER


def _sent_at(message: dict[str, Any]) -> int | None:
    return as_number(message.get("date_unixtime")) or seconds_of_date(message.get("date"))


SOURCE = Source("Telegram export", claims, read, "Telegram Desktop's JSON")
FETCHED = json_source("Telegram chat", (b"fetched_by", b"type", b"id"), read_fetched)
