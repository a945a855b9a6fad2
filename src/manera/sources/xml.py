"""XML from strangers as a tree of elements: no entity is followed, and nothing is nested without end."""

from html.entities import html5
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from manera.errors import SourceError
from manera.records import Mended
from manera.sources.decoding import CUT_SHORT
from manera.sources.files import SourceFile

MAX_DEPTH = 200
_MAX_ELEMENTS = 2_000_000


def parse_xml(text: str, name: str, salvage: bool = False) -> Element:
    """Parse a document whole; tags and attributes lose the prefixes of their namespaces.

    name: what an error calls it. salvage: return what stands before the place where it breaks off. Raises SourceError
    for what is not well-formed, declares entities, or is nested or parted without measure.
    """
    tree = _Tree(name)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.UseForeignDTD(True)  # names like &nbsp; are then passed over, not errors
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    parser.EntityDeclHandler = tree.refuse_entity
    parser.SkippedEntityHandler = tree.named_letter
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        if not (salvage and tree.depth):
            fault = expat.ErrorString(error.code)
            raise SourceError(
                f"{name} is not valid XML at line {error.lineno}, column {error.offset + 1}: {fault}",
                "get it once more: it may have been cut short or edited; or mend that place",
            ) from error
        parser.buffer_text = False  # hands on what it still holds
    except UnicodeEncodeError as error:
        raise SourceError(f"{name} holds halves of characters", "save it as UTF-8") from error
    return tree.close()


def parse_xml_file(file: SourceFile, text: str) -> tuple[Element, list[Mended]]:
    """Parse a file's text; with ``salvage``, of one that breaks off what is whole, and a record of that."""
    try:
        return parse_xml(text, str(file.path)), []
    except SourceError:
        if not file.settings.salvage:
            raise
    return parse_xml(text, str(file.path), salvage=True), [Mended(CUT_SHORT, file.source, 1)]


def text_of(element: Element) -> str:
    """Return all text in an element, in order."""
    return "".join(element.itertext())


class _Tree:
    """Build a tree while its size is watched."""

    def __init__(self, name: str) -> None:
        self.depth = 0
        self._name = name
        self._builder = TreeBuilder()
        self._count = 0
        self._open: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise SourceError(
                f"{self._name} is nested more than {MAX_DEPTH} deep, or has more than {_MAX_ELEMENTS:,} parts",
                "this is no text that a person wrote; leave it out",
            )
        tag = _local(tag)
        self._open.append(tag)
        self.depth = max(self.depth, len(self._open))
        self._builder.start(tag, {_local(key): value for key, value in attributes.items()})

    def end(self, _: str) -> None:
        self._builder.end(self._open.pop())

    def data(self, text: str) -> None:
        self._builder.data(text)

    def named_letter(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self._builder.data(html5.get(f"{name};", "\ufffd"))

    def refuse_entity(self, name: str, *_: Any) -> None:
        raise SourceError(
            f"{self._name} declares an entity, {name}: such files can be made to swallow a computer",
            "save it without the <!ENTITY ...> lines at its top",
        )

    def close(self) -> Element:
        while self._open:
            self._builder.end(self._open.pop())
        return self._builder.close()


def _local(name: str) -> str:
    return name.rpartition(":")[2]
