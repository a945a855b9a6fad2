"""What the bot must not lose or do twice when it is started again: one small SQLite file.

bot/<bot id>/state.sqlite    0600; it holds words only until they are answered or sent
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from manera.errors import FaceError
from manera.text.languages import Language

MAX_PENDING = 50
"""Messages of one chat that wait for an answer; of more, the latest."""

_DAY = 86_400
_REMEMBERED_DAYS = 30

_TABLES = """
create table if not exists updates (id integer primary key, at real not null);
create table if not exists pending (
    chat integer, message integer, user integer not null, name text, language text not null, text text not null,
    at real not null, is_addressed integer not null, is_topic integer not null, is_asked integer not null default 0,
    primary key (chat, message)
);
create table if not exists outgoing (
    id integer primary key autoincrement, chat integer not null, kind text not null, text text not null,
    user integer not null, turn integer
);
create table if not exists said (
    chat integer, message integer, user integer not null, turn integer not null, at real not null,
    primary key (chat, message)
);
create table if not exists chats (chat integer primary key, origin integer, has_no_drafts integer not null default 0);
create table if not exists spent (
    user integer, day integer, count integer not null, is_told integer not null default 0, primary key (user, day)
);
"""


class Incoming(NamedTuple):
    """A message that waits for an answer. at: when it arrived; is_topic: a post about it is wanted, not an answer."""

    chat: int
    message: int
    user: int
    name: str | None
    language: Language
    text: str
    at: float
    is_addressed: bool = True
    is_topic: bool = False
    is_asked: bool = False


class Outgoing(NamedTuple):
    """A message to send. kind: ``reply``, of the voice; ``notice``, of the bot; ``export``, a file with what is kept.

    user: whom it answers. turn: the reply in the API's memory that it is a part of.
    """

    id: int
    chat: int
    kind: str
    text: str
    user: int
    turn: int | None


class Said(NamedTuple):
    """Whose talk a message that was sent belongs to, and which turn it was there."""

    user: int
    turn: int


class State:
    """The file; every method is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
            self._db.execute("pragma journal_mode = wal")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise FaceError(f"the bot's file {path} cannot be used: {error}", "is another copy running?") from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def is_known(self, update: int) -> bool:
        """Tell whether an update was dealt with already."""
        return self._db.execute("select 1 from updates where id = ?", (update,)).fetchone() is not None

    def finish(
        self, update: int, at: float, *, incoming: Incoming | None = None, notice: Outgoing | None = None
    ) -> None:
        """Deal with an update once and for all, together with what it leads to."""
        with self._transaction():
            self._db.execute("insert or ignore into updates values (?, ?)", (update, at))
            if incoming:
                self._db.execute("insert or replace into pending values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", incoming)
                self._db.execute(
                    "delete from pending where chat = ?1 and message not in"
                    " (select message from pending where chat = ?1 order by message desc limit ?2)",
                    (incoming.chat, MAX_PENDING),
                )
            if notice:
                self._put(notice.chat, notice.kind, notice.text, notice.user)

    def edit(self, chat: int, message: int, text: str) -> None:
        """Change a message that waits for an answer."""
        self._db.execute(
            "update pending set text = ? where chat = ? and message = ? and not is_asked", (text, chat, message)
        )

    def pending(self, chat: int) -> list[Incoming]:
        """Return what waits for an answer, in order."""
        rows = self._db.execute("select * from pending where chat = ? order by message", (chat,))
        return [Incoming(*row[:7], *map(bool, row[7:])) for row in rows]

    def ask(self, burst: Sequence[Incoming]) -> None:
        """Note that the API is asked about these: after a crash it may know them already."""
        self._each("update pending set is_asked = 1 where chat = ? and message = ?", burst)

    def drop(self, burst: Sequence[Incoming]) -> None:
        """Forget messages that nothing answers any more."""
        self._each("delete from pending where chat = ? and message = ?", burst)

    def answer(self, burst: Sequence[Incoming], bubbles: Sequence[str], turn: int | None) -> None:
        """Let an answer's messages take the place of what they answer."""
        last = burst[-1]
        with self._transaction():
            self._db.executemany(
                "delete from pending where chat = ? and message = ?", [(one.chat, one.message) for one in burst]
            )
            for text in bubbles:
                self._put(last.chat, "reply", text, last.user, turn)

    def outgoing(self, chat: int, *kinds: str) -> Outgoing | None:
        """Return the first message to send of these kinds."""
        wanted = ", ".join("?" * len(kinds))
        row = self._db.execute(
            f"select * from outgoing where chat = ? and kind in ({wanted}) order by id limit 1", (chat, *kinds)
        ).fetchone()
        return None if row is None else Outgoing(*row)

    def sent(self, outgoing: Outgoing, message: int | None, at: float) -> None:
        """Note that a message was sent, and as which one; None where it never will be."""
        with self._transaction():
            self._db.execute("delete from outgoing where id = ?", (outgoing.id,))
            if message is not None and outgoing.turn is not None:
                said = (outgoing.chat, message, outgoing.user, outgoing.turn, at)
                self._db.execute("insert or replace into said values (?, ?, ?, ?, ?)", said)

    def said(self, chat: int, message: int) -> Said | None:
        """Tell what a message that was sent is to the API's memory."""
        row = self._db.execute("select user, turn from said where chat = ? and message = ?", (chat, message)).fetchone()
        return None if row is None else Said(*row)

    def clear(self, chat: int) -> None:
        """Leave everything in a chat unanswered, and unsaid what the voice had not said yet."""
        with self._transaction():
            self._db.execute("delete from pending where chat = ?", (chat,))
            self._db.execute("delete from outgoing where chat = ? and kind = 'reply'", (chat,))

    def leave(self, chat: int) -> None:
        """Let a chat go in which nothing can be said any more."""
        with self._transaction():
            for table in ("pending", "outgoing", "said"):
                self._db.execute(f"delete from {table} where chat = ?", (chat,))

    def forget(self, user: int) -> None:
        """Forget what belongs to a person; their budget stays spent."""
        with self._transaction():
            for table in ("pending", "said"):
                self._db.execute(f"delete from {table} where user = ?", (user,))
            self._db.execute("delete from outgoing where user = ? and kind = 'reply'", (user,))

    def unfinished(self) -> list[int]:
        """Return the chats in which something is still to do."""
        return [chat for (chat,) in self._db.execute("select chat from pending union select chat from outgoing")]

    def migrate(self, old: int, new: int) -> None:
        """Let a group go on under its new number."""
        with self._transaction():
            origin = self.origin(old)
            self._db.execute("insert or replace into chats (chat, origin) values (?, ?)", (new, origin))
            for table in ("pending", "outgoing", "said"):
                self._db.execute(f"update or replace {table} set chat = ? where chat = ?", (new, old))

    def origin(self, chat: int) -> int:
        """Return the number that a chat had at first: under it the API remembers the talk."""
        row = self._db.execute("select origin from chats where chat = ?", (chat,)).fetchone()
        return chat if row is None or row[0] is None else int(row[0])

    def takes_drafts(self, chat: int) -> bool:
        """Tell whether Telegram has not refused drafts there."""
        row = self._db.execute("select has_no_drafts from chats where chat = ?", (chat,)).fetchone()
        return row is None or not row[0]

    def refuse_drafts(self, chat: int) -> None:
        """Remember that Telegram takes no drafts there."""
        self._db.execute(
            "insert into chats (chat, has_no_drafts) values (?, 1) on conflict (chat) do update set has_no_drafts = 1",
            (chat,),
        )

    def spend(self, user: int, now: float, most: int | None) -> bool:
        """Take one answer from a user's budget of today; False where nothing is left."""
        day = int(now // _DAY)
        with self._transaction():
            row = self._db.execute("select count from spent where user = ? and day = ?", (user, day)).fetchone()
            if most is not None and row is not None and row[0] >= most:
                return False
            self._db.execute(
                "insert into spent (user, day, count) values (?, ?, 1)"
                " on conflict (user, day) do update set count = count + 1",
                (user, day),
            )
        return True

    def tell_budget(self, user: int, now: float) -> bool:
        """Return whether a user is still to be told today that the budget is spent; True once."""
        changed = self._db.execute(
            "update spent set is_told = 1 where user = ? and day = ? and not is_told", (user, int(now // _DAY))
        )
        return changed.rowcount > 0

    def clean(self, now: float) -> None:
        """Drop what is so old that nobody will come back to it."""
        with self._transaction():
            for table in ("updates", "said"):
                self._db.execute(f"delete from {table} where at < ?", (now - _REMEMBERED_DAYS * _DAY,))
            self._db.execute("delete from spent where day < ?", (int(now // _DAY) - 1,))

    def _put(self, chat: int, kind: str, text: str, user: int, turn: int | None = None) -> None:
        values = (chat, kind, text, user, turn)
        self._db.execute("insert into outgoing (chat, kind, text, user, turn) values (?, ?, ?, ?, ?)", values)

    def _each(self, statement: str, burst: Sequence[Incoming]) -> None:
        with self._transaction():
            self._db.executemany(statement, [(one.chat, one.message) for one in burst])
