"""What a voice's persona once answered to something alike, of those answers that fit whom it talks to."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from manera.retrieval.recall import THRESHOLD, RecallIndex
from manera.voice.exchanges import Exchange, Relations, read_exchanges, read_relations
from manera.voice.folder import EXCHANGES_INDEX, voice_folder

COUNT = 3


class RecalledExchange(NamedTuple):
    """An exchange, and how surely it is about what was asked, from 0 to 1."""

    exchange: Exchange
    similarity: float


class Recollection(NamedTuple):
    """What is worth showing to a voice before it answers, and what it is told of whom it talks to."""

    exchanges: list[RecalledExchange]
    note: str | None


class OwnExchanges:
    """A voice's exchanges, found by what was asked in them and by what was answered; threads may search.

    index: of ``texts_of`` these exchanges; made anew where it is missing.
    """

    def __init__(
        self, exchanges: Sequence[Exchange], relations: Relations | None = None, index: RecallIndex | None = None
    ) -> None:
        self.exchanges = list(exchanges)
        self.relations = relations or Relations()
        self._index = RecallIndex() if index is None else index
        if index is None:
            self._index.add(texts_of(self.exchanges))

    def recall(
        self,
        asked: str,
        relation: str | None = None,
        count: int = COUNT,
        threshold: float = THRESHOLD,
        within: Collection[int] | None = None,
    ) -> Recollection:
        """Return the exchanges about what is asked, the nearest first, and the note of a relation.

        relation: only exchanges with partners of it are looked at, or with the partner of this name; where there are
        none, as where it is None, all are. within: the places of the exchanges that are looked at.
        """
        note = None if relation is None else self.relations.note(relation)
        found: dict[int, float] = {}
        for place, similarity in self._index.recall(asked, 4 * count, self._among(relation, within), threshold):
            found.setdefault(place // 2, similarity)
        recalled = [RecalledExchange(self.exchanges[place], similarity) for place, similarity in found.items()]
        return Recollection(_without_repeats(recalled)[:count], note)

    def _among(self, relation: str | None, within: Collection[int] | None) -> Collection[int] | None:
        """Return the places in the index of what is looked at; None where everything is."""
        if within is not None:
            return _sides(within)
        if relation is None:
            return None
        names = self.relations.names(relation) | {relation.casefold()}
        return _sides(place for place, one in enumerate(self.exchanges) if one.partner.casefold() in names) or None


def open_exchanges(voice: str) -> OwnExchanges:
    """Open a voice's exchanges with the index that training wrote; raise ModelError where they are broken."""
    exchanges, relations = read_exchanges(voice), read_relations(voice)
    return OwnExchanges(exchanges, relations, _written_index(voice_folder(voice) / EXCHANGES_INDEX, exchanges))


def write_index(exchanges: Sequence[Exchange], folder: Path) -> None:
    """Write the index of exchanges into a voice's folder; nothing where there are none."""
    if exchanges:
        index = RecallIndex(folder / EXCHANGES_INDEX)
        index.add(texts_of(exchanges))
        index.close()


def texts_of(exchanges: Sequence[Exchange]) -> list[str]:
    """Return what exchanges are found by: each by what was asked, then by both sides of it."""
    return [text for one in exchanges for text in (one.asked, f"{one.asked}\n{one.reply}")]


def _sides(places: Iterable[int]) -> list[int]:
    """Return the places in the index of both texts of some exchanges."""
    return [side for place in places for side in (2 * place, 2 * place + 1)]


def _written_index(path: Path, exchanges: Sequence[Exchange]) -> RecallIndex | None:
    """Open an index; None where it is missing, broken, or of other exchanges."""
    if not path.is_file():
        return None
    try:
        index = RecallIndex(path)
    except sqlite3.Error:
        return None
    return index if len(index) == 2 * len(exchanges) else None


def _without_repeats(recalled: Sequence[RecalledExchange]) -> list[RecalledExchange]:
    """Keep the first of exchanges that say the same."""
    first: dict[tuple[str, str], RecalledExchange] = {}
    for one in recalled:
        first.setdefault((one.exchange.asked, one.exchange.reply), one)
    return list(first.values())
