"""Signal: its own plaintext export, and what the program signal-export writes."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from manera.records import Cut, Dropped, Mended, Owner, SourceRecord, count_characters
from manera.sources.beside import near
from manera.sources.chat_lines import DAY, TIME, messages
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign, is_chat
from manera.sources.json_document import JsonDocument
from manera.sources.json_export import (
    as_fields,
    as_list,
    as_number,
    as_text,
    json_source,
    seconds_of,
    seconds_of_date,
)
from manera.sources.media import media_without_text
from manera.sources.messages import BROKEN_MESSAGE, Talk
from manera.sources.source import Source
from manera.sources.text_lines import head_lines

OWNER, _ME = "signal:owner", "Me"
_REASONS = {
    "stickerMessage": "sticker",
    "contactMessage": "contact",
    "viewOnceMessage": "media without text",
    "remoteDeletedMessage": "deleted message",
    "adminDeletedMessage": "deleted message",
    "poll": "poll",
}

_OF_TYPE = {"image": "photo without text", "video": "video without text", "audio": "audio without text"}


@dataclass
class _Account:
    """Who and which chats an export told of so far: a line says it before it is needed."""

    source: str
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    chats: dict[str, Talk] = field(default_factory=dict)
    owner: str = _ME

    def add_person(self, recipient: dict[str, Any]) -> None:
        """Remember what a recipient is called, and of a person what tells them from others in every export."""
        number = as_text(recipient.get("id"))
        contact = as_fields(recipient.get("contact"))
        title = as_fields(as_fields(as_fields(recipient.get("group")).get("snapshot")).get("title"))
        if "self" in recipient:
            self.people[number] = OWNER, self.owner
        elif contact:
            known_by = as_text(contact.get("aci")) or as_text(contact.get("e164")) or number
            self.people[number] = f"signal:{known_by}", _name(contact) or known_by
        else:
            self.groups[number] = as_text(title.get("title")) or f"group {number}"

    def add_chat(self, chat: dict[str, Any]) -> None:
        """Remember whom a chat is with; what numbers a group is a secret of it."""
        number, recipient = as_text(chat.get("id")), as_text(chat.get("recipientId"))
        thread_id, name = self.people.get(recipient, (None, self.groups.get(recipient, f"chat {number}")))
        self.chats[number] = Talk(self.source, name, thread_id)


def read(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one record per message of all chats of an account, a line each; its time is its number."""
    account = _Account(file.source)
    while document.peek():
        line = as_fields(document.value())
        if "account" in line:
            account.owner = _name(as_fields(line["account"])) or _ME
        elif "recipient" in line:
            account.add_person(as_fields(line["recipient"]))
        elif "chat" in line:
            account.add_chat(as_fields(line["chat"]))
        elif "chatItem" in line:
            yield from _item(account, as_fields(line["chatItem"]))
    yield Owner(OWNER, is_certain=True)


def _item(account: _Account, item: dict[str, Any]) -> Iterator[SourceRecord]:
    chat = as_text(item.get("chatId"))
    talk = account.chats.setdefault(chat, Talk(account.source, f"chat {chat}"))
    author = account.people.get(as_text(item.get("authorId")))
    reply = as_fields(as_fields(item.get("directStoryReplyMessage")).get("textReply"))
    message = as_fields(item.get("standardMessage")) or reply
    text = as_text(as_fields(message.get("text")).get("body"))
    reason = _reason(item, message, text)
    if author is None and reason is None:
        reason = BROKEN_MESSAGE
    moment = as_number(item.get("dateSent"))
    yield from talk.record(
        *(author or (_ME, _ME)),
        text,
        seconds_of(moment, 1000),
        reason=reason,
        number=moment,
        reply_to=as_number(as_fields(message.get("quote")).get("targetSentTimestamp")),
    )


def _reason(item: dict[str, Any], message: dict[str, Any], text: str) -> str | None:
    if found := next((reason for kind, reason in _REASONS.items() if kind in item), None):
        return found
    if not message:
        return "service message"
    attachments = as_list(message.get("attachments"))
    if text.strip() or not attachments:
        return None
    pointer = as_fields(as_fields(attachments[0]).get("pointer"))
    if as_fields(attachments[0]).get("flag") == "VOICE_MESSAGE":
        return "voice message"
    kind, _, suffix = as_text(pointer.get("contentType")).partition("/")
    return _OF_TYPE.get(kind) or media_without_text(as_text(pointer.get("fileName")) or f".{suffix}")


def _name(person: dict[str, Any]) -> str:
    """Return the name that the owner knows somebody by."""
    nickname = as_fields(person.get("nickname"))
    names = (
        (nickname.get("given"), nickname.get("family")),
        (person.get("systemGivenName"), person.get("systemFamilyName")),
        (person.get("profileGivenName"), person.get("profileFamilyName")),
        (person.get("givenName"), person.get("familyName")),
    )
    return next(filter(None, (" ".join(filter(None, map(as_text, parts))) for parts in names)), "")


def read_lines(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one record per message of one chat, as signal-export writes it beside its Markdown."""
    talk = Talk(file.source, file.folder)
    while document.peek():
        message = as_fields(document.value())
        sender, text = as_text(message.get("sender")), message.get("body")
        if not sender or not isinstance(text, str):
            yield Dropped(BROKEN_MESSAGE, file.source, count_characters(as_text(text)))
            continue
        attachments = as_list(message.get("attachments"))
        reason = None
        if message.get("deleted") is True:
            reason = "deleted message"
        elif message.get("call") is True:
            reason = "call"
        elif not text.strip() and message.get("sticker"):
            reason = "sticker"
        elif not text.strip() and attachments:
            reason = media_without_text(as_text(as_fields(attachments[0]).get("path")))
        yield from talk.record(sender, sender, text, seconds_of_date(message.get("date")), reason=reason)
    yield Owner(_ME, is_certain=True)


# Of WhatsApp's headings it differs by the comma, which is there where seconds are not.
_HEADING = re.compile(
    rf"\[(?=\d{{4}}-){DAY}(?:, (?=\d\d:\d\d\])| (?=\d\d:\d\d:\d\d\])){TIME}\] (?P<sender>[^:\n]{{1,60}}):(?: |$)"
)
_AROUND = (
    (re.compile(r"\n?\(- [^\n]* -\)(?=\n|\Z)"), "reaction"),
    (re.compile(r"\n?\(\( [^\n]* \)\)(?=\n|\Z)"), "sticker"),
    (re.compile(r"!?\[[^\]\n]*\]\((?:\.{1,2}/|media/)[^)\n]*\)[ ]*"), "attachment"),
    (re.compile(r"^\n?(?:>[^\n]*(?:\n|\Z))+"), "quotation"),
)
_DELETED = "(This message was deleted)"


def claims_markdown(file: SourceFile) -> bool | Foreign:
    """Tell a chat in Markdown by its headings; the same in JSON beside it is read instead."""
    if not (file.may_be_text and is_chat(head_lines(file), _HEADING)):
        return False
    return Foreign("the chat of data.json beside it, in Markdown") if near(file, "data.json") else True


def read_markdown(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per message of one chat; reactions, stickers, quotations and attachments are cut out."""
    talk = Talk(file.source, file.folder if file.root else file.work)
    mended: Counter[str] = Counter()
    around = 0
    for message in messages(file, _HEADING, mended):
        if message.sent_at is None:
            yield Dropped("text before the first message", file.source, count_characters(message.text))
            continue
        text, cut = message.text, []
        for pattern, what in _AROUND:
            if found := [match[0] for match in pattern.finditer(text)]:
                cut.append((what, "".join(found)))
                text = pattern.sub("", text)
        around += message.heading
        reason = "deleted message" if text.strip() == _DELETED else None
        sender = message.sender or ""
        yield from talk.record(sender, sender, text.strip("\n"), message.sent_at, reason=reason, cut=cut)
    yield Cut("dates, names and marks", file.source, around)
    yield Owner(_ME, is_certain=True)
    yield from (Mended(what, file.source, count) for what, count in mended.items() if count)


EXPORT = json_source("Signal export", (b"backupTimeMs",), read, "Signal's JSON lines")
LINES = json_source("Signal chat", (b"date", b"sender", b"body", b"quote", b"reactions"), read_lines)
MARKDOWN = Source("Signal chat in Markdown", claims_markdown, read_markdown)
