"""What a file is, by its content, and its words."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from manera.errors import SourceError
from manera.records import Dropped, SourceRecord
from manera.sources import posts, prose, script, telegram
from manera.sources.decoding import decode, encoding_of, read_text
from manera.sources.files import SourceFile, find
from manera.sources.json_document import open_document

logger = logging.getLogger(__name__)

TextReader = Callable[[SourceFile, str], Iterator[SourceRecord]]

TELEGRAM = "Telegram export"
TEXT_READERS: dict[str, TextReader] = {
    "post": posts.read,
    "script": script.read,
    "prose": prose.read,
}
READABLE = frozenset({TELEGRAM, *TEXT_READERS})
KNOWN = "Telegram Desktop's JSON, plain-text prose, Markdown posts, scripts of NAME: line"

EMPTY = "empty file"
WITHOUT_MESSAGES = "Telegram export without messages"
_HINTS = {
    EMPTY: "export or save it again",
    WITHOUT_MESSAGES: "export the chat again, and choose the whole period",
    "Telegram export in HTML": "export again and choose the format: Machine-readable JSON",
}

_HEAD_BYTES = 1 << 16
_MARKDOWN = frozenset({".md", ".mdx", ".markdown"})
# In a folder, a file of another kind is passed over; named by itself, it is looked into.
_TEXT_SUFFIXES = frozenset({".txt", ".text", ".json", "", *_MARKDOWN})
_ABOUT_FILES = frozenset({"license", "licence", "copying", "notice", "readme", "authors", "contributing", "changelog"})

# An object, or an array of objects; a text may begin with a bracket too. UTF-16 has NULs between.
_JSON = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:\{\s*[\"}]|\[\s*[\[{])")
_CHAT_LINE = re.compile(
    r"^[\u200e\u200f\ufeff]?\[?\d{1,4}[./-]\d{1,2}[./-]\d{2,4},? "
    r"\d{1,2}:\d{2}(?::\d{2})?[^:\n]{0,12}?(?:\]| [-–] )"
)
_SIGNAL_LINE = re.compile(r"^\[\d{4}-\d{2}-\d{2}, \d{2}:\d{2}\] ")
_HTML = re.compile(r"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)
_LETTERS_SHARE = 0.5
_TABLE_LINES = 5


def read(paths: Iterable[Path]) -> Iterator[SourceRecord]:
    """Yield one record for each message, post, paragraph or line, in the order of files and folders.

    A file inside a folder that is not somebody's words is one Dropped; named by itself, it is an error.
    Raises SourceError: a path is missing or named twice, a file cannot be opened, is empty, broken,
    or of a format that is not known.
    """
    for file in find(paths):
        try:
            yield from _read_file(file)
        except PermissionError as error:
            raise SourceError(f"{file.path} cannot be opened: {error.strerror}", f"chmod u+r '{file.path}'") from error


def recognise(path: Path) -> str:
    """Name what a file is by its content: a name in READABLE, or another that says what it is instead."""
    with path.open("rb") as content:
        head = content.read(_HEAD_BYTES)
    if not head.strip():
        return EMPTY
    if _JSON.match(head.replace(b"\0", b"")):
        return _json_kind(path)
    text = decode(path.read_bytes()) if encoding_of(head) else None
    return "binary file" if text is None else _text_kind(text, path)


def _read_file(file: SourceFile) -> Iterator[SourceRecord]:
    kind = _other_kind(file.path) if file.root else None
    kind = kind or recognise(file.path)
    if kind not in READABLE:
        if file.root is None:
            raise _refusal(file.path, kind)
        yield Dropped(kind, file.source)
        return
    logger.info("reading %s as %s", file.source, kind)
    if kind == TELEGRAM:
        yield from telegram.read(file)
    else:
        yield from TEXT_READERS[kind](file, read_text(file.path))


def _other_kind(path: Path) -> str | None:
    """Name a file of a folder that need not be opened to know that nobody's words are in it."""
    if path.stem.casefold() in _ABOUT_FILES:
        return "file about the files"
    suffix = path.suffix.casefold()
    return None if suffix in _TEXT_SUFFIXES else f"{suffix} file"


def _refusal(path: Path, kind: str) -> SourceError:
    if kind in _HINTS:
        return SourceError(f"{path} cannot be read: {kind}", _HINTS[kind])
    return SourceError(f"the format of {path} is not known ({kind})", f"known are: {KNOWN}")


def _json_kind(path: Path) -> str:
    with open_document(path) as document:
        holds = telegram.holds_messages(document)
    if holds is None:
        return WITHOUT_MESSAGES
    return TELEGRAM if holds else _foreign_json_kind(path)


def _foreign_json_kind(path: Path) -> str:
    with path.open("rb") as content:
        head = content.read(_HEAD_BYTES)
    if b'"sender_name"' in head and b'"timestamp_ms"' in head:
        return "Instagram export"
    if b'"guild"' in head and b'"channel"' in head:
        return "Discord export"
    return "other JSON"


def _text_kind(text: str, path: Path) -> str:
    if _HTML.match(text):
        return "Telegram export in HTML" if 'class="page_wrap"' in text else "web page or XML"
    if foreign := _foreign_chat(text):
        return foreign
    if posts.is_post(text) or path.suffix.casefold() in _MARKDOWN:
        return "post"
    if _is_table(text):
        return "table"
    if script.is_script(text):
        return "script"
    letters = sum(map(str.isalpha, text))
    return "prose" if letters >= _LETTERS_SHARE * len("".join(text.split())) else "text without words"


def _foreign_chat(text: str) -> str | None:
    """Other messengers begin each message with its date; so do the first lines of their exports."""
    lines = [line for line in text.split("\n") if line.strip()][:2]
    if not all(map(_CHAT_LINE.match, lines[:1])):
        return None
    return "Signal export" if _SIGNAL_LINE.match(lines[0]) else "WhatsApp export"


def _is_table(text: str) -> bool:
    lines = [line for line in map(str.rstrip, text.split("\n")) if line][:20]
    if sum(line.endswith((".", "!", "?", "…")) for line in lines) > len(lines) / 2:
        return False
    return len(lines) >= _TABLE_LINES and any(
        min(counts) == max(counts) > 0 for counts in ([line.count(mark) for line in lines] for mark in (",", ";", "\t"))
    )
