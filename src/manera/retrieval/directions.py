"""Directions of sentences, of which those nearest to another are found exactly, without looking at most of them."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manera.retrieval.sentences import DIMENSIONS, Vectors

Places = NDArray[np.int64]

MIN_BOUNDED = 4_096
"""Of fewer directions all are looked at, as quickly."""

AXES = 128
"""Axes along which directions differ most; they hold four fifths of what a cosine is made of."""

_SAMPLE = 10_000
_ROUNDING = 1e-5


class Directions:
    """Directions of length 1, at places counted from 0; not for several threads at once.

    A cosine is at most the product of two directions along some axes, plus the product of the lengths of what is left
    of them (Cauchy and Schwarz). Only directions whose bound reaches the nearest found so far are looked at, of 100,000
    one in thirty; reading all would take as long as memory takes to be read.
    """

    def __init__(self) -> None:
        self.size = 0
        self._vectors = np.zeros((0, DIMENSIONS), np.float32)
        self._is_there = np.zeros(0, bool)
        self._axes = np.zeros((DIMENSIONS, AXES), np.float32)
        self._along = np.zeros((0, AXES), np.float32)
        self._left = np.zeros(0, np.float32)
        self._bounded = self._bounded_at_first = 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._is_there))

    def has(self, place: int) -> bool:
        """Tell whether there is a direction at a place."""
        return 0 <= place < self.size and bool(self._is_there[place])

    def add(self, vectors: Vectors, places: Sequence[int] | None = None) -> range:
        """Add directions, at the next places unless these are given, and return from which place to which.

        places: rising, none before ``size``; those between stay empty.
        """
        places = range(self.size, self.size + len(vectors)) if places is None else places
        added = range(self.size, places[-1] + 1 if places else self.size)
        self._vectors = _with_room(self._vectors, added.stop)
        self._is_there = _with_room(self._is_there, added.stop)
        self._vectors[places] = vectors
        self._is_there[places] = True
        self.size = added.stop
        return added

    def remove(self, places: Sequence[int]) -> None:
        """Forget the directions at some places."""
        self._is_there[places] = False
        self._vectors[places] = 0
        self._along[[place for place in places if place < self._bounded]] = 0

    def cosines(self, places: Sequence[int] | Places, vector: Vectors) -> Vectors:
        """Return the cosine of the direction at each place with another."""
        found: Vectors = self._vectors[places] @ vector
        return found

    def nearest(self, vector: Vectors, count: int, among: Collection[int] | None = None) -> list[int]:
        """Return the places of the nearest directions, the nearest first. among: the places to look at."""
        if among is not None:
            likely = np.array([place for place in sorted(among) if self.has(place)], np.int64)
        elif self.size < MIN_BOUNDED:
            likely = np.flatnonzero(self._is_there[: self.size])
        else:
            likely = self._within_reach(vector, count)
        order = np.argsort(-self.cosines(likely, vector), kind="stable")[:count]
        return [int(place) for place in likely[order]]

    def _within_reach(self, vector: Vectors, count: int) -> Places:
        """Return the places of which the nearest are some."""
        self._bound_all()
        along, left = self._split(vector[None])
        bounds = self._along[: self.size] @ along[0] + self._left[: self.size] * left + _ROUNDING
        bounds[~self._is_there[: self.size]] = -np.inf
        first = np.argpartition(-bounds, 4 * count)[: 4 * count]
        cosines = np.where(self._is_there[first], self.cosines(first, vector), -np.inf)
        reached = np.partition(cosines, -count)[-count]
        return np.flatnonzero((bounds >= reached) & self._is_there[: self.size])

    def _bound_all(self) -> None:
        """Split what was added since the last time; all of it, along other axes, where it has doubled."""
        if self.size >= 2 * self._bounded_at_first:
            sample = self._vectors[: self.size : max(1, self.size // _SAMPLE)]
            self._axes = np.ascontiguousarray(np.linalg.eigh(sample.T @ sample)[1][:, -AXES:])
            self._bounded, self._bounded_at_first = 0, self.size
        added = slice(self._bounded, self.size)
        self._along, self._left = _with_room(self._along, self.size), _with_room(self._left, self.size)
        self._along[added], self._left[added] = self._split(self._vectors[added])
        self._bounded = self.size

    def _split(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Return directions along the axes, and the length of what is left of each."""
        along = vectors @ self._axes
        left = (vectors * vectors).sum(axis=1) - (along * along).sum(axis=1)
        return along, np.sqrt(np.maximum(left, 0))


def _with_room(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Return rows with room for so many; it doubles, so that adding one by one copies little."""
    if size <= len(rows):
        return rows
    return np.concatenate([rows, np.zeros((max(size, 2 * len(rows)) - len(rows), *rows.shape[1:]), rows.dtype)])
