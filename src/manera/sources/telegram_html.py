"""Telegram Desktop's export for people to read: web pages of a thousand messages."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from manera.records import Dropped, Owner, SourceRecord, count_characters
from manera.sources.beside import near
from manera.sources.files import SourceFile
from manera.sources.finding import TELEGRAM_RESULT
from manera.sources.foreign import Foreign
from manera.sources.html import parse_html
from manera.sources.html_text import first_of_class, has_class, of_class, plain_text, said_text
from manera.sources.json_export import seconds_of_date
from manera.sources.markup import CODE, QUOTATION
from manera.sources.messages import BROKEN_MESSAGE, Talk
from manera.sources.source import Source

_PAGE, _HISTORY = b'class="page_wrap', b'class="history'
_FOREIGN = {"blockquote": QUOTATION, "pre": CODE}
# The class of what a message holds says what it is; "media_photo" is one that was not exported.
_MEDIA = {
    "media_voice_message": "voice message",
    "media_video_message": "video message",
    "media_audio_file": "audio without text",
    "photo_wrap": "photo without text",
    "media_photo": "photo without text",
    "sticker_wrap": "sticker",
    "animated_wrap": "animation without text",
    "video_file_wrap": "video without text",
    "media_video": "video without text",
    "media_poll": "poll",
    "media_location": "location",
    "media_live_location": "location",
    "media_venue": "location",
    "location_wrap": "location",
    "media_contact": "contact",
    "media_call": "call",
    "media_game": "game",
    "media_invoice": "invoice",
    "media_file": "file without text",
}
_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d)(?: (?:UTC)?([+-]\d\d:\d\d)?)?")
_VIA = re.compile(r"\s+via @\w+$")
_NUMBER = re.compile(r"message(\d{1,18})\w?")
_ANSWERED = re.compile(r"#go_to_message(\d{1,18})")


class _Message(NamedTuple):
    """One message of a page: sender is None where the page does not say who wrote it."""

    element: Element
    sender: str | None


def claims(file: SourceFile) -> bool | Foreign:
    """Tell the pages with messages from the others of an export, and from what result.json holds as well."""
    if file.root is not None and file.suffix not in (".html", ".htm"):
        return False
    if _PAGE not in file.head:
        return False
    if _HISTORY not in file.head:
        return Foreign("page of a Telegram export without messages")
    return Foreign("messages of result.json beside it, as a page") if near(file, TELEGRAM_RESULT) else True


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per message of a page.

    A chat is known by its title only. Where nobody but the title wrote, it is a channel; a talk of two has the other's
    name, so the owner is who that is not.
    """
    page = parse_html(file.decoded.text if file.decoded else "")
    title = plain_text(first_of_class(first_of_class(page, "page_header") or page, "text", "bold")) or file.folder
    messages = list(_messages(page))
    senders = {message.sender for message in messages if message.sender}
    talk = Talk(file.source, title, f"telegram:{title}", "post" if senders == {title} else "message")
    for message in messages:
        yield from _record(talk, message)
    owners = senders if senders == {title} else senders - {title}
    if len(owners) == 1 and len(senders) <= 2:
        yield from (Owner(owner, is_certain=False) for owner in owners)


def _messages(page: Element) -> Iterator[_Message]:
    """Yield the messages of a page; one that is joined to the last has the same sender."""
    sender: str | None = None
    for element in of_class(page, "message"):
        if has_class(element, "default"):
            body = _body(element)
            name = next((inner for inner in body if has_class(inner, "from_name")), None)
            sender = plain_text(name) if name is not None else sender if has_class(element, "joined") else None
        yield _Message(element, _VIA.sub("", sender) if sender else None)


def _body(message: Element) -> Element:
    return next((inner for inner in message if has_class(inner, "body")), message)


def _record(talk: Talk, message: _Message) -> Iterator[SourceRecord]:
    if not has_class(message.element, "default"):
        is_date = (message.element.get("id") or "").startswith("message-")
        yield Dropped(
            "date between messages" if is_date else "service message",
            talk.source,
            count_characters(plain_text(message.element)),
        )
        return
    body = _body(message.element)
    texts = [said_text(inner, _FOREIGN) for inner in of_class(body, "text") if not has_class(inner, "bold")]
    text = "\n".join(text for text, _ in texts if text)
    cut = [piece for _, pieces in texts for piece in pieces]
    if message.sender is None:
        yield Dropped(BROKEN_MESSAGE, talk.source, count_characters(text))
        return
    answered = _ANSWERED.search(_link(first_of_class(body, "reply_to")))
    number = _NUMBER.fullmatch(message.element.get("id") or "")
    yield from talk.record(
        message.sender,
        message.sender,
        text,
        _sent_at(first_of_class(body, "date", "pull_right")),
        reason=_reason(body, text, bool(cut)),
        cut=cut,
        number=int(number[1]) if number else None,
        reply_to=int(answered[1]) if answered else None,
    )


def _reason(body: Element, text: str, is_cut: bool) -> str | None:
    if first_of_class(body, "forwarded") is not None:
        return "forward"
    name = next((inner for inner in body if has_class(inner, "from_name")), None)
    if _VIA.search(plain_text(name)):
        return "via bot"
    if text or is_cut:
        return None
    classes = {name for inner in body.iter() for name in (inner.get("class") or "").split()}
    return next((reason for kind, reason in _MEDIA.items() if kind in classes), None)


def _link(element: Element | None) -> str:
    anchor = element.find(".//a") if element is not None else None
    return (anchor.get("href") or "") if anchor is not None else ""


def _sent_at(element: Element | None) -> int | None:
    found = _DATE.fullmatch((element.get("title") or "").strip()) if element is not None else None
    if found is None:
        return None
    day, month, year, time, zone = found.groups()
    return seconds_of_date(f"{year}-{month}-{day}T{time}{zone or ''}")


SOURCE = Source("Telegram export in HTML", claims, read)
