"""PDF with text: its lines, read like those of a printed book."""

import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from manera.errors import SourceError
from manera.records import Dropped, SourceRecord, count_characters
from manera.sources import prose
from manera.sources.files import SourceFile
from manera.sources.source import Source

_MIN_CHARACTERS = 20
_MIN_PAGES, _REPEATED_SHARE = 4, 0.3
_RUNNING_CHARACTERS = 100
# What pypdf lets through from a file that is not what it says.
_BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RecursionError, TypeError),
    *(ValueError, OSError, zlib.error),
)


def claims(file: SourceFile) -> bool:
    """Tell a document by its first bytes."""
    return file.may_be_document and file.head.startswith(b"%PDF-")


def read(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the paragraphs of the lines on all pages; what is printed on every page is dropped as running head."""
    pages = _pages(file)
    if count_characters("".join(pages)) < _MIN_CHARACTERS:
        raise SourceError(
            f"there is no text in {file.path}: its pages are pictures", "recognise them first: ocrmypdf IN.pdf OUT.pdf"
        )
    lines = [page.strip("\n").split("\n") for page in pages]
    running = _running_heads(lines)
    kept = []
    for page in lines:
        for index, line in enumerate(page):
            if index in (0, len(page) - 1) and _without_number(line) in running:
                yield Dropped("running head", file.source, count_characters(line))
            else:
                kept.append(line)
    yield from prose.read(file, "\n".join(kept))


def _pages(file: SourceFile) -> list[str]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of what it mends
    try:
        with file.open_anywhere() as content:
            document = PdfReader(content)
            if document.is_encrypted and not document.decrypt(""):
                raise SourceError(f"{file.path} is locked with a password", "save a copy without one")
            return [page.extract_text() for page in document.pages]
    except (PyPdfError, *_BROKEN) as error:
        raise SourceError(
            f"{file.path} is no PDF that can be read: {type(error).__name__}", "print it to PDF again, and name that"
        ) from error


def _running_heads(pages: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return the first and last lines, without their page numbers, that come back on many pages."""
    if len(pages) < _MIN_PAGES:
        return frozenset()
    edges = Counter(edge for page in pages for edge in {_without_number(page[0]), _without_number(page[-1])})
    needed = max(_MIN_PAGES - 1, _REPEATED_SHARE * len(pages))
    return frozenset(edge for edge, count in edges.items() if edge and count >= needed)


def _without_number(line: str) -> str:
    return line.strip().strip("0123456789").strip() if len(line) <= _RUNNING_CHARACTERS else ""


SOURCE = Source("PDF document", claims, read, "PDF with text")
