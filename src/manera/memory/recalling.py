"""What of past talk is near to a text: an index for each scope, as long as it is used."""

from collections import OrderedDict
from collections.abc import Collection, Hashable
from threading import Lock

import numpy as np

from manera.memory.scope import Scope
from manera.memory.store import Spoken, Store
from manera.memory.talk import Exchange
from manera.retrieval.recall import Recalled, RecallIndex
from manera.retrieval.sentences import Vectors, embed

MAX_INDEXED = 200_000
"""Turns in memory, of all scopes together: 3 KB each."""

LATE = 100
"""How many of the last turns are looked at again: on PostgreSQL a lower number may be seen after a higher one."""

DIRECTION = "<f2"


class ScopeIndex:
    """The turns of one scope, which catches up with the store whenever it is asked."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._index = RecallIndex()
        self._turns: list[int] = []  # by place
        self._places: dict[int, int] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._turns)

    def close(self) -> None:
        """Let the index go."""
        self._index.close()

    def recall(self, text: str, count: int, without: Collection[int]) -> dict[int, float]:
        """Return the similarity of the turns that are about the same, by their numbers."""
        return self._numbered(self._index.recall(text, count + len(without)), count, without)

    def nearest(self, text: str, count: int) -> dict[int, float]:
        """Return the similarity of the nearest turns, however far they are."""
        return self._numbered(self._index.nearest(text, count), count, ())

    def catch_up(self) -> None:
        """Add the turns that have come since."""
        with self._lock:
            known = self._turns[-LATE - 1] if len(self._turns) > LATE else 0
            come = [turn for turn in self._store.spoken(self._scope, known) if turn.id not in self._places]
            if not come:
                return
            places = self._index.add([turn.text for turn in come], self._directions(come))
            self._turns += [turn.id for turn in come]
            self._places |= {turn.id: place for turn, place in zip(come, places, strict=True)}

    def _directions(self, come: list[Spoken]) -> Vectors:
        """Return the directions of turns; those found now are kept."""
        fresh = [turn for turn in come if turn.direction is None]
        found = embed([turn.text for turn in fresh]).astype(DIRECTION)
        made = {turn.id: direction.tobytes() for turn, direction in zip(fresh, found, strict=True)}
        if made:
            self._store.keep_directions(made)
        return np.stack([np.frombuffer(turn.direction or made[turn.id], DIRECTION) for turn in come]).astype(np.float32)

    def _numbered(self, found: list[Recalled], count: int, without: Collection[int]) -> dict[int, float]:
        numbered = {self._turns[one.place]: one.similarity for one in found}
        kept = [(turn, similarity) for turn, similarity in numbered.items() if turn not in without]
        return dict(kept[:count])


class Indexes:
    """The indexes of the scopes that were asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._indexes: OrderedDict[Hashable, ScopeIndex] = OrderedDict()
        self._lock = Lock()

    def of(self, scope: Scope) -> ScopeIndex:
        """Return a scope's index, with everything said so far."""
        with self._lock:
            index = self._indexes.setdefault(scope.key, ScopeIndex(self._store, scope))
            self._indexes.move_to_end(scope.key)
        index.catch_up()
        self._let_go()
        return index

    def recall(self, scope: Scope, text: str, count: int, without: Collection[int] = ()) -> list[Exchange]:
        """Return the exchanges of a scope that are about the same as a text, the nearest first.

        The store is asked for them through the scope, whatever the index has found.
        """
        if count < 1:
            return []
        near = self.of(scope).recall(text, count, without)
        return self._store.exchanges(scope, near)

    def forget(self) -> None:
        """Let every index go: something was deleted."""
        with self._lock:
            self._indexes.clear()

    def _let_go(self) -> None:
        with self._lock:
            while len(self._indexes) > 1 and sum(map(len, self._indexes.values())) > MAX_INDEXED:
                self._indexes.popitem(last=False)
