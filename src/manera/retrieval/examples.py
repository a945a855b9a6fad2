"""The author's own examples nearest to a prompt: what an untrained base is shown instead of being trained."""

from collections.abc import Sequence
from typing import Protocol

from manera.dataset.encoding import Encoder
from manera.records import Example, ExampleKind, Message
from manera.retrieval.index import Index, character_ngrams


class Exchange(Protocol):
    """What was asked, and what the author answered."""

    @property
    def asked(self) -> str: ...

    @property
    def reply(self) -> str: ...


class Retriever:
    """Training turns, found by the character n-grams of what they answer; built without looking at held-out text."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = list(exchanges)
        self._index = Index((exchange.asked for exchange in self.exchanges), character_ngrams)

    def nearest(self, asked: str, count: int) -> list[Exchange]:
        """Return the most similar first; none where no training turn answers anything."""
        return [self.exchanges[near.place] for near in self._index.nearest(asked, count)]

    def shown(
        self, asked: str, kind: ExampleKind, encoder: Encoder, count: int, room: int, but: Exchange | None = None
    ) -> list[int]:
        """Encode the nearest turns but one without a BOS, the nearest last, as many as fit the room."""
        ids: list[int] = []
        for exchange in [exchange for exchange in self.nearest(asked, count + 1) if exchange != but][:count]:
            one = _rendered(exchange, kind, encoder)
            if len(ids) + len(one) <= room:
                ids = one + ids
        return ids


def _rendered(exchange: Exchange, kind: ExampleKind, encoder: Encoder) -> list[int]:
    if kind == "continuation":
        return encoder.text(exchange.asked + exchange.reply + "\n\n")
    example = Example((Message("user", exchange.asked), Message("assistant", exchange.reply)))
    return encoder.example(example).input_ids[1:]
