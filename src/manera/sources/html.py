"""Web pages as a tree of elements, however broken they are."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, TreeBuilder

from lxml import etree

from manera.sources.xml import MAX_DEPTH

_CHUNK = 1 << 20


def parse_html(text: str) -> Element:
    """Parse a page or a part of one; the root is ``html``. Tags and attributes are in small letters.

    Python's own parser takes minutes for a page of a few broken tags; libxml2 does not.
    """
    parser = etree.HTMLParser(target=_Tree(), encoding="utf-8")
    parser.feed("<html>")  # where there is nothing, there is no end either
    for start in range(0, len(text), _CHUNK):
        parser.feed(text[start : start + _CHUNK].encode("utf-8", "replace"))
    root: Element = parser.close()
    return root


class _Tree:
    """Build a tree under one root, in which what is deeper than browsers allow goes to the last that is not."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._builder.start("html", {})
        self._depth = 1

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "html":  # again after its end, where more follows
            return
        self._depth += 1
        if self._depth <= MAX_DEPTH:
            self._builder.start(tag, dict(attributes))

    def end(self, tag: str) -> None:
        if tag == "html":
            return
        if self._depth <= MAX_DEPTH:
            self._builder.end(tag)
        self._depth -= 1

    def data(self, text: str) -> None:
        self._builder.data(text)

    def close(self) -> Element:
        self._builder.end("html")
        return self._builder.close()
