"""A book or a story in plain text: one utterance per paragraph."""

import re
from collections.abc import Iterator

from manera.records import Dropped, SourceRecord, Utterance
from manera.sources.files import SourceFile

_FOOTNOTE_MARK = re.compile(r"[ \t]*\[\d{1,3}\]")
_NOTES_HEADING = re.compile(r"^(?:примечани[ея]|комментари[ий]|сноски|(?:foot|end)?notes)\W*$", re.IGNORECASE)
_NOTE_NUMBER = re.compile(r"^\d{1,3}$")
_YEARS = re.compile(r"^[(<]?(?:1[5-9]|20)\d\d(?:\s*[-–—]\s*(?:1[5-9]|20)\d\d)?(?: ?гг?\.)?[)>]?\.?$")
_DIVIDER = re.compile(r"^[\W_]+$")
_NUMBER_HEADING = re.compile(r"^(?:[IVXLC]+|\d{1,3})[.)]?$")
_THE_END = re.compile(r"^(?:конец|the end|fin)\W*$", re.IGNORECASE)
_CHAPTER = re.compile(r"^\W*(?:глава|часть|том|книга|chapter|part|volume|book)\b", re.IGNORECASE)
_HEADING_WORDS = 8
_SENTENCE_END = tuple('.!?…,;:»"”')

# The title stands near the top, or it is not recognised.
_TITLE_LINES = 5
_TITLE_CHARACTERS = 100
# Notes without a heading are short and few beside the work; chapters that begin with "1" are not.
_NOTE_CHARACTERS = 400
_NOTES_SHARE = 0.25
_HEADED_NOTES_SHARE = 0.4

# A file whose lines were broken at a fixed width has many lines near that width and none far beyond,
# and most of them break off inside a sentence.
_WRAP_WIDTH = 90
_WRAP_FULL = 50
_WRAPPED_SHARE = 0.4

Paragraph = tuple[str, str | None]  # text, and why it is dropped


def read(file: SourceFile, text: str) -> Iterator[SourceRecord]:
    """Yield the paragraphs of one work; the thread is the work, the speaker its author.

    Footnote marks like ``[1]`` are taken out. Dropped by name: what stands above and in the title,
    chapter headings, dividers, years, and the editor's notes at the end, each only where it shows
    clearly; what is doubtful is kept.
    """
    author = file.author
    position = 0
    for paragraph, reason in _judged(_paragraphs(text), file.path.stem):
        if reason:
            yield Dropped(reason, file.source)
            continue
        position += 1
        yield Utterance(author, author, paragraph, file.work, position, "prose", file.source)


def _judged(paragraphs: list[str], title: str) -> Iterator[Paragraph]:
    body = _title_end(paragraphs, title)
    notes = _notes_start(paragraphs)
    for index, paragraph in enumerate(paragraphs):
        words = _FOOTNOTE_MARK.sub("", paragraph).strip()
        if index < body:
            yield words, "title"
        elif index >= notes:
            yield words, "editor's note"
        else:
            yield words, _wordless(words)


def _wordless(words: str) -> str | None:
    if not words:
        return "footnote mark"
    if _YEARS.match(words):
        return "year of writing"
    if _DIVIDER.match(words) and not any(map(str.isalnum, words)):
        return "divider"
    return "heading" if _is_heading(words) else None


def _is_heading(words: str) -> bool:
    if _NUMBER_HEADING.match(words) or _THE_END.match(words):
        return True
    if len(words.split()) > _HEADING_WORDS:
        return False
    if _CHAPTER.match(words):
        return not words.endswith(_SENTENCE_END) or words.count(" ") == 1
    return words.isupper() and not words.endswith(_SENTENCE_END) and words.count(" ") < _HEADING_WORDS


def _title_end(paragraphs: list[str], title: str) -> int:
    """Return where the work begins: after the line that is, or ends with, the file's name."""
    wanted = _letters(title)
    for index, paragraph in enumerate(paragraphs[:_TITLE_LINES]):
        if len(paragraph) <= _TITLE_CHARACTERS and wanted and _letters(paragraph).endswith(wanted):
            return index + 1
    return 0


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold().replace("ё", "е")))


def _notes_start(paragraphs: list[str]) -> int:
    """Return where the notes begin: at their heading, or at the "1" that numbers the first of them."""
    lengths = [len(paragraph) for paragraph in paragraphs]
    total = sum(lengths)
    for index in reversed(range(len(paragraphs))):
        if _NOTES_HEADING.match(paragraphs[index]):
            return index if sum(lengths[index:]) <= total * _HEADED_NOTES_SHARE else len(paragraphs)
    for index in reversed(range(len(paragraphs))):
        if paragraphs[index] == "1":
            return index if _are_notes(paragraphs[index:], total) else len(paragraphs)
    return len(paragraphs)


def _are_notes(tail: list[str], total: int) -> bool:
    numbers = [int(paragraph) for paragraph in tail if _NOTE_NUMBER.match(paragraph)]
    size = sum(map(len, tail))
    counts_up = numbers == list(range(1, len(numbers) + 1))
    return counts_up and size <= total * _NOTES_SHARE and size <= len(numbers) * _NOTE_CHARACTERS


def _paragraphs(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    if _is_wrapped(lines):
        return list(_unwrapped(lines))
    return [line.strip() for line in lines if line.strip()]


def _is_wrapped(lines: list[str]) -> bool:
    lengths = [len(line) for line in lines if line]
    if not lengths or max(lengths) > 2 * _WRAP_WIDTH:
        return False
    full = [line for line in lines if _WRAP_FULL <= len(line) <= _WRAP_WIDTH]
    broken = sum(not line.endswith(_SENTENCE_END) for line in full)
    return broken > len(full) / 2 and len(full) >= len(lengths) * _WRAPPED_SHARE


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """Join lines; a blank line or an indented one begins a paragraph."""
    indented = sum(line.startswith((" ", "\t")) for line in lines)
    indents_open = indented < sum(map(bool, lines)) * 0.7
    paragraph: list[str] = []
    for line in lines:
        opens = not line or (indents_open and line.startswith((" ", "\t")))
        if opens and paragraph:
            yield " ".join(" ".join(paragraph).split())
            paragraph = []
        if line:
            paragraph.append(line.strip())
    if paragraph:
        yield " ".join(" ".join(paragraph).split())
