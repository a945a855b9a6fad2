"""Feeds of blogs: RSS and Atom, of which every entry is a post."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from manera.records import Dropped, SourceRecord, Utterance, count_characters
from manera.sources.blocks import page_blocks, post_text
from manera.sources.files import SourceFile
from manera.sources.front_matter import unix_seconds
from manera.sources.html import parse_html
from manera.sources.source import document_source
from manera.sources.xml import parse_xml_file, text_of

_FEED = re.compile(r"\s*(?:<[?!][^>]*>\s*)*<(?:rss|feed|rdf:RDF)\b")
_TEXTS = ("encoded", "content", "description", "summary")
_DATES = ("pubDate", "published", "date", "updated")
_CUT_SHORT = re.compile(
    r"(?:\[(?:…|\.\.\.|&#8230;)\]|(?:…|\.\.\.)\s*(?:read more|читать (?:дальше|далее))\W*)\s*$", re.IGNORECASE
)


class _Entry(NamedTuple):
    """One post of a feed; key is the same in every copy of it."""

    author: str
    title: str
    html: str
    key: str
    sent_at: int | None


def claims(file: SourceFile, head: str) -> bool:
    """Tell a feed by its root element."""
    return _FEED.match(head) is not None


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the posts, the oldest first, by whom each names, else by the feed.

    An entry that ends in "…" or "read more" is a summary of a post, and dropped as that.
    """
    feed, mended = parse_xml_file(file, text)
    yield from mended
    channel = feed.find("channel") if feed.tag == "rss" else feed
    name = _first(channel, ("title",)) if channel is not None else ""
    entries = [_entry(item, name or file.collection) for item in feed.iter() if item.tag in ("item", "entry")]
    for entry in sorted(entries, key=lambda entry: entry.sent_at or 0):
        yield from _post(entry, file)


def _post(entry: _Entry, file: SourceFile) -> Iterator[SourceRecord]:
    words, cuts = post_text(file, page_blocks(parse_html(entry.html), file.settings.keep_code))
    if not words or _CUT_SHORT.search(words):
        reason = "summary of a post" if words else "post without text"
        yield Dropped(reason, file.source, count_characters(words) + sum(cut.characters for cut in cuts))
        return
    yield from cuts
    thread = f"{file.work} / {entry.title or entry.key}"
    yield Utterance(
        entry.author,
        entry.author,
        words,
        thread,
        0,
        "post",
        file.source,
        sent_at=entry.sent_at,
        title=entry.title or None,
        thread_id=entry.key or None,
    )


def _entry(item: Element, feed: str) -> _Entry:
    author = item.find("author")
    named = (author.findtext("name") or text_of(author)) if author is not None else ""
    author_name = " ".join((_first(item, ("creator",)) or named).split()) or feed
    link = item.find("link")
    key = _first(item, ("guid", "id")) or (link.get("href") or text_of(link).strip() if link is not None else "")
    return _Entry(author_name, " ".join(_first(item, ("title",)).split()), _html(item), key, _sent_at(item))


def _html(item: Element) -> str:
    """Return an entry's longest form; XHTML in Atom is elements, not text."""
    found = next((item.find(tag) for tag in _TEXTS if item.findtext(tag) is not None), None)
    if found is None:
        return ""
    return text_of(found) if not len(found) else _as_html(found)


def _as_html(element: Element) -> str:
    from xml.etree.ElementTree import tostring

    return tostring(element, encoding="unicode", method="html")


def _first(item: Element, tags: tuple[str, ...]) -> str:
    return next((text.strip() for tag in tags if (text := item.findtext(tag))), "")


def _sent_at(item: Element) -> int | None:
    date = _first(item, _DATES)
    if (seconds := unix_seconds(date)) is not None:
        return seconds
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


SOURCE = document_source("feed", claims, read, "RSS and Atom")
