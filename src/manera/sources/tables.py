"""Tables: CSV and TSV, JSON Lines and Parquet, and the datasets of messages that trainers read."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from manera.errors import SourceError
from manera.records import Dropped, Mended, SourceRecord, Utterance, count_characters
from manera.sources.decoding import CUT_SHORT
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign, is_json, is_table
from manera.sources.json_document import open_document
from manera.sources.rows import RowReader, columns_of
from manera.sources.source import Source
from manera.sources.text_lines import open_lines

_MAX_FIELD = 1 << 24
_BATCH = 1000
_DELIMITERS = ",;\t|"
_SNIFFED = 1 << 14
_UNMAPPED = "say which columns hold the speaker and the text: --map speaker={0},text={1}; there are: {2}"
_WITHOUT_NAMES = Foreign("table whose first row names no columns", "put names of columns above it")
_TURNS = ("messages", "conversations", "conversation", "dialog")
_ROLE, _CONTENT = ("role", "from", "speaker"), ("content", "value", "text")
_PAIRS = (("instruction", "output"), ("prompt", "completion"), ("prompt", "response"), ("question", "answer"))
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_INSTRUCTIONS = frozenset({"system", "developer", "tool", "function"})
SYSTEM = "instructions to an assistant"


def claims_csv(file: SourceFile) -> bool | Foreign:
    """Tell a table by its suffix or its even rows, with a column of text."""
    named = file.suffix in (".csv", ".tsv")
    if not file.may_be_document or not file.head_text.strip() or is_json(file.head):
        return False
    if not named and not (file.may_be_text and is_table(file.head_text)):
        return False
    names = next(iter(_rows(iter(file.head_text.splitlines()), file.head_text)), [])
    if len(names) < 2 or len(set(names)) < len(names):
        return _WITHOUT_NAMES if named else False
    return _claim(file, names) if named or file.settings.columns else columns_of(file, names) is not None


def read_csv(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the rows below the names of the columns; a row of another length is dropped."""
    mended: Counter[str] = Counter()
    with open_lines(file, mended) as lines:
        rows = _rows((line + "\n" for line in lines), file.head_text)
        names = next(rows)
        reader = RowReader(file, columns_of(file, names) or {})
        for row in rows:
            if len(row) == len(names):
                yield from reader.records([dict(zip(names, row, strict=True))])
            elif row:
                yield Dropped("row of another length", file.source, count_characters("".join(row)))
    yield from (Mended(what, file.source, count) for what, count in mended.items())


def claims_json_lines(file: SourceFile) -> bool | Foreign:
    """Tell JSON Lines by two objects on two lines, or by its suffix."""
    if not file.may_be_document or not is_json(file.head):
        return False
    lines = [line for line in file.head_text.split("\n") if line.strip()]
    first = _object(lines[0]) if lines else None
    if first is None or (file.suffix not in (".jsonl", ".ndjson") and (len(lines) < 2 or _object(lines[1]) is None)):
        return False
    return _turns(first) is not None or _pair(first) is not None or _claim(file, list(first))


def read_json_lines(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the rows, or the turns of each row's conversation: a thread of its own, the roles its speakers."""
    mended: Counter[str] = Counter()
    rows = _Rows(file)
    with open_lines(file, mended) as lines:
        for number, line in enumerate(lines, 1):
            row = _object(line)
            yield from _broken_line(file, number, line) if row is None else rows.records(number, row)
    yield from (Mended(what, file.source, count) for what, count in mended.items())


def claims_json(file: SourceFile) -> bool | Foreign:
    """Tell an array of conversations, or of rows whose columns are named, by its first object."""
    if not file.may_be_document or not is_json(file.head) or not file.head_text.lstrip().startswith("["):
        return False
    try:
        first, _ = json.JSONDecoder().raw_decode(file.head_text, file.head_text.index("{"))
    except (ValueError, RecursionError):
        return False
    return _turns(first) is not None or _pair(first) is not None or bool(file.settings.columns)


def read_json(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield what the rows of an array hold, as those of JSON Lines."""
    rows = _Rows(file)
    with open_document(file) as document:
        for number, row in enumerate(document.values(), 1):
            if isinstance(row, dict):
                yield from rows.records(number, row)
            else:
                yield Dropped("row without columns", file.source, count_characters(str(row)))
        document.end()
        yield from (Mended(what, file.source, count) for what, count in document.mended.items())


class _Rows:
    """Rows as JSON has them: each a conversation, or a message whose columns the first such row names."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._reader: RowReader | None = None

    def records(self, number: int, row: Mapping[str, Any]) -> Iterator[SourceRecord]:
        turns = _turns(row) or _pair(row)
        if turns is not None:
            yield from _conversation(self._file, number, turns)
            return
        if self._reader is None:
            self._reader = RowReader(self._file, columns_of(self._file, list(row)) or {})
        yield from self._reader.records([row])


def claims_parquet(file: SourceFile) -> bool | Foreign:
    """Tell Parquet by its first bytes."""
    if not file.may_be_document or not file.head.startswith(b"PAR1"):
        return False
    with _parquet(file) as table:
        names = table.schema_arrow.names
    is_talk = any(name in names for name in _TURNS) or any(set(pair) <= set(names) for pair in _PAIRS)
    return is_talk or _claim(file, names)


def read_parquet(file: SourceFile) -> Iterator[SourceRecord]:
    """Yield the rows batch by batch."""
    with _parquet(file) as table:
        rows = _Rows(file)
        batches = (batch.to_pylist() for batch in table.iter_batches(_BATCH))
        for number, row in enumerate(chain.from_iterable(batches), 1):
            yield from rows.records(number, row)


def _claim(file: SourceFile, names: list[str]) -> bool | Foreign:
    if columns_of(file, names):
        return True
    shown = (*names, "…", "…")
    return Foreign("table", _UNMAPPED.format(shown[0], shown[1], ", ".join(names[:20])))


def _rows(lines: Iterator[str], sample: str) -> Iterator[list[str]]:
    csv.field_size_limit(_MAX_FIELD)
    try:
        dialect: Any = csv.Sniffer().sniff(sample[:_SNIFFED].split("\n", 1)[0], _DELIMITERS)
    except csv.Error:
        dialect = csv.excel
    try:
        yield from csv.reader(lines, delimiter=dialect.delimiter)
    except csv.Error as error:
        raise SourceError(f"a table cannot be read: {error}", "save it again as CSV in UTF-8") from error


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _broken_line(file: SourceFile, number: int, line: str) -> Iterator[SourceRecord]:
    if not line.strip():
        return
    if not file.settings.salvage:
        raise SourceError(
            f"{file.path} is not valid JSON at line {number}", "mend that line, or keep the others: --salvage"
        )
    yield Mended(CUT_SHORT, file.source, 1)
    yield Dropped("broken line", file.source, count_characters(line), number)


def _turns(row: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Return the turns of a conversation; None where a row holds none."""
    listed = next((row[name] for name in _TURNS if isinstance(row.get(name), list)), None)
    if not listed or not all(isinstance(turn, dict) for turn in listed):
        return None
    turns = [(_first(turn, _ROLE), _first(turn, _CONTENT)) for turn in listed]
    return [(_ROLES.get(role, role), text) for role, text in turns] if any(role for role, _ in turns) else None


def _pair(row: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    for asked, answered in _PAIRS:
        if isinstance(row.get(asked), str) and isinstance(row.get(answered), str):
            question = "\n".join(filter(None, (row[asked], row.get("input") or "")))
            return [("user", question), ("assistant", row[answered])]
    return None


def _first(turn: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((str(turn[key]) for key in keys if isinstance(turn.get(key), str)), "")


def _conversation(file: SourceFile, number: int, turns: list[tuple[str, str]]) -> Iterator[SourceRecord]:
    for position, (role, text) in enumerate(turns):
        if role in _INSTRUCTIONS:
            yield Dropped(SYSTEM, file.source, count_characters(text), number)
        elif not role or not text.strip():
            yield Dropped("turn without text or role", file.source, count_characters(text), number)
        else:
            yield Utterance(role, role, text, f"{file.work} / {number}", position, "message", file.source)


@contextmanager
def _parquet(file: SourceFile) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{file.path} is Parquet, which needs pyarrow", "install it: pip install 'manera[parquet]'"
        ) from error
    with file.open_anywhere() as content:
        try:
            yield ParquetFile(content)
        except (ArrowException, OSError) as error:
            raise SourceError(f"{file.path} is no Parquet that can be read", "write it again") from error


CSV = Source("table", claims_csv, read_csv, "CSV")
JSON_LINES = Source("JSON Lines", claims_json_lines, read_json_lines, "JSON Lines")
JSON_ARRAY = Source("JSON table", claims_json, read_json, "datasets of messages")
PARQUET = Source("Parquet table", claims_parquet, read_parquet, "Parquet")
