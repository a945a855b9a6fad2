"""Short texts recalled by what they say: by the stems of their words and by the direction of their sentences.

Candidates are found by their stems, which SQLite's FTS5 ranks by BM25, and by the cosine of their directions. All are
then ranked by both: the cosine, and the share of the asked words that they have.
"""

import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import NamedTuple

import numpy as np

from manera.retrieval.directions import Directions
from manera.retrieval.sentences import DIMENSIONS, Vectors, embed
from manera.text.stems import content_stems
from manera.text.words import words

THRESHOLD = 0.5
"""Similarity below which nothing is recalled: of ten sentences of prose, one recalls something of other authors
(benchmarks/memory.py)."""

CANDIDATES = 20
"""How many of the nearest by words, and by direction, are compared."""

MAX_SCORED = 2_000
"""Texts that BM25 scores in one look-up: rare stems come first, and common ones hardly tell texts apart."""

_COSINE, _SHARED, _BIAS = 7.6, 1.5, -3.4
"""Log-odds of a match: what a cosine and a share of common words add, and what a match needs.

The share weighs a fifth of a cosine: more would lose what is said in other words (benchmarks/memory.py).
"""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS directions (place INTEGER PRIMARY KEY, direction BLOB NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS stems USING fts5 (found, tokenize = "ascii tokenchars '''-'");
CREATE VIRTUAL TABLE IF NOT EXISTS frequencies USING fts5vocab (stems, row);
"""


class Recalled(NamedTuple):
    """The place of a text in the order of adding, and how surely it is about the same, from 0 to 1."""

    place: int
    similarity: float


class RecallIndex:
    """Texts to be recalled, in memory or in a file; threads may search and add.

    The file holds stems and directions, not the texts. One process at a time may write it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = RLock()
        self._store = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._store.executescript(_SCHEMA)
        self._frequency = Counter(dict(self._store.execute("SELECT term, doc FROM frequencies")))
        self._directions = Directions()
        rows = self._store.execute("SELECT place, direction FROM directions ORDER BY place").fetchall()
        stored = np.frombuffer(b"".join(direction for _, direction in rows), "<f2").reshape(-1, DIMENSIONS)
        self._directions.add(stored.astype(np.float32), [place for place, _ in rows])

    def __len__(self) -> int:
        return len(self._directions)

    def close(self) -> None:
        """Close the file; nothing can be recalled afterwards."""
        with self._lock:
            self._store.close()

    def add(self, texts: Sequence[str], vectors: Vectors | None = None) -> range:
        """Add texts and return their places. vectors: what ``embed`` made of them, where that was kept."""
        rounded = (embed(texts) if vectors is None else vectors).astype("<f2")
        stems = [content_stems(text) for text in texts]
        with self._lock, self._transaction():
            places = self._directions.add(rounded.astype(np.float32))
            self._store.executemany(
                "INSERT INTO stems (rowid, found) VALUES (?, ?)", zip(places, map(" ".join, stems), strict=True)
            )
            self._store.executemany(
                "INSERT INTO directions VALUES (?, ?)", zip(places, map(bytes, rounded), strict=True)
            )
            for found in stems:
                self._frequency.update(set(found))
        return places

    def remove(self, places: Iterable[int]) -> None:
        """Forget texts, in the file too; the others keep their places."""
        with self._lock, self._transaction():
            gone = [place for place in set(places) if self._directions.has(place)]
            for _, stems in self._stems(gone):
                self._frequency.subtract(stems)
            self._store.executemany("DELETE FROM stems WHERE rowid = ?", ((place,) for place in gone))
            self._store.executemany("DELETE FROM directions WHERE place = ?", ((place,) for place in gone))
            self._store.execute("INSERT INTO stems (stems) VALUES ('optimize')")  # else the index still has their words
            self._directions.remove(gone)

    def nearest(self, text: str, count: int, among: Collection[int] | None = None) -> list[Recalled]:
        """Return the texts nearest by words and direction, the nearest first; none to what has no word.

        among: the places to look at.
        """
        if count < 1 or not len(self) or not words(text):
            return []
        asked = _ask(text)
        with self._lock:
            by_words, by_direction = self._rankings(asked, among)
            places = list(dict.fromkeys([*by_direction, *by_words]))
            likeness = self._likeness(asked, places)
        found = [Recalled(place, _similarity(*both)) for place, both in zip(places, likeness, strict=True)]
        return sorted(found, key=lambda one: -one.similarity)[:count]

    def rankings(self, text: str, among: Collection[int] | None = None) -> tuple[list[int], list[int]]:
        """Return the places of the CANDIDATES that are nearest by words, and of those nearest by direction."""
        with self._lock:
            return self._rankings(_ask(text), among)

    def likeness(self, text: str, places: Sequence[int]) -> list[tuple[float, float]]:
        """Return of each text at some places the cosine with this one, and the share of this one's words it has."""
        with self._lock:
            return self._likeness(_ask(text), places)

    def recall(
        self, text: str, count: int, among: Collection[int] | None = None, threshold: float = THRESHOLD
    ) -> list[Recalled]:
        """Return those of the nearest that are about the same beyond the threshold; often there is none."""
        return [found for found in self.nearest(text, count, among) if found.similarity >= threshold]

    def _rankings(self, asked: "_Asked", among: Collection[int] | None) -> tuple[list[int], list[int]]:
        return self._by_words(asked.stems, among), self._directions.nearest(asked.direction, CANDIDATES, among)

    def _likeness(self, asked: "_Asked", places: Sequence[int]) -> list[tuple[float, float]]:
        cosines = self._directions.cosines(places, asked.direction).tolist()
        return list(zip(cosines, self._shared(asked.stems, places), strict=True))

    def _by_words(self, asked: Sequence[str], among: Collection[int] | None) -> list[int]:
        """Return the places of texts that share stems with what is asked, by BM25."""
        sought = self._rarest(asked)
        if not sought:
            return []
        query = " OR ".join(f'"{stem}"' for stem in sought)
        limit = CANDIDATES if among is None else -1
        rows = self._store.execute(f"SELECT rowid FROM stems WHERE stems MATCH ? ORDER BY rank LIMIT {limit}", (query,))
        named = None if among is None else frozenset(among)
        return list(islice((place for (place,) in rows if named is None or place in named), CANDIDATES))

    def _rarest(self, asked: Sequence[str]) -> list[str]:
        """Return the stems that some text has, as many of the rarest as MAX_SCORED allows, and at least one."""
        known = sorted((self._frequency[stem], stem) for stem in set(asked) if self._frequency[stem] > 0)
        scored = np.cumsum([count for count, _ in known])
        return [stem for place, (_, stem) in enumerate(known) if not place or scored[place] <= MAX_SCORED]

    def _shared(self, asked: Sequence[str], places: Sequence[int]) -> list[float]:
        """Return for each text the share of the asked stems that it has, rare ones counting more."""
        total = len(self)
        weights = {stem: math.log((total + 1) / (self._frequency[stem] + 1)) + 1 for stem in set(asked)}
        everything = sum(weights.values()) or 1.0
        has = dict(self._stems(places))
        return [sum(weights[stem] for stem in weights.keys() & has[place]) / everything for place in places]

    def _stems(self, places: Iterable[int]) -> Iterator[tuple[int, set[str]]]:
        for place in places:
            for (stems,) in self._store.execute("SELECT found FROM stems WHERE rowid = ?", (place,)):
                yield place, set(stems.split())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._store.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._store.execute("ROLLBACK")
            raise
        self._store.execute("COMMIT")


class _Asked(NamedTuple):
    """What is compared of a text."""

    stems: list[str]
    direction: Vectors


def _ask(text: str) -> _Asked:
    return _Asked(content_stems(text), embed([text])[0])


def _similarity(cosine: float, shared: float) -> float:
    return 1 / (1 + math.exp(-(_COSINE * cosine + _SHARED * shared + _BIAS)))
