"""VK's archive of an account: a folder a chat, web pages of fifty messages."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from manera.records import Dropped, Owner, SourceRecord, count_characters
from manera.sources.dates import midnight, seconds_of_day
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign
from manera.sources.html import parse_html
from manera.sources.html_text import first_of_class, has_class, in_order, of_class, plain_text, said_text
from manera.sources.messages import BROKEN_MESSAGE, Talk
from manera.sources.source import Source

OWNER = "vk:owner"
_MESSAGE, _PAGE = b"message__header", (b'class="ui_crumb', b"vk.com")
_YOU = frozenset({"Вы", "You", "Ви"})
_MONTHS = {
    name: number
    for names in ("янв фев мар апр май июн июл авг сен окт ноя дек", "jan feb mar apr may jun jul aug sep oct nov dec")
    for number, name in enumerate(names.split(), 1)
}
_HEADER = re.compile(
    r"(?P<name>.*?), (?P<day>\d{1,2}) (?P<month>[^\W\d_]{3,9})\.? (?P<year>\d{4}) (?:в|at|о) "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?: (?P<half>[ap])m)?",
    re.IGNORECASE,
)
_PERSON = re.compile(r"vk\.com/(?:id(?P<id>\d+)|(?P<other>[\w.]+))")
_EDITED = re.compile(r"\s*\((?:ред\.|edited)\)\s*$")
# By how VK calls what was attached; an attached message is a forward.
_ATTACHED = (
    (re.compile(r"прикрепл[её]нн|attached message|forwarded", re.IGNORECASE), "forward"),
    (re.compile(r"фото|photo", re.IGNORECASE), "photo without text"),
    (re.compile(r"видео|video", re.IGNORECASE), "video without text"),
    (re.compile(r"голос|voice", re.IGNORECASE), "voice message"),
    (re.compile(r"аудио|audio|плейлист|playlist", re.IGNORECASE), "audio without text"),
    (re.compile(r"стикер|sticker", re.IGNORECASE), "sticker"),
    (re.compile(r"подарок|gift", re.IGNORECASE), "gift"),
    (re.compile(r"стен|wall|истори|story|статья|article|клип|clip", re.IGNORECASE), "shared post"),
    (re.compile(r"ссылк|link", re.IGNORECASE), "nothing but a link"),
    (re.compile(r"карт|map|местоположение|location", re.IGNORECASE), "location"),
    (re.compile(r"опрос|poll", re.IGNORECASE), "poll"),
    (re.compile(r"звонок|call", re.IGNORECASE), "call"),
)


def claims(file: SourceFile) -> bool | Foreign:
    """Tell the pages with messages from the others of an archive."""
    if file.root is not None and file.suffix not in (".html", ".htm"):
        return False
    if _MESSAGE in file.head:
        return True
    return all(mark in file.head for mark in _PAGE) and Foreign("page of a VK archive without messages")


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield one record per message of a page, from the oldest; the owner is who is called «Вы».

    A chat's folder is named after its number. Times have no zone and are taken for UTC.
    """
    page = parse_html(file.decoded.text if file.decoded else "")
    crumbs = [plain_text(crumb) for crumb in of_class(page, "ui_crumb")]
    talk = Talk(file.source, crumbs[-1] if crumbs else file.folder, f"vk{file.folder}")
    for message in in_order(of_class(page, "message")):
        yield from _record(talk, message)
    yield Owner(OWNER, is_certain=True)


def _record(talk: Talk, message: Element) -> Iterator[SourceRecord]:
    header = first_of_class(message, "message__header")
    body = next((inner for inner in message if inner is not header), message)
    kludges = next((inner for inner in body if has_class(inner, "kludges")), None)
    if kludges is not None:
        kludges.tag = "kludges"
    text, cut = said_text(body, {"kludges": "attachment"})
    found = _HEADER.match(_EDITED.sub("", plain_text(header)))
    if header is None or found is None:
        yield Dropped(BROKEN_MESSAGE, talk.source, count_characters(text))
        return
    number = message.get("data-id") or ""
    yield from talk.record(
        *_sender(header, found["name"]),
        text,
        _sent_at(found),
        reason=None if text else _reason(kludges),
        cut=cut,
        number=int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None,
    )


def _sender(header: Element, name: str) -> tuple[str, str]:
    anchor = header.find(".//a")
    if anchor is None and name in _YOU:
        return OWNER, name
    person = _PERSON.search((anchor.get("href") or "") if anchor is not None else "")
    return (f"vk{person['id'] or person['other']}" if person else name), name


def _sent_at(found: re.Match[str]) -> int | None:
    month = _MONTHS.get(found["month"][:3].lower().replace("мая", "май"), 0)
    day = midnight(int(found["year"]), month, int(found["day"]))
    clock = seconds_of_day(int(found["hour"]), int(found["minute"]), int(found["second"]), found["half"])
    return None if day is None or clock is None else day + clock


def _reason(kludges: Element | None) -> str | None:
    if kludges is None:
        return None
    attached = first_of_class(kludges, "attachment__description")
    if attached is None:
        return "service message"
    name = plain_text(attached)
    return next((reason for pattern, reason in _ATTACHED if pattern.search(name)), "file without text")


SOURCE = Source("VK archive", claims, read, "VK's archive")
