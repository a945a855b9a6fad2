"""Rows of one fixed shape, in which several examples lie side by side without seeing each other."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from manera.dataset.encoding import IGNORE_INDEX, Encoded

Ids = NDArray[np.int64]
Weights = NDArray[np.float32]


class Rows(msgspec.Struct, frozen=True):
    """Packed examples: arrays of shape (rows, length).

    segments tells the examples of a row apart (1, 2, ...; 0 is padding); positions count from 0 in each.
    weights: what the loss of each label is multiplied by, None where all weigh one. They average one over the labels of
    all rows, so that a loss is divided by the count of labels with weights as without. ways: in how many ways all rows
    stand here, one after the other: in each of them a row has the same examples, asked for in other words. Each pass
    reads the next; lengths and counts are of one.
    """

    input_ids: Ids
    labels: Ids
    segments: Ids
    positions: Ids
    weights: Weights | None = None
    ways: int = 1

    def __len__(self) -> int:
        return len(self.input_ids) // self.ways

    def take(self, indices: Sequence[int] | Ids) -> "Rows":
        """Return some rows, in the order asked for."""
        chosen = np.asarray(indices)
        ids, labels, segments, positions = (array[chosen] for array in self.arrays())
        return Rows(ids, labels, segments, positions, None if self.weights is None else self.weights[chosen])

    def arrays(self) -> tuple[Ids, Ids, Ids, Ids]:
        """Return the four arrays of integers in their order."""
        return self.input_ids, self.labels, self.segments, self.positions

    @property
    def supervised_tokens(self) -> int:
        """Count the labels that are learned."""
        return int((self.labels != IGNORE_INDEX).sum()) // self.ways

    @property
    def tokens(self) -> int:
        """Count the tokens that are not padding; of several ways, in the mean."""
        return int((self.segments != 0).sum()) // self.ways


def place(sizes: Sequence[int], length: int) -> list[list[int]]:
    """Deal examples of so many tokens into rows, longest first, each into the fullest row that still has room.

    Returns the indices of each row's examples. A size above ``length`` is a ValueError.
    """
    bins: list[list[int]] = []
    with_room: list[list[int]] = [[] for _ in range(length + 1)]  # the rows that have so many places left
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        size = sizes[index]
        if size > length:
            raise ValueError(f"an example of {size} tokens does not fit a row of {length}")
        room = next((room for room in range(size, length) if with_room[room]), length)
        if room == length:
            with_room[length].append(len(bins))
            bins.append([])
        row = with_room[room].pop()
        bins[row].append(index)
        with_room[room - size].append(row)
    return bins


def pack(encoded: Iterable[Encoded], length: int, pad: int = 0, sizes: Sequence[int] | None = None) -> Rows:
    """Put examples into rows as ``place`` deals them; an example is never cut.

    sizes: how much room each is given; by default what it takes.
    """
    examples = list(encoded)
    bins = place(sizes or [len(example.input_ids) for example in examples], length)
    ids, labels, segments, positions = (
        np.full((len(bins), length), fill, dtype=np.int64) for fill in (pad, IGNORE_INDEX, 0, 0)
    )
    are_weighted = any(example.weights is not None for example in examples)
    weights = np.ones(ids.shape, dtype=np.float32) if are_weighted else None
    for row, held in enumerate(bins):
        start = 0
        for segment, index in enumerate(held, start=1):
            example = examples[index]
            span = slice(start, start + len(example.input_ids))
            ids[row, span] = example.input_ids
            labels[row, span] = example.labels
            segments[row, span] = segment
            positions[row, span] = np.arange(len(example.input_ids))
            if weights is not None and example.weights is not None:
                weights[row, span] = example.weights
            start = span.stop
    return Rows(ids, labels, segments, positions, weights if weights is None else _averaging_one(weights, labels))


def pack_ways(ways: Sequence[Sequence[Encoded]], length: int) -> Rows:
    """Put the same examples into rows in several ways; in each of them an example lies in the same row."""
    sizes = room(ways)
    packed = [pack(encoded, length, sizes=sizes) for encoded in ways]
    ids, labels, segments, positions = map(np.concatenate, zip(*(rows.arrays() for rows in packed), strict=True))
    weights = [rows.weights for rows in packed if rows.weights is not None]
    return Rows(ids, labels, segments, positions, np.concatenate(weights) if weights else None, len(ways))


def room(ways: Sequence[Sequence[Encoded]]) -> list[int]:
    """Return how many tokens each example takes in the way in which it is longest."""
    return [max(len(one.input_ids) for one in example) for example in zip(*ways, strict=True)]


def with_context(rows: Rows, weight: float) -> Rows:
    """Label what is only read too, and let it weigh so much of what a label weighs; 0 leaves the rows as they are.

    What opens an example has nothing before it that could tell it.
    """
    if not weight:
        return rows
    is_context = (rows.labels == IGNORE_INDEX) & (rows.segments != 0) & (rows.positions != 0)
    labels = np.where(is_context, rows.input_ids, rows.labels)
    weights = np.ones(labels.shape, dtype=np.float32) if rows.weights is None else rows.weights
    weights = np.where(is_context, np.float32(weight), weights)
    return Rows(rows.input_ids, labels, rows.segments, rows.positions, _averaging_one(weights, labels), rows.ways)


def _averaging_one(weights: Weights, labels: Ids) -> Weights:
    """Scale weights so that they average one over the labels; 0 where there is none."""
    supervised = labels != IGNORE_INDEX
    total = float(weights.sum(where=supervised, dtype=np.float64))
    scaled: Weights = weights * supervised * np.float32(supervised.sum() / (total or 1.0))
    return scaled
