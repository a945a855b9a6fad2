"""Rows with columns, whatever file they come from: which column holds what, and the utterances in them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from manera.errors import SourceError
from manera.records import Dropped, SourceRecord, Utterance, count_characters
from manera.sources.files import SourceFile
from manera.sources.front_matter import unix_seconds

_USUAL = {
    "speaker": ("speaker", "author", "sender", "from", "user", "username", "name", "character", "автор", "имя"),
    "text": ("text", "message", "body", "content", "line", "dialogue", "utterance", "reply", "текст", "сообщение"),
    "time": ("time", "timestamp", "date", "datetime", "sent_at", "created_at", "дата", "время"),
    "thread": ("thread", "chat", "channel", "conversation", "conversation_id", "dialog_id", "scene", "чат"),
    "title": ("title", "subject", "заголовок"),
}
# Seconds since 1970 come in thousandths, too.
_MAX_SECONDS, _MILLI = 1 << 36, 1000


def columns_of(file: SourceFile, names: Collection[str]) -> dict[str, str] | None:
    """Return which of the columns holds what: as the settings say, else by their usual names; None without a text.

    Raises SourceError where the settings name a column that is not there.
    """
    given = file.settings.columns
    if missing := [name for name in given.values() if name not in names]:
        raise SourceError(
            f"there is no column {missing[0]!r} in {file.path}", f"its columns are: {', '.join(sorted(names)[:20])}"
        )
    folded = {name.casefold(): name for name in names}
    found = {what: next((folded[name] for name in usual if name in folded), "") for what, usual in _USUAL.items()}
    columns = {what: name for what, name in {**found, **given}.items() if name}
    return columns if "text" in columns else None


@dataclass
class RowReader:
    """Make utterances of rows; a thread is what its column says, else the file."""

    file: SourceFile
    columns: Mapping[str, str]
    positions: Counter[str] = field(default_factory=Counter)

    def records(self, rows: Iterable[Mapping[str, object]]) -> Iterator[SourceRecord]:
        """Yield a message a row, or a post where no column names the speaker."""
        for row in rows:
            yield self._record(row)

    def _record(self, row: Mapping[str, object]) -> SourceRecord:
        text = self._cell(row, "text")
        named = self._cell(row, "speaker")
        if not text.strip():
            return Dropped("row without text", self.file.source)
        if "speaker" in self.columns and not named:
            return Dropped("row without a speaker", self.file.source, count_characters(text))
        told = self._cell(row, "thread")
        thread = f"{self.file.work} / {told}" if told else self.file.work
        self.positions[thread] += 1
        speaker = named or self.file.author
        return Utterance(
            speaker,
            speaker,
            text,
            thread,
            self.positions[thread],
            "message" if named else "post",
            self.file.source,
            sent_at=_seconds(row.get(self.columns.get("time", ""))),
            title=self._cell(row, "title") or None,
        )

    def _cell(self, row: Mapping[str, object], what: str) -> str:
        value = row.get(self.columns.get(what, ""))
        return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def _seconds(value: object) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return unix_seconds(value)  # type: ignore[arg-type]
    if isinstance(value, int | float) and value == value and abs(value) < _MAX_SECONDS * _MILLI:
        return int(value if abs(value) < _MAX_SECONDS else value / _MILLI)
    return unix_seconds(str(value)) if value is not None else None
