"""Formats that are recognised and not read: what they are called, and how to turn them into what is read."""

import re
from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from manera.sources.names import suffix_of

AS_SCRIPT = "write it as a text file, one message a line, NAME: text"
AS_TEXT = "save it as plain text: pandoc '{path}' -t plain --wrap=none -o book.txt"
UNPACK = "unpack it first, and name the folder"


class Foreign(NamedTuple):
    """What a file is, and what to do about it; None where nothing helps."""

    name: str
    hint: str | None = None


# Each messenger begins a message with its date and sender in a way of its own. A diary has dates, but no senders.
_DAY = r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}-\w{3}-\d{2,4})"
_TIME = r"(?:klo )?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[ \u202f\u00a0]?[ap]\.?[ \u202f\u00a0]?m\.?)?"
_VK = "chat copied from VK"
_CHAT_LINES = {
    "Discord export": re.compile(rf"^\[{_DAY} {_TIME}\] (?P<sender>\S[^\n]{{0,40}})$", re.IGNORECASE),
    "chat copied from Telegram": re.compile(r"^(?P<sender>[^\n]{1,60}), \[\d[^\]\n]{5,30}\]:?$"),
    "IRC log": re.compile(
        rf"^(?:\[?(?:{_DAY}[ T])?\d{{1,2}}:\d{{2}}(?::\d{{2}})?\]? )?<[ @+%]?(?P<sender>[^\s>]{{1,30}})> "
    ),
    _VK: re.compile(r"^(?P<sender>[^\W\d_][^\n:]{0,59}?) \d{1,2}:\d{2}$"),
}
_CHAT_SHARE = 0.2
_MIN_CHAT_LINES = 2
_CHAT_HEAD_LINES = 400
_SENDERS_SHARE = 0.5

_TEXT_STARTS = (
    (re.compile(r"\{\\rtf"), Foreign("RTF document", AS_TEXT)),
    (re.compile(r"\s*window\.YTD\."), Foreign("part of an X archive without posts")),
    (re.compile(r"WEBVTT\b|\s*\d+\n\d\d:\d\d:\d\d[,.]\d{3} --> "), Foreign("subtitles", AS_SCRIPT)),
    (re.compile(r"\[Script Info\]"), Foreign("subtitles", AS_SCRIPT)),
    (re.compile(r"#!"), Foreign("program")),
)
_XML = (
    (re.compile(r"<(?:\w+:)?TEI\b|<TEI\.2\b"), Foreign("TEI document", "write it as NAME: line in a text file")),
    (re.compile(r"<"), Foreign("XML")),
)
_MARKED_UP = re.compile(r"\s*<(?:!doctype|html|\?xml|FictionBook|TEI|!--|head|body)", re.IGNORECASE)
_JSON_FIELDS = (((b'"creator"', b'"created_date"'), Foreign("Google Chat export", AS_SCRIPT)),)
_MAGIC = (
    (b"\x1f\x8b", Foreign("gzip archive", UNPACK)),
    (b"7z\xbc\xaf", Foreign("7z archive", UNPACK)),
    (b"Rar!", Foreign("RAR archive", UNPACK)),
    (b"SQLite format 3", Foreign("SQLite database")),
    (b"\xd0\xcf\x11\xe0", Foreign("old Office document", "save it as plain text")),
)
# In a folder, only these are looked into for a format that has help to offer.
SUFFIXES = frozenset(
    [
        *(".7z", ".docx", ".eml", ".epub", ".fb2", ".gz", ".htm", ".html", ".js", ".mbox", ".odt", ".pdf", ".rar"),
        *(".rtf", ".srt", ".vtt", ".xml", ".zip"),
    ]
)

EMPTY = Foreign("empty file", "export or save it again")
BINARY = Foreign("binary file")
TABLE = Foreign("table")
WORDLESS = Foreign("text without words")
OTHER_JSON = Foreign("other JSON")

# An object, or an array of objects; a text may begin with a bracket too. Wide encodings have NULs between.
_JSON = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:\{\s*[\"}]|\[\s*[\[{])")
_TABLE_LINES = 5


def is_json(head: bytes) -> bool:
    """Tell JSON by its first bytes."""
    return _JSON.match(head.replace(b"\0", b"")) is not None


def of_bytes(head: bytes) -> Foreign | None:
    """Recognise archives and documents by their first bytes."""
    return next((foreign for magic, foreign in _MAGIC if head.startswith(magic)), None)


def of_zip(names: Collection[str] | None) -> Foreign:
    """Recognise a document by what is in its zip; names: None where it cannot be read."""
    if names is None:
        return Foreign("broken archive", "get it once more")
    if "word/document.xml" in names:
        return Foreign("DOCX document", AS_TEXT)
    if "content.xml" in names:
        return Foreign("OpenDocument", AS_TEXT)
    if not {"mimetype", "META-INF/container.xml"}.isdisjoint(names):
        return Foreign("EPUB book", AS_TEXT)
    return Foreign("archive in an archive" if names else "empty zip archive", UNPACK)


def of_json(head: bytes) -> Foreign:
    """Recognise an export in JSON by the names of its fields."""
    found = (foreign for fields, foreign in _JSON_FIELDS if all(field in head for field in fields))
    return next(found, OTHER_JSON)


def of_text(path: Path, text: str) -> Foreign | None:
    """Recognise markup, mail, subtitles and chats of other messengers in a text."""
    if _MARKED_UP.match(text):
        return next(foreign for pattern, foreign in _XML if pattern.search(text))
    for pattern, foreign in _TEXT_STARTS:
        if pattern.match(text):
            return foreign
    if suffix_of(path) == ".json":
        return OTHER_JSON
    return _chat(text)


def is_table(text: str) -> bool:
    """Tell rows of cells from lines of words."""
    lines = [line for line in map(str.rstrip, text.split("\n")) if line][:20]
    if sum(line.endswith((".", "!", "?", "…")) for line in lines) > len(lines) / 2:
        return False
    return len(lines) >= _TABLE_LINES and any(
        min(counts) == max(counts) > 0 for counts in ([line.count(mark) for line in lines] for mark in (",", ";", "\t"))
    )


def is_chat(lines: Iterable[str], heading: re.Pattern[str]) -> bool:
    """Tell a chat by its headings, which bear a date and mostly a sender; that one or two lines do proves nothing."""
    lines = list(islice(filter(None, map(str.strip, lines)), _CHAT_HEAD_LINES))
    headed = [found["sender"] for line in lines if (found := heading.match(line))]
    senders = [sender for sender in headed if sender]
    return len(headed) >= max(_MIN_CHAT_LINES, _CHAT_SHARE * len(lines)) and (
        len(senders) >= _SENDERS_SHARE * len(headed)
    )


def _chat(text: str) -> Foreign | None:
    lines = text.split("\n")
    for name, pattern in _CHAT_LINES.items():
        if not is_chat(lines, pattern):
            continue
        senders = [found["sender"] for line in lines if (found := pattern.match(line.strip()))]
        if name == _VK and len(set(senders)) > _SENDERS_SHARE * len(senders):
            continue  # such lines may be a timetable: people write again and again
        return Foreign(name, AS_SCRIPT)
    return None
