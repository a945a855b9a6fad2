"""Documents of Word (DOCX): what stands there once its tracked changes are taken."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from manera.records import Dropped, SourceRecord, count_characters
from manera.sources.archives import Archive
from manera.sources.blocks import HEADING, TABLE, Block, prose_records
from manera.sources.decoding import decode
from manera.sources.files import SourceFile
from manera.sources.source import Source
from manera.sources.xml import parse_xml, text_of

_DOCUMENT, _STYLES = "word/document.xml", "word/styles.xml"
_BESIDE = {"word/footnotes.xml": "note", "word/endnotes.xml": "note", "word/comments.xml": "comment"}
_SPACES = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "\u2011"}
# A drawing is told twice, for new and for old programs; what was deleted stays in the file.
_PASSED_OVER = frozenset(["Fallback", "del", "moveFrom", "pPr", "rPr", "sectPr", "instrText"])
_HEADINGS = ("heading", "title", "subtitle", "заголовок", "название")


def claims(file: SourceFile) -> bool:
    """Tell a document by its main part."""
    return bool(file.may_be_document and file.parts and _DOCUMENT in file.parts)


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the paragraphs; headings, contents, tables, notes and comments are dropped by name."""
    with file.unpacked() as archive:
        parts = file.parts or frozenset()
        headings = _styles(_part(archive, _STYLES, file)) if _STYLES in parts else {}
        body = _part(archive, _DOCUMENT, file).find("body")
        blocks = _blocks(body, headings, None) if body is not None else iter(())
        yield from prose_records(file, file.author, blocks)
        for name, reason in _BESIDE.items():
            if name in parts:
                for note in _part(archive, name, file):
                    if characters := count_characters(_text(note)):
                        yield Dropped(reason, file.source, characters)


def _part(archive: Archive, name: str, file: SourceFile) -> Element:
    with archive.open(name) as content:
        decoded = decode(content.read())
    return parse_xml(decoded.text if decoded else "", f"{name} in {file.path}")


def _styles(styles: Element) -> dict[str, str]:
    """Return the styles of what is no prose, with the reason; their ids are in the language of the program."""
    reasons = {}
    for style in styles.iter("style"):
        named = style.find("name")
        name = (named.get("val", "") if named is not None else "").casefold()
        if name.startswith(_HEADINGS):
            reasons[style.get("styleId", "")] = HEADING
        elif name.startswith("toc "):
            reasons[style.get("styleId", "")] = "contents"
    return reasons


def _blocks(element: Element, styles: dict[str, str], reason: str | None) -> Iterator[Block]:
    for part in element:
        if part.tag == "p":
            style = part.find("pPr/pStyle")
            because = reason or (styles.get(style.get("val", "")) if style is not None else None)
            yield Block(_text(part).strip(), because)
        elif part.tag not in _PASSED_OVER:
            yield from _blocks(part, styles, TABLE if part.tag == "tbl" else reason)


def _text(element: Element) -> str:
    if element.tag == "t":
        return text_of(element)
    return _SPACES.get(element.tag, "") + "".join(_text(part) for part in element if part.tag not in _PASSED_OVER)


SOURCE = Source("DOCX document", claims, read, "DOCX")
