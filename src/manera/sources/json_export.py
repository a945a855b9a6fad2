"""Exports in JSON: how they are recognised and opened, and what their fields may hold."""

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from manera.records import Mended, SourceRecord
from manera.sources.files import SourceFile
from manera.sources.foreign import is_json
from manera.sources.json_document import JsonDocument, open_document
from manera.sources.source import Source

_MAX_NUMBER = 1 << 62


def json_source(
    name: str,
    fields: Sequence[bytes],
    read: Callable[[SourceFile, JsonDocument], Iterator[SourceRecord]],
    description: str | None = None,
) -> Source:
    """Make a source of a JSON document; fields are the names that its first bytes hold, all of them.

    ``read`` consumes one value of the document. What was mended in it is told of at the end.
    """

    def claims(file: SourceFile) -> bool:
        if not ((file.may_be_text or file.suffix == ".jsonl") and is_json(file.head)):
            return False
        head = file.head.replace(b"\0", b"")
        return all(b'"%s"' % field in head for field in fields)

    def read_file(file: SourceFile) -> Iterator[SourceRecord]:
        with open_document(file) as document:
            yield from read(file, document)
            document.end()
            yield from (Mended(what, file.source, count) for what, count in document.mended.items() if count)

    return Source(name, claims, read_file, description)


def as_text(value: object) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""


def as_fields(value: object) -> dict[str, Any]:
    """Return an object's fields, none for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return an array, an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_number(value: object) -> int | None:
    """Return a whole number, written as one or as digits, None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and -_MAX_NUMBER < value < _MAX_NUMBER else None


def seconds_of(value: object, per_second: int = 1) -> int | None:
    """Return Unix seconds of a number of them, or of parts of them."""
    try:
        seconds = int(float(value) / per_second) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return as_number(seconds)


def seconds_of_date(date: object) -> int | None:
    """Return Unix seconds of a date in ISO 8601; one without a zone is taken for UTC."""
    try:
        read = datetime.fromisoformat(as_text(date))
        return calendar.timegm((read.astimezone(UTC) if read.tzinfo else read).timetuple())
    except (ValueError, OverflowError):
        return None
