"""Web pages: an article is a post, anything else a text of paragraphs."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from manera.records import Dropped, SourceRecord, Utterance, count_characters
from manera.sources.blocks import FRAME, page_blocks, post_text, prose_records
from manera.sources.files import SourceFile
from manera.sources.front_matter import unix_seconds
from manera.sources.html import parse_html
from manera.sources.source import document_source
from manera.sources.xml import text_of

_PAGE = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_DATES = ("article:published_time", "datePublished", "date", "dc.date", "pubdate")
_TITLES = ("og:title", "twitter:title")


def claims(file: SourceFile, head: str) -> bool:
    """Tell a page by how it begins."""
    return _PAGE.match(head) is not None


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the post by the blog, the folder that the person named; or the paragraphs, where it is no article.

    Of a page with an article only that is read. Dropped by name: what frames it, headings, tables, blocks of code,
    lists of links and notes.
    """
    page = parse_html(text)
    body = page.find("body")
    if body is None:
        return
    article = _article(body)
    read_part = body if article is None else article
    if frame := count_characters(_visible(body)) - count_characters(_visible(read_part)):
        yield Dropped(FRAME, file.source, frame)
    blocks = page_blocks(read_part, file.settings.keep_code)
    date = _dated(page)
    if article is None and date is None:
        yield from prose_records(file, file.author, blocks)
        return
    words, cuts = post_text(file, blocks)
    yield from cuts
    if not words:
        yield Dropped("post without text", file.source)
        return
    author = file.collection
    yield Utterance(
        author, author, words, file.work, 0, "post", file.source, sent_at=date, title=_title(page, read_part)
    )


def _article(body: Element) -> Element | None:
    """Return the only article, or the main part; a page of many articles has none."""
    articles = list(body.iter("article"))
    if len(articles) == 1:
        return articles[0]
    return body.find(".//main") if not articles else None


def _visible(element: Element) -> str:
    """Return what page_blocks tells of."""
    return "".join(block.text for block in page_blocks(element, keep_code=True))


def _meta(page: Element) -> dict[str, str]:
    named = (
        (meta.get("property") or meta.get("name") or meta.get("itemprop") or "", meta) for meta in page.iter("meta")
    )
    return {name: meta.get("content", "") for name, meta in named if name}


def _dated(page: Element) -> int | None:
    meta = _meta(page)
    times = (time.get("datetime", "") for time in page.iter("time"))
    found = (unix_seconds(date) for date in (*(meta.get(name, "") for name in _DATES), *times))
    return next((date for date in found if date is not None), None)


def _title(page: Element, part: Element) -> str | None:
    meta = _meta(page)
    heading = part.find(".//h1")
    titles = (text_of(heading) if heading is not None else "", *map(meta.get, _TITLES), page.findtext("head/title"))
    return next((" ".join(title.split()) for title in titles if title and title.strip()), None)


SOURCE = document_source("web page", claims, read, "web pages")
