"""The store of past talk: what was said is kept, read through a scope, and deleted."""

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, desc, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from manera.memory import scope
from manera.memory.opening import in_words, open_engine, reading
from manera.memory.scope import Scope
from manera.memory.tables import conversations, relations, turns
from manera.memory.talk import (
    Asked,
    Conversation,
    Everything,
    Exchange,
    Person,
    Relation,
    Said,
    Talk,
    Turn,
    WrittenConversation,
    WrittenRelation,
    said_again,
)

MAX_UNANSWERED = 64
"""Turns without a reply that are looked at when a question may have been asked before."""

TITLE_CHARACTERS = 60

_JOINED = turns.join(conversations, turns.c.conversation == conversations.c.id)


class Spoken(NamedTuple):
    """One turn to be found again: its text, and its direction where that is known."""

    id: int
    text: str
    direction: bytes | None


class Store:
    """A database of past talk, open; threads may share it. Every method raises StoreError."""

    def __init__(self, place: str | None = None) -> None:
        """Open a file or a URL; None is memory.sqlite in MANERA_HOME."""
        self._engine = open_engine(place)
        self._reading = reading(self._engine)
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    # keeping

    def ask(self, talk: Talk, said: Sequence[Said]) -> Asked:
        """Keep what a person says; what is there already, and unanswered, is not kept twice."""
        asked = [(talk.user, clean(one.text)) for one in said]
        with self._writes() as connection:
            number = self._conversation(connection, talk)
            waiting = _unanswered(connection, scope.conversation(talk))
            again = said_again([(row.user, row.text) for row in waiting], asked)
            rows = [
                {
                    "conversation": number,
                    "user": talk.user,
                    "role": "user",
                    "text": text,
                    "name": one.name,
                    "said_at": now(),
                }
                for one, (_, text) in zip(said[again:], asked[again:], strict=True)
            ]
            kept = [row.id for row in waiting[len(waiting) - again :]]
            kept += [connection.execute(insert(turns).returning(turns.c.id), row).scalar_one() for row in rows]
        return Asked(number, kept[0])

    def answer(self, asked: Asked, user: str, text: str) -> int | None:
        """Keep what the voice answers and return its turn; None where the question was forgotten meanwhile."""
        row = {"conversation": asked.conversation, "user": user, "role": "assistant", "text": clean(text)}
        with self._writes() as connection:
            question = select(turns.c.id).where(turns.c.id == asked.turn).with_for_update()
            if connection.execute(question).scalar() is None:
                return None
            return int(connection.execute(insert(turns).returning(turns.c.id), row | {"said_at": now()}).scalar_one())

    def keep_directions(self, directions: Mapping[int, bytes]) -> None:
        """Note the directions of turns, so that they are found once only."""
        with self._writes() as connection:
            for turn, direction in directions.items():
                connection.execute(update(turns).where(turns.c.id == turn).values(direction=direction))

    # recalling

    def last_turns(self, talk: Talk, count: int) -> list[Turn]:
        """Return the last turns of a conversation, oldest first."""
        with self._reads() as connection:
            return _newest_first(connection, scope.conversation(talk), count)[::-1]

    def unanswered(self, talk: Talk) -> list[tuple[str, str]]:
        """Return the user and the text of each of the last turns that have no reply, oldest first."""
        with self._reads() as connection:
            return [(row.user, row.text) for row in _unanswered(connection, scope.conversation(talk))]

    def spoken(self, within: Scope, after: int) -> list[Spoken]:
        """Return the turns of a scope that came after one."""
        asked = select(turns.c.id, turns.c.text, turns.c.direction).select_from(_JOINED)
        with self._reads() as connection:
            rows = connection.execute(asked.where(within.where, turns.c.id > after).order_by(turns.c.id))
            return [Spoken(*row) for row in rows]

    def exchanges(self, within: Scope, near: Mapping[int, float]) -> list[Exchange]:
        """Return what was said with what was answered, for the turns of a scope that are near to something.

        near: the similarity of each turn. What has been deleted, or is not in the scope, is left out.
        """
        with self._reads() as connection:
            rows = list(connection.execute(_turns(within).where(turns.c.id.in_(near))))
            found = [_exchange(connection, within, row, near[row.id]) for row in rows]
        best: dict[tuple[str, str | None], Exchange] = {}
        for one in sorted(found, key=lambda one: -one.similarity):
            best.setdefault((one.text, one.answer), one)
        return [*best.values()]

    # seeing and forgetting

    def conversations(self, client: str, user: str) -> list[Conversation]:
        """Return the conversations that a person took part in, the newest first."""
        columns = (conversations.c.voice, conversations.c.chat, conversations.c.is_group)
        counted = (func.count(), func.min(turns.c.said_at), func.max(turns.c.said_at), func.min(turns.c.id))
        asked = select(*columns, *counted).select_from(_JOINED).where(scope.own(client, user).where)
        with self._reads() as connection:
            rows = list(connection.execute(asked.group_by(*columns).order_by(desc(func.max(turns.c.id)))))
            first = select(turns.c.id, turns.c.text).where(turns.c.id.in_([row[-1] for row in rows]))
            titles = {row.id: row.text for row in connection.execute(first)}
        return [
            Conversation(voice, chat, is_group, count, first_at, last_at, _title(titles[number]))
            for voice, chat, is_group, count, first_at, last_at, number in rows
        ]

    def people(self) -> list[Person]:
        """Return everybody of whom something is kept, the last to talk first."""
        columns = (conversations.c.client, turns.c.user, conversations.c.voice)
        asked = select(*columns, func.count(), func.max(turns.c.said_at)).select_from(_JOINED).group_by(*columns)
        with self._reads() as connection:
            return [Person(*row) for row in connection.execute(asked.order_by(desc(func.max(turns.c.id))))]

    def turns(self, within: Scope, limit: int, before: int | None = None) -> list[Turn]:
        """Return the last turns of a scope, or the last ones before a turn, oldest first."""
        with self._reads() as connection:
            return _newest_first(connection, within, limit, before)[::-1]

    def turns_by_number(self, within: Scope, numbers: Collection[int]) -> list[Row[Any]]:
        """Return those of the turns that are in a scope, with their voice and chat."""
        asked = _turns(within).add_columns(conversations.c.voice, conversations.c.chat)
        with self._reads() as connection:
            return list(connection.execute(asked.where(turns.c.id.in_(numbers))))

    def everything(self, client: str, user: str) -> Everything:
        """Return all that is kept of a person, the conversations in the order in which they began."""
        columns = (conversations.c.voice, conversations.c.chat, conversations.c.is_group)
        told: dict[tuple[str, str, bool], list[Turn]] = {}
        with self._reads() as connection:
            for row in connection.execute(_turns(scope.own(client, user)).add_columns(*columns).order_by(turns.c.id)):
                told.setdefault((row.voice, row.chat, row.is_group), []).append(_turn(row))
            asked = select(relations.c.voice, relations.c.relation, relations.c.name).order_by(relations.c.voice)
            related = [WrittenRelation(*row) for row in connection.execute(asked.where(*_relation(client, user)))]
        return Everything(user, [WrittenConversation(*key, turns) for key, turns in told.items()], related)

    def forget(self, within: Scope, from_turn: int | None = None) -> int:
        """Delete the turns of a scope, or one of them and all that follow it in its conversation; return how many.

        Conversations that are left empty go with them.
        """
        with self._writes() as connection:
            numbers = select(turns.c.id).select_from(_JOINED).where(within.where)
            if from_turn is not None:
                where = select(turns.c.conversation).where(turns.c.id == from_turn).scalar_subquery()
                numbers = numbers.where(turns.c.conversation == where, turns.c.id >= from_turn)
            gone = connection.execute(delete(turns).where(turns.c.id.in_(numbers))).rowcount
            left = select(turns.c.conversation)
            connection.execute(delete(conversations).where(conversations.c.id.not_in(left)))
        self._write_over()
        return int(gone)

    # relations

    def relation(self, client: str, user: str, voice: str) -> Relation:
        """Return who a person is to a voice, as far as it was said."""
        asked = select(relations.c.relation, relations.c.name).where(*_relation(client, user, voice))
        with self._reads() as connection:
            row = connection.execute(asked).one_or_none()
        return Relation() if row is None else Relation(*row)

    def relate(self, client: str, user: str, voice: str, to: Relation) -> None:
        """Note who a person is to a voice; a relation that is None is forgotten."""
        with self._writes() as connection:
            connection.execute(delete(relations).where(*_relation(client, user, voice)))
            if to.relation is not None:
                row = {"client": client, "user": user, "voice": voice, "relation": to.relation, "name": to.name}
                connection.execute(insert(relations), row)

    def forget_relations(self, client: str, user: str, voice: str | None) -> None:
        """Forget who a person is, to one voice or to all."""
        with self._writes() as connection:
            connection.execute(delete(relations).where(*_relation(client, user, voice)))

    def _conversation(self, connection: Connection, talk: Talk) -> int:
        """Return the number of a conversation, made where there is none; on PostgreSQL others wait for its end."""
        columns = scope.conversation(talk).values
        asked = select(conversations.c.id).where(*(c == value for c, value in columns.items())).with_for_update()
        found = connection.execute(asked).scalar()
        if found is None:
            row = {column.name: value for column, value in columns.items()}
            connection.execute(self._insert(conversations).values(row).on_conflict_do_nothing())
            found = connection.execute(asked).scalar_one()
        return int(found)

    def _write_over(self) -> None:
        """Empty SQLite's log of changes, in which what was deleted still stands; while others read it, it stays."""
        if self._engine.dialect.name == "sqlite":
            with suppress(sqlite3.Error), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _reads(self) -> Iterator[Connection]:
        with in_words(self._engine.url), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def _writes(self) -> Iterator[Connection]:
        with in_words(self._engine.url), self._engine.begin() as connection:
            yield connection


def clean(text: str) -> str:
    """Return a text as databases take it: without NUL, and without halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def now() -> int:
    """Return the time in Unix seconds."""
    return int(time.time())


def _turns(within: Scope) -> Select[Any]:
    return select(turns).select_from(_JOINED).where(within.where)


def _turn(row: Row[Any]) -> Turn:
    return Turn(row.id, row.role, row.text, row.name, row.said_at)


def _newest_first(connection: Connection, within: Scope, count: int, before: int | None = None) -> list[Turn]:
    asked = _turns(within) if before is None else _turns(within).where(turns.c.id < before)
    return [_turn(row) for row in connection.execute(asked.order_by(desc(turns.c.id)).limit(count))]


def _unanswered(connection: Connection, within: Scope) -> list[Row[Any]]:
    """Return the last turns after the last reply, oldest first."""
    found: list[Row[Any]] = []
    for row in connection.execute(_turns(within).order_by(desc(turns.c.id)).limit(MAX_UNANSWERED)):
        if row.role == "assistant":
            break
        found.append(row)
    return found[::-1]


def _exchange(connection: Connection, within: Scope, row: Row[Any], similarity: float) -> Exchange:
    """Put a turn beside its answer, or an answer beside what it answers."""
    is_question = row.role == "user"
    nearest = turns.c.id if is_question else desc(turns.c.id)
    beside = _turns(within).where(
        turns.c.conversation == row.conversation,
        turns.c.user == row.user,
        turns.c.role != row.role,
        turns.c.id > row.id if is_question else turns.c.id < row.id,
    )
    other = connection.execute(beside.order_by(nearest).limit(1)).one_or_none()
    if is_question:
        return Exchange(row.text, other.text if other else None, "talk", similarity, row.said_at)
    return Exchange(other.text if other else "", row.text, "talk", similarity, row.said_at)


def _relation(client: str, user: str, voice: str | None = None) -> list[ColumnElement[bool]]:
    of_user = [relations.c.client == client, relations.c.user == user]
    return of_user if voice is None else [*of_user, relations.c.voice == voice]


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"
