"""A book or a story in plain text: one utterance per paragraph."""

import re
from collections.abc import Iterator, Sequence

from manera.records import Cut, Dropped, SourceRecord, Utterance, count_characters
from manera.sources.book_parts import dropped_part, mark_lines
from manera.sources.files import SourceFile
from manera.sources.foreign import is_table
from manera.sources.names import stem_of
from manera.sources.numerals import NUMERAL
from manera.sources.source import text_source
from manera.sources.wrapping import Line, Paragraph, paragraphs, wrapping_of

_FOOTNOTE_MARK = re.compile(r"(?<![ \t])[ \t]*(?:\[\d{1,3}\]|\{\d{1,3}\})")
_NOTES_HEADING = re.compile(r"^(?:примечани[ея]|комментари[ий]|сноски|(?:foot|end)?notes)\W*$", re.IGNORECASE)
_NOTE_NUMBER = re.compile(r"^\d{1,3}$")
_YEARS = re.compile(r"^[(<]?(?:1[5-9]|20)\d\d(?:\s*[-–—]\s*(?:1[5-9]|20)\d\d)?(?: ?гг?\.)?[)>]?\.?$")
_DIVIDER = re.compile(r"^[\W_]+$")
_ROMAN_HEADING = re.compile(r"^[IVXLC]+[.)]?$")
_NUMBER_HEADING = re.compile(r"^\d{1,3}[.)]?$")
_THE_END = re.compile(r"^(?:конец|the end|fin)\W*$", re.IGNORECASE)
_CHAPTER = re.compile(
    rf"^(?![-–—])\W*(глава|часть|том|книга|chapter|part|volume|book)\b(?:\W*$|[\s.№#-]+{NUMERAL})", re.IGNORECASE
)
_TITLE_BORDER = re.compile(r"[.:«»\"“”—–\n]+")
_ILLUSTRATION = re.compile(r"^\[?(?:illustration|иллюстрация)\b[^\]]*\]$", re.IGNORECASE | re.DOTALL)
_HEADING_WORDS = 8
_SENTENCE_END = tuple('.!?…,;:»"”')

# The title stands near the top, or it is not recognised.
_TITLE_LINES = 5
_TITLE_CHARACTERS = 100
# On the title page of an edition nothing runs on like a paragraph.
_TITLE_PAGE_PARAGRAPHS = 40
_RUNNING_CHARACTERS = 200
# Notes without a heading are short and few beside the work; chapters that begin with "1" are not.
_NOTE_CHARACTERS = 400
_NOTES_SHARE = 0.25
_HEADED_NOTES_SHARE = 0.4
_LETTERS_SHARE = 0.5


def is_prose(file: SourceFile, text: str) -> bool:
    """Tell words from rows of cells and from what has few letters in it."""
    letters = sum(map(str.isalpha, text))
    return not is_table(text) and letters >= _LETTERS_SHARE * count_characters(text)


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the paragraphs of one work; the thread is the work, the speaker its author.

    Lines broken at a width are joined, and words that hyphens broke there. Cut: footnote marks like
    ``[1]``. Dropped by name: what an edition puts around the work, what stands above and in the title,
    contents, page numbers, chapter headings, dividers, years, and editors' notes, each only where it
    shows clearly; what is doubtful is kept.
    """
    lines = text.split("\n")
    marked = mark_lines(lines)
    for part in marked.dropped:
        yield dropped_part(part, lines, file.source)
    left = [Line(index + 1, lines[index], index in marked.glued) for index in marked.kept]
    found = list(paragraphs(left, wrapping_of([line.text for line in left])))
    author = file.author
    position = 0
    for paragraph, reason in zip(found, _reasons(found, stem_of(file.path), marked.is_edition), strict=True):
        words, marks = footnote_marks_cut(paragraph.text)
        if reason:
            whole = count_characters(paragraph.text) + paragraph.hyphens
            yield Dropped(reason, file.source, whole, paragraph.line)
            continue
        if marks:
            yield Cut("footnote mark", file.source, marks, paragraph.line)
        if paragraph.hyphens:
            yield Cut("hyphen at a line end", file.source, paragraph.hyphens, paragraph.line)
        position += 1
        yield Utterance(author, author, words, file.work, position, "prose", file.source)


def footnote_marks_cut(text: str) -> tuple[str, int]:
    """Return a paragraph without marks like ``[1]``, and how many characters those had."""
    words = _FOOTNOTE_MARK.sub("", text).strip()
    return words, count_characters(text) - count_characters(words)


def _reasons(found: Sequence[Paragraph], title: str, is_edition: bool) -> list[str | None]:
    """Say why each paragraph is dropped, None where it is not."""
    texts = [footnote_marks_cut(paragraph.text)[0] for paragraph in found]
    reasons = [wordless(text) for text in texts]
    for notes in _notes(texts):
        reasons[notes.start : notes.stop] = ["editor's note"] * len(notes)
    above = _title_end(texts, title)
    reasons[:above] = ["title"] * above
    if is_edition:
        page = _title_page_end(texts, above)
        reasons[:page] = ["title page"] * page
    return reasons


def wordless(words: str) -> str | None:
    """Say what a paragraph is that holds no prose; None for prose."""
    if not words:
        return "footnote mark"
    if _YEARS.match(words):
        return "year of writing"
    if _DIVIDER.match(words) and not any(map(str.isalnum, words)):
        return "divider"
    if _ILLUSTRATION.match(words):
        return "illustration"
    return "heading" if _heading_kind(words) or _THE_END.match(words) else None


def _heading_kind(words: str) -> str | None:
    """Name the kind of a heading: of one kind are those that part a book at one depth."""
    if _NUMBER_HEADING.match(words):
        return "number"
    if _ROMAN_HEADING.match(words):
        return "roman"
    if len(words.split()) > _HEADING_WORDS:
        return None
    if chapter := _CHAPTER.match(words):
        return chapter[1].casefold() if not words.endswith(_SENTENCE_END) or words.count(" ") == 1 else None
    is_title = words.isupper() and not words.endswith(_SENTENCE_END) and words.count(" ") < _HEADING_WORDS
    return "capitals" if is_title else None


def _title_end(texts: Sequence[str], title: str) -> int:
    """Return where the work begins: after the line that is the file's name, or its author and that."""
    wanted = _letters(title)
    for index, text in enumerate(texts[:_TITLE_LINES]):
        parts = [*filter(None, map(_letters, _TITLE_BORDER.split(text)))]
        if len(text) <= _TITLE_CHARACTERS and wanted and wanted in (_letters(text), *parts[-1:]):
            return index + 1
    return 0


def _title_page_end(texts: Sequence[str], start: int) -> int:
    """Return where an edition's title page ends: at the first heading, or the first paragraph that runs on."""
    for index, text in enumerate(texts[start : start + _TITLE_PAGE_PARAGRAPHS], start):
        kind = _heading_kind(text)
        if len(text) >= _RUNNING_CHARACTERS or (kind and kind not in ("capitals", "number")):
            return index
    return start


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold().replace("ё", "е")))


def _notes(texts: Sequence[str]) -> list[range]:
    """Find the sections of editors' notes: under their heading, or numbered from "1" at the very end."""
    total = sum(map(len, texts))
    headed = [index for index, text in enumerate(texts) if _NOTES_HEADING.match(text)]
    if headed:
        return list(_headed_notes(texts, headed, total * _HEADED_NOTES_SHARE))
    for start in (index for index in reversed(range(len(texts))) if texts[index] == "1"):
        return [range(start, len(texts))] if _are_notes(texts[start:], total) else []
    return []


def _headed_notes(texts: Sequence[str], headed: Sequence[int], most: float) -> Iterator[range]:
    """Yield the sections under headings, each up to the next heading of a kind that the book has, in other words.

    Notes are numbered too, and grouped under the headings that they belong to. What is larger than most is no notes.
    """
    kinds = [_heading_kind(text) for text in texts]
    end = 0
    for start in headed:
        if start < end:
            continue
        known = {_letters(texts[index]) for index in range(start) if kinds[index]}
        parting = set(kinds[:start]) - {None, "number"}
        end, size = start, 0
        while end < len(texts) and size <= most:
            if end > start and kinds[end] in parting and _letters(texts[end]) not in known:
                break
            size += len(texts[end])
            end += 1
        if size <= most:
            yield range(start, end)
        else:
            end = start


def _are_notes(tail: Sequence[str], total: int) -> bool:
    numbers = [int(text) for text in tail if _NOTE_NUMBER.match(text)]
    size = sum(map(len, tail))
    counts_up = numbers == list(range(1, len(numbers) + 1))
    return counts_up and size <= total * _NOTES_SHARE and size <= len(numbers) * _NOTE_CHARACTERS


SOURCE = text_source("prose", is_prose, read, "plain-text prose")
