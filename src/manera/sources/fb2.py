"""Books in FB2, which says of each part what it is."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from manera.records import Dropped, SourceRecord, count_characters
from manera.sources.blocks import CODE, FOOTNOTE_MARK, HEADING, NOTE, TABLE, Block, prose_records
from manera.sources.files import SourceFile
from manera.sources.source import document_source
from manera.sources.xml import parse_xml_file, text_of

_DROPPED = {
    "title": HEADING,
    "subtitle": HEADING,
    "epigraph": "epigraph",
    "annotation": "annotation",
    "table": TABLE,
}
_PARAGRAPHS = frozenset(["p", "text-author", "date"])
_VERSES = "stanza"
_NAMES = ("first-name", "middle-name", "last-name")


def claims(file: SourceFile, head: str) -> bool:
    """Tell a book by its root element."""
    return "<FictionBook" in head


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the paragraphs of the book, by the author whom it names.

    A stanza is one paragraph. Dropped by name: titles, epigraphs, the annotation, tables, and the bodies of notes.
    """
    book, mended = parse_xml_file(file, text)
    yield from mended
    about = book.find("description/title-info")
    description = book.find("description")
    if description is not None:
        yield Dropped("description of the book", file.source, count_characters(text_of(description)))
    author = _author(about) if about is not None else None
    title = about.findtext("book-title", "").strip() if about is not None else ""
    bodies = (block for body in book.findall("body") for block in _blocks(body, _reason_of_body(body)))
    yield from prose_records(file, author or file.author, bodies, title or None)


def _author(about: Element) -> str | None:
    author = about.find("author")
    if author is None:
        return None
    names = [" ".join(author.findtext(part, "").split()) for part in _NAMES]
    return " ".join(filter(None, names)) or " ".join(author.findtext("nickname", "").split()) or None


def _reason_of_body(body: Element) -> str | None:
    return NOTE if body.get("name") in ("notes", "comments", "footnotes") else None


def _blocks(element: Element, reason: str | None) -> Iterator[Block]:
    for part in element:
        because = reason or _DROPPED.get(part.tag)
        if part.tag == _VERSES:
            yield _joined([verse for verse in part if verse.tag == "v"], because)
        elif part.tag in _PARAGRAPHS or part.tag == "subtitle":
            yield _joined([part], because)
        elif part.tag == "table":
            yield Block(text_of(part).strip(), because)
        else:
            yield from _blocks(part, because)


def _joined(lines: list[Element], reason: str | None) -> Block:
    """Join lines without the marks of notes; a paragraph that is nothing but code is code."""
    marks = sum(count_characters(text_of(link)) for line in lines for link in line.iter("a") if _is_mark(link))
    text = "\n".join(" ".join(_own_text(line).split()) for line in lines)
    if reason is None and len(lines) == 1 and _is_code(lines[0]):
        reason = CODE
    return Block(text, reason or (None if text else FOOTNOTE_MARK), marks)


def _own_text(element: Element) -> str:
    inner = "".join(("" if _is_mark(part) else _own_text(part)) + (part.tail or "") for part in element)
    return (element.text or "") + inner


def _is_mark(element: Element) -> bool:
    return element.tag == "a" and element.get("type") == "note"


def _is_code(paragraph: Element) -> bool:
    return (
        len(paragraph) == 1 and paragraph[0].tag == "code" and not (paragraph.text or paragraph[0].tail or "").strip()
    )


SOURCE = document_source("FB2 book", claims, read, "FB2")
