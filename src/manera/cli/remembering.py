"""``manera memory``: what people said to voices, read from the store itself, whether or not a server runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from manera.cli import console
from manera.memory import scope, settings
from manera.memory.memory import Memory


class Asked(NamedTuple):
    """Whose talk; client: the name of the key over which it came."""

    client: str
    user: str | None
    voice: str | None = None
    chat: str | None = None


def show(asked: Asked, limit: int, show_all: bool, as_json: bool) -> None:
    """Show who talked; of one person their conversations; of one chat its last turns."""
    if asked.user is None:
        _show_people(show_all, as_json)
    elif asked.chat is None:
        _show_conversations(asked.client, asked.user, show_all, as_json)
    else:
        _show_turns(scope.own(asked.client, asked.user, asked.voice, asked.chat), limit, as_json)


def search(asked: Asked, text: str, limit: int, as_json: bool) -> None:
    """Show the turns of a person that are nearest to a text."""
    with _opened() as memory:
        found = memory.search(asked.client, asked.user or "", text, limit, asked.voice)
    if as_json:
        console.result({"turns": found})
        return
    for one in found:
        console.show(f"{one.similarity:.2f}  {_when(one.at)}  {one.voice}  {_speaker(one.role, None)}: {one.text}")


def forget(asked: Asked) -> None:
    """Delete a person's talk."""
    with _opened() as memory:
        gone = memory.forget(asked.client, asked.user or "", asked.voice, asked.chat)
    console.show(f"forgot {gone:,} turns of {asked.user!r}")
    if not gone:
        console.say("nothing of theirs was kept here: manera memory show lists everybody, with their keys")


def export(asked: Asked) -> None:
    """Print all that is kept of a person."""
    with _opened() as memory:
        console.result(memory.store.everything(asked.client, asked.user or ""))


def _show_people(show_all: bool, as_json: bool) -> None:
    with _opened() as memory:
        people = memory.store.people()
    if as_json:
        console.result({"people": people})
        return
    rows = [(one.user, one.client or "none", one.voice, one.turns, _when(one.last_at)) for one in people]
    console.show_table(("user", "key", "voice", "turns", "last"), rows, None if show_all else console.FIRST_ROWS)


def _show_conversations(client: str, user: str, show_all: bool, as_json: bool) -> None:
    with _opened() as memory:
        listed = memory.store.conversations(client, user)
    if as_json:
        console.result({"conversations": listed})
        return
    rows = [
        (one.chat, one.voice, "group" if one.group else "private", one.turns, _when(one.last_at), one.title)
        for one in listed
    ]
    columns = ("chat", "voice", "kind", "turns", "last", "began with")
    console.show_table(columns, rows, None if show_all else console.FIRST_ROWS)


def _show_turns(within: scope.Scope, limit: int, as_json: bool) -> None:
    with _opened() as memory:
        turns = memory.store.turns(within, limit)
    if as_json:
        console.result({"turns": turns})
        return
    for turn in turns:
        console.show(f"{_when(turn.at)}  {_speaker(turn.role, turn.name)}: {turn.text}")


def _speaker(role: str, name: str | None) -> str:
    return "voice" if role == "assistant" else name or "user"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


@contextmanager
def _opened() -> Iterator[Memory]:
    memory = Memory(settings.resolve())
    try:
        yield memory
    finally:
        memory.close()
