"""Only some of what is read: chats by their names, messages by their days."""

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from manera.errors import CorpusError
from manera.records import Dropped, SourceRecord, Utterance, count_characters

if TYPE_CHECKING:
    from manera.corpus.settings import CorpusConfig

OTHER_CHAT = "chat that was not asked for"
OTHER_DAY = "written on a day that was not asked for"
NO_DAY = "without a day, and days were asked for"

_NUMBERED = re.compile(r"(?P<name>.+) \((?P<id>[^()]+)\)(?P<topic> / .+)?", re.DOTALL)
_CLOSE = 0.5


def narrow(records: Iterable[SourceRecord], config: "CorpusConfig") -> Iterator[SourceRecord]:
    """Turn the utterances that were not asked for into what was dropped, with the reason.

    Raises CorpusError when a name is no chat's: no chat is let in by a typing error.
    """
    if not (config.since or config.until or config.only or config.exclude):
        yield from records
        return
    start = _midnight(config.since) if config.since else None
    end = _midnight(config.until + timedelta(days=1)) if config.until else None
    chats = _Chats(config.only, config.exclude)
    for record in records:
        if isinstance(record, Utterance):
            reason = None if chats.wants(record) else OTHER_CHAT
            reason = reason or _other_day(record.sent_at, start, end)
            if reason:
                record = Dropped(reason, record.source, count_characters(record.text))
        yield record
    chats.require_found()


def names_of(utterance: Utterance) -> list[str]:
    """Return what a chat answers to: its name, its id, and both of the chat that a topic is of."""
    thread, id = utterance.thread, utterance.thread_id or ""
    names = [thread, id, id.partition("/")[0]]
    if found := _NUMBERED.fullmatch(thread):
        names += [found["name"], found["id"], f"{found['name']}{found['topic'] or ''}"]
    return list(dict.fromkeys(_folded(name) for name in names if name))


def answers(utterance: Utterance, chat: str) -> bool:
    """Tell whether an utterance is of a chat that is named so; * stands for anything."""
    return _answers(names_of(utterance), _folded(chat))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _other_day(sent_at: int | None, start: int | None, end: int | None) -> str | None:
    if start is None and end is None:
        return None
    if sent_at is None:
        return NO_DAY
    is_within = (start is None or sent_at >= start) and (end is None or sent_at < end)
    return None if is_within else OTHER_DAY


class _Chats:
    """Which chats are wanted, and which of the names have been met."""

    def __init__(self, only: Iterable[str], exclude: Iterable[str]) -> None:
        self._only = {_folded(name): name for name in only}
        self._exclude = {_folded(name): name for name in exclude}
        self._met: set[str] = set()
        self._wanted: dict[str, bool] = {}
        self._shown: dict[str, None] = {}

    def wants(self, utterance: Utterance) -> bool:
        key = utterance.thread_key
        known = self._wanted.get(key)
        if known is None:
            known = self._wanted[key] = self._decide(utterance)
        return known

    def _decide(self, utterance: Utterance) -> bool:
        names = names_of(utterance)
        self._shown[utterance.thread] = None
        asked = [name for name in self._only if _answers(names, name)]
        refused = [name for name in self._exclude if _answers(names, name)]
        self._met.update(asked, refused)
        return bool(asked or not self._only) and not refused

    def require_found(self) -> None:
        for folded, name in (self._only | self._exclude).items():
            if folded not in self._met:
                closest = difflib.get_close_matches(name, list(self._shown), 1, _CLOSE)
                listed = closest or list(self._shown)[:1]
                raise CorpusError(
                    f"there is no chat {name!r} among {len(self._shown):,}",
                    f'closest is "{listed[0]}"' if listed else None,
                )


def _answers(names: list[str], asked: str) -> bool:
    return asked in names or ("*" in asked and any(fnmatchcase(name, asked.replace("[", "[[]")) for name in names))


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("ё", "е").split())
