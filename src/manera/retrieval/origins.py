"""Why did it say that: the training messages that a text is nearest to."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

import msgspec

from manera.dataset.examples import messages_of
from manera.records import Example
from manera.retrieval.index import Floats, Index
from manera.text.words import words

RUN = 3
"""Words in a row that count as shared."""

CANDIDATES = 40
"""How many of the messages that share most are looked at word by word."""


class TrainingMessage(msgspec.Struct, frozen=True):
    """One message of the persona, and the last one of what it answered."""

    text: str
    answers: str | None = None


class Origin(msgspec.Struct, frozen=True):
    """A training message near to a text.

    similarity: cosine of the two texts' words, rare ones counting more (TF-IDF), from 0 to 1. overlap: share of the
    text's runs of RUN words that are in the message. longest_run: the longest run of words that both have.
    """

    message: TrainingMessage
    similarity: float
    overlap: float
    longest_run: str


def persona_messages(examples: Iterable[Example]) -> Iterator[TrainingMessage]:
    """Yield what the persona wrote and was learned, message by message; running text by paragraphs."""
    for example in examples:
        asked: str | None = None
        for message in example.messages:
            texts = [text.strip() for text in messages_of(message.content)]
            if message.is_learned:
                yield from (TrainingMessage(text, asked) for text in texts)
            if texts:
                asked = texts[-1] if message.role == "user" else None


class TrainingIndex:
    """Messages to be searched by the words that they share with a text."""

    def __init__(self, messages: Iterable[TrainingMessage]) -> None:
        self.messages = list(messages)
        self._index = Index((message.text for message in self.messages), words)

    def nearest(self, text: str, count: int = 5) -> list[Origin]:
        """Return the messages that are most like a text, the likest first; none that shares no word with it."""
        asked = words(text)
        coverage = self._index.coverage(text)
        likest = [near for near in self._index.nearest(text, CANDIDATES) if near.similarity]
        origins = [self._origin(near.place, asked, near.similarity * coverage) for near in likest]
        origins.sort(key=lambda origin: (origin.overlap, origin.similarity), reverse=True)
        return origins[:count]

    def similarity(self, text: str) -> Floats:
        """Return each message's likeness to a text, from 0 to 1."""
        return self._index.similarity(text) * self._index.coverage(text)

    def _origin(self, place: int, asked: Sequence[str], similarity: float) -> Origin:
        known = words(self.messages[place].text)
        match = SequenceMatcher(None, asked, known, autojunk=False).find_longest_match()
        shared = _runs(asked) & _runs(known)
        overlap = len(shared) / max(1, len(_runs(asked)))
        return Origin(
            self.messages[place],
            round(similarity, 4),
            round(overlap, 4),
            " ".join(asked[match.a : match.a + match.size]),
        )


def _runs(of: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(of[start : start + RUN]) for start in range(len(of) - RUN + 1)}
