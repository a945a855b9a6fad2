"""Instagram and Messenger: what Meta's "Download your information" holds of a chat, in JSON."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from manera.records import Dropped, Mended, Owner, SourceRecord, count_characters
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument
from manera.sources.json_export import as_fields, as_list, as_number, as_text, json_source, seconds_of
from manera.sources.messages import BROKEN_MESSAGE, Talk

MOJIBAKE = "texts whose bytes were taken for letters of Western Europe"
_MEDIA = {
    "photos": "photo without text",
    "videos": "video without text",
    "audio_files": "voice message",
    "gifs": "animation without text",
    "sticker": "sticker",
    "files": "file without text",
    "share": "shared post",
    "call_duration": "call",
}
# What Meta writes in place of words, in the language of the account.
_NOTES = (
    (
        re.compile(
            r"(?:.{1,80} )?(?:sent an attachment|отправил(?:а|\(-?а\))? вложение|hat einen Anhang gesendet)\."
            r"|Вы отправили вложение\.|Du hast einen Anhang gesendet\."
        ),
        "shared post",
    ),
    (
        re.compile(
            r"(?:.{1,80} )?(?:[Rr]eacted .{1,20} to your message|[Ll]iked a message)\.? ?"
            r"|(?:.{1,80} )?(?:[Пп]онравилось (?:ваше )?сообщение"
            r"|.{0,40}[Оо]треагировал\S* .{1,30} на (?:ваше )?сообщение)\.? ?"
            r"|(?:.{1,80} )?(?:hat mit .{1,20} auf deine Nachricht reagiert|[Gg]efällt (?:d|)eine Nachricht)\.? ?"
        ),
        "reaction",
    ),
    (
        re.compile(
            r"You missed a (?:video )?call (?:from|with) .{1,80}|.{1,80} missed your (?:video )?call\."
            r"|.{1,80} started an? (?:audio|video) (?:call|chat)|(?:The )?(?:Audio|Video|video) (?:call|chat) ended\.?"
            r"|Вы пропустили (?:видео|аудио)?звонок .{1,80}|.{1,80} пропустил\S* ваш (?:видео|аудио)?звонок\."
            r"|.{1,80} начал\S* (?:видео|аудио)(?:звонок|чат)|(?:Видео|Аудио)(?:звонок|чат) завершен\.?"
            r"|Du hast einen (?:Video)?[Aa]nruf von .{1,80} verpasst\.?"
            r"|.{1,80} hat deinen (?:Video)?[Aa]nruf verpasst\."
        ),
        "call",
    ),
    (
        re.compile(
            r".{1,80} (?:named the group .{1,200}|changed the (?:chat theme|theme|group photo|group name).{0,80}"
            r"|set (?:the|your|his|her|their|own) (?:own )?(?:nickname|emoji).{0,120}"
            r"|(?:added|removed) .{1,80} (?:to|from)"
            r" the group|left the group|created (?:the group|a poll).{0,200}|unsent a message|voted for .{1,80})\.?"
            r"|You are now connected on Messenger\.?|Say hi to your new .{1,30} friend, .{1,80}"
            r"|.{1,80} (?:изменил\S* (?:тему|название|фото|цвет).{0,120}|назвал\S* группу .{1,120}"
            r"|покинул\S* (?:группу|чат)|добавил\S* .{1,80} в (?:группу|чат))\.?"
        ),
        "service message",
    ),
)
_YOURS = re.compile(r"(?:You|Вы|Du) ")


def read(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one record per message of one chat, from the oldest; a file lists the newest first.

    Letters of UTF-8 that Meta wrote one byte at a time are put together again. The chat of two is named after the
    one whose account it is not.
    """
    chat = as_fields(document.value())
    mended: Counter[str] = Counter()
    talk = _talk(file, chat, mended)
    senders: dict[str, None] = {}
    owner: str | None = None
    messages = [as_fields(message) for message in as_list(chat.get("messages"))][::-1]
    for message in sorted(messages, key=lambda message: _moment(message) or 0):
        sender = _whole(message.get("sender_name") or message.get("senderName"), mended)
        text = _whole(message.get("content") or message.get("text"), mended)
        if not sender:
            yield Dropped(BROKEN_MESSAGE, file.source, count_characters(text))
            continue
        reason = _reason(message, text)
        senders[sender] = None
        owner = sender if reason and reason != "call" and _YOURS.match(text) else owner
        moment = _moment(message)
        yield from talk.record(sender, sender, text, seconds_of(moment, 1000), reason=reason, number=moment)
    if owner := owner or _other(senders, talk.thread):
        yield Owner(owner, is_certain=False)
    yield from (Mended(what, file.source, count) for what, count in mended.items())


def _talk(file: SourceFile, chat: dict[str, Any], mended: Counter[str]) -> Talk:
    """A chat's folder has its number; the title of a group may change."""
    title = _whole(chat.get("title"), mended) or as_text(chat.get("threadName")).rpartition("_")[0]
    place = as_text(chat.get("thread_path")).rpartition("/")[2] or as_text(chat.get("threadName"))
    name = title or file.folder
    return Talk(file.source, name, f"meta:{place}" if place else None)


def _reason(message: dict[str, Any], text: str) -> str | None:
    if message.get("is_unsent") is True or message.get("isUnsent") is True:
        return "deleted message"
    if message.get("type") in ("Call", "Subscribe", "Unsubscribe", "placeholder"):
        return "service message"
    for pattern, reason in _NOTES:
        if pattern.fullmatch(text):
            return reason
    if text.strip():
        return None
    if message.get("media"):
        return "media without text"
    return next((reason for field, reason in _MEDIA.items() if message.get(field)), None)


def _moment(message: dict[str, Any]) -> int | None:
    """Milliseconds, which number the messages of a chat as well."""
    return as_number(message.get("timestamp_ms", message.get("timestamp")))


def _whole(value: object, mended: Counter[str]) -> str:
    text = as_text(value)
    if text.isascii():
        return text
    try:
        whole = text.encode("latin-1").decode()
    except UnicodeError:
        return text
    mended[MOJIBAKE] += 1
    return whole


def _other(senders: dict[str, None], title: str) -> str | None:
    others = [sender for sender in senders if sender != title]
    return others[0] if len(senders) == 2 and len(others) == 1 else None


SOURCE = json_source(
    "Messenger or Instagram export", (b"messages", b"sender_name", b"timestamp_ms"), read, "Instagram's and Messenger's"
)
ENCRYPTED = json_source("Messenger export", (b"messages", b"senderName", b"threadName"), read)
