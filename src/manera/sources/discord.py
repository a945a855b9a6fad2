"""Discord: a channel as DiscordChatExporter writes it, or one's own messages from the data package."""

from collections.abc import Iterator
from typing import Any

from manera.records import Dropped, Owner, SourceRecord, count_characters
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument
from manera.sources.json_export import as_fields, as_list, as_number, as_text, json_source, seconds_of_date
from manera.sources.markup import own_text
from manera.sources.media import media_without_text
from manera.sources.messages import BROKEN_MESSAGE, Talk

_WRITTEN = frozenset({"Default", "Reply"})
_COMMANDS = frozenset({"ChatInputCommand", "ContextMenuCommand", "20", "23"})
_DIRECT = "DirectTextChat"


def read(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one record per message of a channel; replies name what they answer.

    In a direct chat the channel is named after the other one, so the owner is who that is not.
    """
    header: dict[str, Any] = {}
    speakers: dict[str, str] = {}
    for key in document.members():
        if key == "messages" and document.peek() == "[":
            yield from _messages(_talk(file, header), document, speakers)
        else:
            header[key] = document.value()
    channel = as_fields(header.get("channel"))
    others = [speaker_id for speaker_id, name in speakers.items() if name != as_text(channel.get("name"))]
    if channel.get("type") == _DIRECT and len(speakers) == 2 and len(others) == 1:
        yield Owner(others[0], is_certain=False)


def _talk(file: SourceFile, header: dict[str, Any]) -> Talk:
    guild, channel = as_fields(header.get("guild")), as_fields(header.get("channel"))
    name = as_text(channel.get("name")) or file.work
    is_direct = as_text(channel.get("type")).startswith("Direct")
    number = as_number(channel.get("id"))
    return Talk(
        file.source,
        name if is_direct else " / ".join(filter(None, (as_text(guild.get("name")), name))),
        None if number is None else f"discord{number}",
    )


def _messages(talk: Talk, document: JsonDocument, speakers: dict[str, str]) -> Iterator[SourceRecord]:
    for value in document.values():
        message = as_fields(value)
        author = as_fields(message.get("author"))
        content = message.get("content")
        if not isinstance(content, str) or not author:
            yield Dropped(BROKEN_MESSAGE, talk.source, count_characters(as_text(content)))
            continue
        name = as_text(author.get("nickname")) or as_text(author.get("name")) or as_text(author.get("id"))
        speaker_id = f"discord{author.get('id', name)}"
        reason = _reason(message, author)
        if reason is None:
            speakers[speaker_id] = as_text(author.get("name"))
        words, cut = own_text(content)
        yield from talk.record(
            speaker_id,
            name,
            words,
            seconds_of_date(message.get("timestamp")),
            reason=reason,
            cut=cut,
            number=as_number(message.get("id")),
            reply_to=as_number(as_fields(message.get("reference")).get("messageId")),
        )


def _reason(message: dict[str, Any], author: dict[str, Any]) -> str | None:
    kind = as_text(message.get("type"))
    if kind in _COMMANDS or message.get("interaction"):
        return "bot command"
    if author.get("isBot") is True:
        return "written by a bot"
    if kind not in _WRITTEN:
        return "service message"
    if message.get("forwardedMessage") or as_fields(message.get("reference")).get("type") == "Forward":
        return "forward"
    if as_text(message.get("content")).strip():
        return None
    return _wordless(message)


def _wordless(message: dict[str, Any]) -> str | None:
    if as_list(message.get("stickers")):
        return "sticker"
    if attachments := as_list(message.get("attachments")):
        return media_without_text(as_text(as_fields(attachments[0]).get("fileName")))
    return "link preview without text" if as_list(message.get("embeds")) else None


def read_package(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one's own messages of one channel; the package holds nobody else's."""
    talk = Talk(file.source, file.folder, kind="post")
    owner = f"discord:{file.collection}"
    for value in document.values():
        message = as_fields(value)
        content = message.get("Contents")
        if not isinstance(content, str):
            yield Dropped(BROKEN_MESSAGE, talk.source)
            continue
        words, cut = own_text(content)
        reason = None
        if not content.strip() and (attached := as_text(message.get("Attachments"))):
            reason = media_without_text(attached.split()[0])
        number = as_number(message.get("ID"))
        sent_at = seconds_of_date(message.get("Timestamp"))
        yield from talk.record(owner, file.collection, words, sent_at, reason=reason, cut=cut, number=number)
    yield Owner(owner, is_certain=True)


SOURCE = json_source(
    "Discord export", (b"guild", b"channel", b"messages"), read, "Discord's JSON, by DiscordChatExporter"
)
PACKAGE = json_source("Discord data package", (b"ID", b"Timestamp", b"Contents"), read_package)
