"""What a piece of a web page says, with the line breaks that people see."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from xml.etree.ElementTree import Element

_BLOCKS = frozenset(["p", "div", "li", "tr", "ul", "ol", "table", *(f"h{depth}" for depth in range(1, 7)), "section"])
_BREAK = Element("br")
_SPACES = re.compile(r"\s+")
_AROUND_BREAKS = re.compile(r"[ \t]*\n[ \t]*")
_BLANK_LINES = re.compile(r"\n{3,}")


def has_class(element: Element, *names: str) -> bool:
    """Tell whether an element is of all these classes."""
    return set(names) <= set((element.get("class") or "").split())


def of_class(element: Element, *names: str) -> Iterator[Element]:
    """Yield what is inside an element and of all these classes, in order."""
    return (inner for inner in element.iter() if inner is not element and has_class(inner, *names))


def first_of_class(element: Element, *names: str) -> Element | None:
    """Return the first that ``of_class`` yields."""
    return next(of_class(element, *names), None)


def plain_text(element: Element | None) -> str:
    """Return all that an element says in one line."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def said_text(element: Element, foreign: Mapping[str, str], is_page: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """Return what an element says, a line break for each ``<br>``, and what is not its author's, by reason.

    foreign: the tags of what is left out, with the reason. is_page: whether lines end with blocks, and white space is
    only what parts words, as browsers have it.
    """
    cut: list[tuple[str, str]] = []
    text = "".join(_pieces(element, foreign, cut, is_page))
    if is_page:
        text = _BLANK_LINES.sub("\n\n", _AROUND_BREAKS.sub("\n", text))
    return text.strip(), cut


def _pieces(element: Element, foreign: Mapping[str, str], cut: list[tuple[str, str]], is_page: bool) -> Iterator[str]:
    waiting: list[Iterator[Element | str]] = [_content(element)]
    while waiting:
        piece = next(waiting[-1], None)
        if piece is None:
            waiting.pop()
        elif isinstance(piece, str):
            yield _SPACES.sub(" ", piece) if is_page else piece
        elif piece.tag == "br":
            yield "\n"
        elif reason := foreign.get(piece.tag):
            cut.append((reason, "".join(piece.itertext())))
        elif is_page and piece.tag in _BLOCKS:
            waiting.append(chain([_BREAK], _content(piece), [_BREAK] * (2 if piece.tag == "p" else 1)))
        else:
            waiting.append(_content(piece))


def _content(element: Element) -> Iterator[Element | str]:
    if element.text:
        yield element.text
    for inner in element:
        yield inner
        if inner.tail:
            yield inner.tail


def in_order(elements: Iterable[Element]) -> list[Element]:
    """Return what a page lists from the newest on, from the oldest on."""
    return list(elements)[::-1]
