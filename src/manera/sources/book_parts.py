"""What an edition puts around and between the lines of a book: header, licence, contents, page numbers."""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from manera.records import Dropped, count_characters
from manera.sources.wrapping import begins_small, ends_sentence

_START = re.compile(
    r"^\s*\*{3}\s*START OF (?:THE|THIS) PROJECT GUTENBERG|^\*{1,3} ?END ?\*{1,3} ?THE SMALL PRINT", re.IGNORECASE
)
_END = re.compile(
    r"^\s*\*{3}\s*END OF (?:THE|THIS) PROJECT GUTENBERG|^\s*End of (?:the |this )?Project Gutenberg", re.IGNORECASE
)
_CONTENTS = re.compile(r"^\W*(?:(?:table of )?contents|содержание|оглавление)\W*$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^[-–—\[(]*\s*\d{1,4}\s*[-–—\])]*$")
_PAGE_NUMBER_CHARACTERS = 12

# An entry of the contents is short; a paragraph of several such lines is no list. A page ends in a full line.
_ENTRY_CHARACTERS = 120
_RUNNING_LINES = 4
_RUNNING_WIDTH = 40
_DASHES = ("- ", "– ", "— ")
_MIN_ENTRIES, _MAX_ENTRIES = 2, 2000
_CONTENTS_SHARE = 0.1
# Numbers that split no sentence are those of chapters, unless many of them do.
_SPLITTING_SHARE = 0.25
_MIN_SPLITTING = 3


class Part(NamedTuple):
    """Lines from start to before end, counted from 0, that are not the author's."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class MarkedLines:
    """The lines of a file told apart.

    kept: those that are left, by their places from 0. glued: those of them that go on from the one before,
    for only a page ended there. is_edition: a header showed that a title page is to be expected.
    """

    dropped: list[Part]
    kept: list[int]
    glued: frozenset[int]
    is_edition: bool


def mark_lines(lines: Sequence[str]) -> MarkedLines:
    """Find what is not the author's in the lines of a book."""
    edition = list(_edition(lines))
    first = edition[0].end if edition and edition[0].start == 0 else 0
    last = edition[-1].start if edition and edition[-1].end == len(lines) else len(lines)
    parts = [*edition, *_contents(lines, first, last)]
    numbers, blanks, glued = _page_numbers(lines, first, last)
    parts += [Part(index, index + 1, "page number") for index in numbers if not _is_inside(index, parts)]
    parts.sort()
    gone = {index for part in parts for index in range(part.start, part.end)} | blanks
    kept = [index for index in range(len(lines)) if index not in gone]
    return MarkedLines(parts, kept, frozenset(glued), bool(edition))


def dropped_part(part: Part, lines: Sequence[str], source: str) -> Dropped:
    """Return the record of a part that is not the author's."""
    content = "".join(lines[part.start : part.end])
    return Dropped(part.reason, source, count_characters(content), part.start + 1, part.end - part.start)


def _edition(lines: Sequence[str]) -> Iterator[Part]:
    """Project Gutenberg sets its header, which may come in two parts, and its licence apart by marks."""
    end = next((index for index, line in enumerate(lines) if _ends(line, index, len(lines))), len(lines))
    start = max((index for index, line in enumerate(lines[: end // 2]) if _START.match(line)), default=None)
    if start is not None:
        while not lines[start].rstrip().endswith("*") and start + 1 < len(lines) and lines[start + 1].strip():
            start += 1
        yield Part(0, start + 1, "Project Gutenberg's header")
    if end < len(lines):
        yield Part(end, len(lines), "Project Gutenberg's licence")


def _ends(line: str, index: int, count: int) -> bool:
    """Old books end in words that a sentence may begin with, but not in their first half."""
    return _END.match(line) is not None and ("***" in line or index > count / 2)


def _contents(lines: Sequence[str], first: int, last: int) -> Iterator[Part]:
    """A list under its heading ends where its first entry comes again, for that is the chapter itself."""
    index = first
    while index < last:
        end = _contents_end(lines, index, last) if _CONTENTS.match(lines[index]) else None
        if end is not None:
            yield Part(index, end, "contents")
        index = end or index + 1


def _contents_end(lines: Sequence[str], heading: int, last: int) -> int | None:
    after = (index for index in range(heading + 1, last) if lines[index].strip())
    filled = list(islice(after, _MAX_ENTRIES))
    opening = _entry(lines[filled[0]]) if filled else ""
    for count, index in enumerate(filled):
        if count and opening and _entry(lines[index]) == opening:
            return index if count >= _MIN_ENTRIES else None
        if _runs_on(lines, index):
            return index if count >= _MIN_ENTRIES else None
    is_at_the_end = last - heading <= _CONTENTS_SHARE * len(lines) and len(filled) < _MAX_ENTRIES
    return last if is_at_the_end and len(filled) >= _MIN_ENTRIES else None


def _entry(line: str) -> str:
    without_page = line.rstrip().rstrip("0123456789").rstrip()
    return "".join(filter(str.isalnum, without_page.casefold()))


def _runs_on(lines: Sequence[str], index: int) -> bool:
    if len(lines[index]) > _ENTRY_CHARACTERS or lines[index].lstrip().startswith(_DASHES):
        return True
    block = lines[index : index + _RUNNING_LINES]
    are_long = all(len(line.strip()) >= _RUNNING_WIDTH for line in block)
    return are_long and len(block) == _RUNNING_LINES and sum(map(begins_small, block[1:])) >= _RUNNING_LINES // 2


def _page_numbers(lines: Sequence[str], first: int, last: int) -> tuple[list[int], set[int], set[int]]:
    """Return the lines that number pages, the blank ones around those that split a sentence, and what goes on after."""
    candidates = [index for index in range(first, last) if _is_page_number(lines[index])]
    filled = [index for index in range(len(lines)) if lines[index].strip() and not _is_page_number(lines[index])]
    splitting: list[int] = []
    blanks: set[int] = set()
    glued: set[int] = set()
    for index in candidates:
        place = bisect(filled, index)
        if not 0 < place < len(filled):
            continue
        before, after = filled[place - 1], filled[place]
        breaks_off = len(lines[before].strip()) >= _RUNNING_WIDTH and not ends_sentence(lines[before])
        if not breaks_off or not begins_small(lines[after]):
            continue
        splitting.append(index)
        blanks |= {between for between in range(before + 1, after) if not lines[between].strip()}
        glued.add(after)
    if len(splitting) >= max(_MIN_SPLITTING, _SPLITTING_SHARE * len(candidates)):
        return candidates, blanks, glued
    return splitting, blanks, glued


def _is_page_number(line: str) -> bool:
    number = line.strip()
    return len(number) <= _PAGE_NUMBER_CHARACTERS and _PAGE_NUMBER.match(number) is not None


def _is_inside(index: int, parts: Sequence[Part]) -> bool:
    return any(part.start <= index < part.end for part in parts)
