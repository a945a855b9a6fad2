"""Documents that tell their parts by structure: paragraphs, headings, notes, code."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.prose import footnote_marks_cut, wordless
from manera.sources.xml import text_of

HEADING, CODE, LINKS, NOTE, FRAME, TABLE = "heading", "code", "list of links", "editor's note", "page frame", "table"
FOOTNOTE_MARK = "footnote mark"

_INVISIBLE = frozenset(["head", "iframe", "math", "noscript", "object", "script", "style", "svg", "template"])
_FRAME = frozenset(["aside", "button", "footer", "form", "nav", "select", "textarea"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS = frozenset(
    [
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "nav"),
        *("ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
        *_HEADINGS,
    ]
)
# What an edition, or the program of a blog, says of a part by its type, role, class or id.
_NAMED = (
    (re.compile(r"\b(?:foot|end|rear)notes?\b|\bdoc-endnotes?\b|\bdoc-footnote\b"), NOTE),
    (re.compile(r"\bpg-boilerplate\b|\bpgheader\b|\bpg-footer\b"), "Project Gutenberg's header"),
    (re.compile(r"\b(?:half)?title-?page\b|\bcolophon\b|\bcopyright(?:-page)?\b|\bimprint\b"), "title page"),
    (re.compile(r"\btoc\b|\bdoc-toc\b"), "contents"),
    (re.compile(r"\bpagebreak\b|\bpagenum\b"), "page number"),
)
_NOTE_REFERENCE = re.compile(r"\bnoteref\b|\bdoc-noteref\b|\bfootnote-(?:ref|anchor)\b")
_MARK = re.compile(r"[\[({]?(?:\d{1,3}|[*†‡]{1,3})[\])}]?")
_LINK_SHARE, _MIN_LINKS = 0.8, 2
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACE_RUN = re.compile(r" {2,}")
_AROUND_BREAK = re.compile(r" ?\n ?")


class Block(NamedTuple):
    """A paragraph. reason: why it is dropped, None where kept. marks: characters of footnote marks that were cut."""

    text: str
    reason: str | None = None
    marks: int = 0


def prose_records(
    file: SourceFile, author: str, blocks: Iterable[Block], work: str | None = None
) -> Iterator[SourceRecord]:
    """Yield the paragraphs of a book, each an utterance or dropped by name; footnote marks are cut."""
    position = 0
    for block in blocks:
        words, marks = footnote_marks_cut(block.text)
        reason = block.reason or (wordless(words) if block.text.strip() else None)
        if reason:
            yield Dropped(reason, file.source, count_characters(block.text) + block.marks)
        elif words:
            if marks + block.marks:
                yield Cut(FOOTNOTE_MARK, file.source, marks + block.marks)
            position += 1
            yield Utterance(author, author, words, work or file.work, position, "prose", file.source)


def post_text(file: SourceFile, blocks: Iterable[Block]) -> tuple[str, list[Cut]]:
    """Return a post's paragraphs, a blank line between them, and what was cut from it."""
    kept, cuts = [], []
    for block in blocks:
        if block.reason is None:
            kept.append(block.text)
        cut = block.marks if block.reason is None else count_characters(block.text) + block.marks
        if cut:
            cuts.append(Cut(block.reason or FOOTNOTE_MARK, file.source, cut))
    return "\n\n".join(filter(None, kept)), cuts


def page_blocks(root: Element, keep_code: bool = False) -> Iterator[Block]:
    """Yield the blocks of a page or of a part of one: paragraphs in order, what is none of them named."""
    page = _Page(keep_code)
    page.walk(root, None)
    yield from page.finished()


class _Page:
    """What was read of a page: whole blocks, and the pieces of the one that is open."""

    def __init__(self, keep_code: bool) -> None:
        self._keep_code = keep_code
        self._blocks: list[Block] = []
        self._pieces: list[str] = []
        self._marks = 0

    def walk(self, element: Element, reason: str | None) -> None:
        """Read an element; reason: why all of it is dropped."""
        tag = element.tag
        if tag in _INVISIBLE:
            return
        if tag == "br":
            self._pieces.append("\n")
            return
        if reason is None and _is_mark(element):
            self._marks += count_characters(text_of(element))
            return
        reason = reason or self._reason(element)
        if tag not in _BLOCKS:
            self._inside(element, reason)
            return
        self._end(None)
        if tag == "pre":
            self._blocks.append(Block(text_of(element).strip("\n"), reason))
            return
        self._inside(element, reason)
        self._end(reason)

    def finished(self) -> Sequence[Block]:
        self._end(None)
        return self._blocks

    def _inside(self, element: Element, reason: str | None) -> None:
        self._add(element.text)
        for child in element:
            if child.tag in _BLOCKS:
                self._end(reason)
            self.walk(child, reason)
            self._add(child.tail)

    def _add(self, text: str | None) -> None:
        if text:
            self._pieces.append(_SPACE.sub(" ", text))

    def _end(self, reason: str | None) -> None:
        text = _AROUND_BREAK.sub("\n", _SPACE_RUN.sub(" ", "".join(self._pieces))).strip(" \n")
        if text or self._marks:
            self._blocks.append(Block(text, reason, self._marks))
        self._pieces, self._marks = [], 0

    def _reason(self, element: Element) -> str | None:
        if element.tag in _HEADINGS:
            return HEADING
        if element.tag in _FRAME:
            return _named(element) or FRAME
        if element.tag == "table":
            return TABLE
        if not self._keep_code:
            if element.tag == "pre":
                return CODE
            if element.tag in ("ul", "ol") and _are_links(element):
                return LINKS
        return _named(element) if element.tag in _BLOCKS or element.tag == "span" else None


def _named(element: Element) -> str | None:
    names = " ".join(filter(None, (element.get(key) for key in ("epub:type", "role", "class", "id")))).lower()
    return next((reason for pattern, reason in _NAMED if pattern.search(names)), None) if names else None


def _is_mark(element: Element) -> bool:
    """A footnote mark is a number that is set high, or a link that says so."""
    if element.tag == "a":
        names = " ".join(filter(None, (element.get(key) for key in ("epub:type", "role", "class")))).lower()
        return _NOTE_REFERENCE.search(names) is not None
    return element.tag == "sup" and _MARK.fullmatch(text_of(element).strip()) is not None


def _are_links(listed: Element) -> bool:
    links = list(listed.iter("a"))
    linked = sum(count_characters(text_of(link)) for link in links)
    return len(links) >= _MIN_LINKS and linked >= _LINK_SHARE * count_characters(text_of(listed))
