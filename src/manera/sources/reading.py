"""What a file is, by its content, and its words."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from manera.errors import SourceError
from manera.records import Mended, Opened, Skipped, SourceRecord
from manera.sources import foreign, posts, prose, script, telegram
from manera.sources.decoding import Decoded, decode, encoding_of
from manera.sources.files import CLOSED, SourceFile, find, stem_of, suffix_of
from manera.sources.foreign import Foreign
from manera.sources.json_document import BROKEN_BYTES, open_document

logger = logging.getLogger(__name__)

TELEGRAM = "Telegram export"
TEXT_READERS = {
    "post": posts.read,
    "script": script.read,
    "prose": prose.read,
}
READABLE = frozenset({TELEGRAM, *TEXT_READERS})
KNOWN = "Telegram Desktop's JSON, plain-text prose, Markdown posts, scripts of NAME: line"
BROKEN = "broken file"

EMPTY = Foreign("empty file", "export or save it again")
WITHOUT_MESSAGES = Foreign("Telegram export without messages", "export the chat again, and choose the whole period")
BINARY = Foreign("binary file")
TABLE = Foreign("table")
WORDLESS = Foreign("text without words")

_HEAD_BYTES = 1 << 16
_MARKDOWN = frozenset({".md", ".mdx", ".markdown"})
# In a folder, a file of another kind is passed over; named by itself, it is looked into.
_TEXT_SUFFIXES = frozenset({".txt", ".text", ".json", "", *_MARKDOWN})
_ABOUT_FILES = frozenset({"license", "licence", "copying", "notice", "readme", "authors", "contributing", "changelog"})

# An object, or an array of objects; a text may begin with a bracket too. Wide encodings have NULs between.
_JSON = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:\{\s*[\"}]|\[\s*[\[{])")
_LETTERS_SHARE = 0.5
_TABLE_LINES = 5


@dataclass(frozen=True)
class Recognised:
    """What a file is: a kind in READABLE, with its text where it is one, or a foreign format."""

    kind: str | Foreign
    text: Decoded | None = None


def read(paths: Iterable[Path]) -> Iterator[SourceRecord]:
    """Yield Opened and then one record for each message, post, paragraph or line, file by file.

    A file of a folder that is broken, or not somebody's words, is one Skipped; named by itself, it is an error.
    Raises SourceError: a path is missing or named twice, a file cannot be opened, is empty, broken,
    or of a format that is not known.
    """
    files, skipped = find(paths)
    yield from skipped
    for file in files:
        try:
            yield from _read_file(file)
        except SourceError as error:
            if file.root is None:
                raise
            yield Skipped(BROKEN, file.source, error.message)
        except PermissionError as error:
            closed = SourceError(f"{file.path} cannot be opened: {error.strerror}", f"chmod u+r '{file.path}'")
            if file.root is None:
                raise closed from error
            yield Skipped(CLOSED, file.source, closed.hint)


def recognise(path: Path) -> Recognised:
    """Tell what a file is by its content."""
    with path.open("rb") as content:
        head = content.read(_HEAD_BYTES)
    is_whole = len(head) < _HEAD_BYTES
    if is_whole and not head.strip(b"\xef\xbb\xbf \t\r\n\0"):
        return Recognised(EMPTY)
    if found := foreign.of_bytes(path, head):
        return Recognised(found)
    if _JSON.match(head.replace(b"\0", b"")):
        return Recognised(_json_kind(path, head))
    text = decode(path.read_bytes()) if encoding_of(head) else None
    if text is None:
        return Recognised(BINARY)
    return Recognised(_text_kind(text.text, path), text) if text.text.strip() else Recognised(EMPTY)


def _read_file(file: SourceFile) -> Iterator[SourceRecord]:
    passed_over = _other_kind(file.path) if file.root else None
    recognised = Recognised(passed_over) if passed_over else recognise(file.path)
    kind, text = recognised.kind, recognised.text
    if isinstance(kind, Foreign):
        hint = kind.hint.format(path=file.path) if kind.hint else None
        if file.root is None:
            raise _refusal(file.path, kind.name, hint)
        yield Skipped(kind.name, file.source, hint)
        return
    logger.info("reading a file as %s", kind)
    yield Opened(kind, file.source, file.path)
    if text is None:
        yield from telegram.read(file)
        return
    if text.broken:
        yield Mended(BROKEN_BYTES, file.source, text.broken)
    yield from TEXT_READERS[kind](file, text.text)


def _refusal(path: Path, kind: str, hint: str | None) -> SourceError:
    if hint:
        return SourceError(f"{path} cannot be read: {kind}", hint)
    return SourceError(f"the format of {path} is not known ({kind})", f"known are: {KNOWN}")


def _other_kind(path: Path) -> Foreign | None:
    """Name a file of a folder that need not be opened to know that nobody's words are in it."""
    if stem_of(path).casefold() in _ABOUT_FILES:
        return Foreign("readme or licence")
    suffix = suffix_of(path)
    if suffix in _TEXT_SUFFIXES:
        return None
    found = recognise(path).kind if suffix in foreign.SUFFIXES else None
    return found if isinstance(found, Foreign) and found.hint else Foreign(f"{suffix} file")


def _json_kind(path: Path, head: bytes) -> str | Foreign:
    with open_document(path) as document:
        holds = telegram.holds_messages(document)
    if holds is None:
        return WITHOUT_MESSAGES
    return TELEGRAM if holds else foreign.of_json(head)


def _text_kind(text: str, path: Path) -> str | Foreign:
    if found := foreign.of_text(path, text):
        return found
    if posts.is_post(text) or suffix_of(path) in _MARKDOWN:
        return "post"
    if _is_table(text):
        return TABLE
    if script.is_script(text):
        return "script"
    letters = sum(map(str.isalpha, text))
    return "prose" if letters >= _LETTERS_SHARE * len("".join(text.split())) else WORDLESS


def _is_table(text: str) -> bool:
    lines = [line for line in map(str.rstrip, text.split("\n")) if line][:20]
    if sum(line.endswith((".", "!", "?", "…")) for line in lines) > len(lines) / 2:
        return False
    return len(lines) >= _TABLE_LINES and any(
        min(counts) == max(counts) > 0 for counts in ([line.count(mark) for line in lines] for mark in (",", ";", "\t"))
    )
