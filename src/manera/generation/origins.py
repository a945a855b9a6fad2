"""Why did it say that: the training messages that a text is nearest to."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

import msgspec
import numpy as np
from numpy.typing import NDArray

from manera.dataset.examples import messages_of
from manera.records import Example
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
    """Messages to be searched by likeness: building reads them all, a search only those that share a word."""

    def __init__(self, messages: Iterable[TrainingMessage]) -> None:
        self.messages = list(messages)
        self._words = [words(message.text) for message in self.messages]
        counts = [Counter(found) for found in self._words]
        places: dict[str, list[int]] = defaultdict(list)
        for place, count in enumerate(counts):
            for word in count:
                places[word].append(place)
        self._rarity = {word: 1 + math.log(len(counts) / len(found)) for word, found in places.items()}
        lengths = [_length({word: times * self._rarity[word] for word, times in count.items()}) for count in counts]
        self._shares: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {
            word: (
                np.array(found),
                np.array([counts[place][word] * self._rarity[word] / lengths[place] for place in found]),
            )
            for word, found in places.items()
        }

    def nearest(self, text: str, count: int = 5) -> list[Origin]:
        """Return the messages that are most like a text, the likest first; none that shares no word with it."""
        asked = words(text)
        similarity = self.similarity(text)
        likest = [int(place) for place in similarity.argsort()[::-1][:CANDIDATES] if similarity[place]]
        origins = [self._origin(place, asked, float(similarity[place])) for place in likest]
        origins.sort(key=lambda origin: (origin.overlap, origin.similarity), reverse=True)
        return origins[:count]

    def similarity(self, text: str) -> NDArray[np.float64]:
        """Return each message's likeness to a text, from 0 to 1."""
        asked = words(text)
        weights = {word: times * self._rarity[word] for word, times in Counter(asked).items() if word in self._rarity}
        # words that no message has make the text less like any of them
        unknown = sum(word not in self._rarity for word in asked) * (1 + math.log(max(1, len(self.messages))))
        length = math.hypot(_length(weights), unknown)
        similarity = np.zeros(len(self.messages))
        for word, weight in weights.items():
            places, shares = self._shares[word]
            similarity[places] += shares * weight / length
        return similarity

    def _origin(self, place: int, asked: Sequence[str], similarity: float) -> Origin:
        known = self._words[place]
        match = SequenceMatcher(None, asked, known, autojunk=False).find_longest_match()
        shared = _runs(asked) & _runs(known)
        overlap = len(shared) / max(1, len(_runs(asked)))
        return Origin(
            self.messages[place],
            round(similarity, 4),
            round(overlap, 4),
            " ".join(asked[match.a : match.a + match.size]),
        )


def _length(weights: dict[str, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values()))


def _runs(of: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(of[start : start + RUN]) for start in range(len(of) - RUN + 1)}
