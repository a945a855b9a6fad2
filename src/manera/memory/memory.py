"""The memory of a server: opened when it is first asked for, and asked again where that failed."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import NamedTuple

from manera.memory import scope
from manera.memory.past import Past
from manera.memory.recalling import Indexes
from manera.memory.settings import MemoryConfig
from manera.memory.store import Store
from manera.memory.talk import Exchange, Found, Said, Talk, said_again
from manera.retrieval.own_exchanges import OwnExchanges


class Asking(NamedTuple):
    """How a reply is asked for: who the person is to the voice, this once, and what the persona answered to whom."""

    relation: str | None = None
    exchanges: Callable[[], OwnExchanges] | None = None


class Memory:
    """Past talk, kept and recalled; threads may share it. What reaches the store raises StoreError."""

    def __init__(self, settings: MemoryConfig | None = None) -> None:
        self._settings = settings or MemoryConfig()
        self._opened: tuple[Store, Indexes] | None = None
        self._lock = Lock()

    @property
    def store(self) -> Store:
        """Return the store, open."""
        return self._open()[0]

    def close(self) -> None:
        """Close the store where it was opened."""
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    def past(self, talk: Talk, said: Sequence[Said], has_history: bool, asked: Asking) -> Past:
        """Return what goes before what is said now.

        has_history: the client brings the last turns itself, and only what is recalled is added.
        """
        store, indexes = self._open()
        turns = store.last_turns(talk, self._settings.turns)
        shown = [] if has_history else turns[: len(turns) - self._said_again(talk, said)]
        text, count = "\n".join(one.text for one in said), self._settings.recalled
        relation = asked.relation or self._relation(talk)
        own, note = _own(asked.exchanges, text, relation, self._settings.exchanges)
        recalled = indexes.recall(scope.recallable(talk), text, count, {turn.id for turn in turns})
        return Past(shown, sorted([*recalled, *own], key=lambda one: -one.similarity), note, relation)

    def search(self, client: str, user: str, text: str, count: int, voice: str | None = None) -> list[Found]:
        """Return those of a person's own turns that are nearest to a text, the nearest first."""
        store, indexes = self._open()
        within = scope.own(client, user, voice)
        near = indexes.of(within).nearest(text, count)
        rows = store.turns_by_number(within, near)
        found = [Found(row.id, row.voice, row.chat, row.role, row.text, row.said_at, near[row.id]) for row in rows]
        return sorted(found, key=lambda one: -one.similarity)

    def forget(
        self, client: str, user: str, voice: str | None = None, chat: str | None = None, from_turn: int | None = None
    ) -> int:
        """Delete a person's turns and the answers to them, with one voice, in one chat, or in all; return how many.

        from_turn: this turn and those after it in its conversation only.
        """
        store, indexes = self._open()
        gone = store.forget(scope.own(client, user, voice, chat), from_turn)
        if chat is None and from_turn is None:
            store.forget_relations(client, user, voice)
        indexes.forget()
        return gone

    def _relation(self, talk: Talk) -> str | None:
        """Return who a person is to a voice; in a group that is as private as what they told it."""
        return None if talk.is_group else self.store.relation(talk.client, talk.user, talk.voice).relation

    def _said_again(self, talk: Talk, said: Sequence[Said]) -> int:
        return said_again(self.store.unanswered(talk), [(talk.user, one.text) for one in said])

    def _open(self) -> tuple[Store, Indexes]:
        with self._lock:
            if self._opened is None:
                store = Store(self._settings.store)
                self._opened = store, Indexes(store)
            return self._opened


def _own(
    exchanges: Callable[[], OwnExchanges] | None, text: str, relation: str | None, count: int
) -> tuple[list[Exchange], str | None]:
    """Recall what the persona once answered to something alike, and the note of a relation."""
    if exchanges is None or (count < 1 and relation is None):
        return [], None
    found, note = exchanges().recall(text, relation, count)
    return [Exchange(one.asked, one.reply, "corpus", similarity, one.said_at) for one, similarity in found], note
