"""Rows of one fixed shape, in which several examples lie side by side without seeing each other."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from manera.dataset.encoding import IGNORE_INDEX, Encoded

Ids = NDArray[np.int64]


class Rows(msgspec.Struct, frozen=True):
    """Packed examples: four arrays of shape (rows, length).

    segments tells the examples of a row apart (1, 2, ...; 0 is padding); positions count from 0 in each.
    """

    input_ids: Ids
    labels: Ids
    segments: Ids
    positions: Ids

    def __len__(self) -> int:
        return len(self.input_ids)

    def take(self, indices: Sequence[int] | Ids) -> "Rows":
        """Return some rows, in the order asked for."""
        return Rows(*(array[np.asarray(indices)] for array in self.arrays()))

    def arrays(self) -> tuple[Ids, Ids, Ids, Ids]:
        """Return the four arrays in their order."""
        return self.input_ids, self.labels, self.segments, self.positions

    @property
    def supervised_tokens(self) -> int:
        """Count the labels that are learned."""
        return int((self.labels != IGNORE_INDEX).sum())

    @property
    def tokens(self) -> int:
        """Count the tokens that are not padding."""
        return int((self.segments != 0).sum())


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


def pack(encoded: Iterable[Encoded], length: int, pad: int = 0) -> Rows:
    """Put examples into rows as ``place`` deals them; an example is never cut."""
    examples = list(encoded)
    bins = place([len(example.input_ids) for example in examples], length)
    rows = Rows(*(np.full((len(bins), length), fill, dtype=np.int64) for fill in (pad, IGNORE_INDEX, 0, 0)))
    for row, held in enumerate(bins):
        start = 0
        for segment, index in enumerate(held, start=1):
            example = examples[index]
            span = slice(start, start + len(example.input_ids))
            rows.input_ids[row, span] = example.input_ids
            rows.labels[row, span] = example.labels
            rows.segments[row, span] = segment
            rows.positions[row, span] = np.arange(len(example.input_ids))
            start = span.stop
    return rows
