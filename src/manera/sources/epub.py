"""Books in EPUB: web pages in a zip, in the order that its package names."""

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from manera.errors import SourceError
from manera.records import SourceRecord
from manera.sources.archives import Archive
from manera.sources.blocks import Block, page_blocks, prose_records
from manera.sources.decoding import decode
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign
from manera.sources.html import parse_html
from manera.sources.source import Source
from manera.sources.xml import parse_xml

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_LOCKED = Foreign("EPUB book locked by its shop", "name a copy without protection")
_MAX_PART = 1 << 26


def claims(file: SourceFile) -> bool | Foreign:
    """Tell a book by its container; one whose pages are encrypted cannot be read."""
    if not file.may_be_document or not file.parts or _CONTAINER not in file.parts:
        return False
    return _LOCKED if _ENCRYPTION in file.parts and _is_locked(file) else True


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the paragraphs of the pages in their order, by the author whom the book names."""
    with file.unpacked() as archive:
        place, package = _package(archive, file)
        author = " ".join(package.findtext("metadata/creator", "").split()) or file.author
        title = " ".join(package.findtext("metadata/title", "").split())
        yield from prose_records(file, author, _pages(archive, place, package, file), title or None)


def _pages(archive: Archive, place: str, package: Element, file: SourceFile) -> Iterator[Block]:
    items = {item.get("id"): item for item in package.iterfind("manifest/item")}
    for reference in package.iterfind("spine/itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "html" not in item.get("media-type", "") or "nav" in item.get("properties", "").split():
            continue
        name = posixpath.normpath(posixpath.join(posixpath.dirname(place), unquote(item.get("href", ""))))
        yield from page_blocks(parse_html(_text(archive, name)), file.settings.keep_code)


def _package(archive: Archive, file: SourceFile) -> tuple[str, Element]:
    """Return the place of the package document and its root."""
    container = parse_xml(_text(archive, _CONTAINER), f"{_CONTAINER} in {file.path}")
    root = container.find("rootfiles/rootfile")
    place = root.get("full-path", "") if root is not None else ""
    if not place:
        raise SourceError(f"{file.path} names no package document", "get the book once more")
    return place, parse_xml(_text(archive, place), f"{place} in {file.path}")


def _is_locked(file: SourceFile) -> bool:
    with file.unpacked() as archive:
        encryption = parse_xml(_text(archive, _ENCRYPTION), f"{_ENCRYPTION} in {file.path}")
    return any("html" in (part.get("URI") or "") for part in encryption.iter("CipherReference"))


def _text(archive: Archive, name: str) -> str:
    with archive.open(name) as content:
        decoded = decode(content.read(_MAX_PART))
    return decoded.text if decoded else ""


SOURCE = Source("EPUB book", claims, read, "EPUB")
