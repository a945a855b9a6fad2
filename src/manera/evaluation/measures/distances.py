"""How far generated texts are from real ones in what can be counted, beside how far real ones are from each other."""

import string
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manera.dataset.examples import messages_of
from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Groups, Interval
from manera.records import ExampleKind
from manera.text.habits import emoji
from manera.text.words import sentence_lengths, words

RESAMPLES = 100
_MARKS = frozenset(string.punctuation + "…—–«»“”„’") - {"\r"}

Floats = NDArray[np.float64]
Counted = Callable[[str], Iterable[Hashable]]


def message_lengths(text: str) -> list[int]:
    """Count the words of each message or paragraph."""
    return [len(words(message)) for message in messages_of(text)]


def burst_size(text: str) -> list[int]:
    """Count the messages of a reply."""
    return [len(message_lengths(text))]


def marks(text: str) -> list[str]:
    """List punctuation as it comes."""
    return [character for character in text if character in _MARKS]


LENGTHS: dict[str, Callable[[str], list[int]]] = {
    "message_length": message_lengths,
    "burst_size": burst_size,
    "sentence_length": sentence_lengths,
}
KINDS: dict[str, Counted] = {"emoji": emoji, "punctuation": marks, "vocabulary": words}


def distances(
    one: Sequence[str], other: Sequence[str], kind: ExampleKind, groups: Groups, seed: int = 0
) -> dict[str, Interval]:
    """Measure every distance between two sets of texts: 0 where they are alike, 1 where they share nothing.

    Lengths: the largest gap of the cumulative shares (Kolmogorov and Smirnov). Emoji, marks and words: the
    Jensen-Shannon distance of their frequencies. Bounds come from drawing the first set again; groups: the conversation
    of each text of it.
    """
    found = {}
    for name, measure in LENGTHS.items():
        if name != "burst_size" or kind == "dialogue":
            mine = [measure(text) for text in one]
            theirs = np.sort(np.array([length for text in other for length in measure(text)], dtype=np.float64))
            found[name] = _bounded(mine, partial(gap, theirs), groups, seed)
    for name, listed in KINDS.items():
        mine_counted = [list(listed(text)) for text in one]
        counted = Counter(item for text in other for item in listed(text))
        if counted:
            found[name] = _bounded(mine_counted, partial(_divergence, counted), groups, seed)
    return found


def _bounded(
    items: Sequence[Sequence[Hashable]], measure: Callable[[list[Hashable]], float], groups: Groups, seed: int
) -> Interval:
    def drawn_again(drawn: intervals.Indices) -> float:
        return measure([item for index in drawn for item in items[index]])

    found = intervals.of_groups(groups, drawn_again, RESAMPLES, seed, is_centred=True)
    low, high = np.clip([found.low, found.high], 0.0, 1.0).tolist()
    return Interval(found.value, low, high)


def gap(other: Floats, one: ArrayLike) -> float:
    """Return the largest gap of the cumulative shares (Kolmogorov and Smirnov); other: in order."""
    mine = np.sort(np.asarray(one, dtype=np.float64))
    if not len(mine) or not len(other):
        return float("nan")
    at = np.unique(np.concatenate([mine, other]))
    shares = (np.searchsorted(values, at, side="right") / len(values) for values in (mine, other))
    return float(np.abs(np.subtract(*shares)).max())


def _divergence(other: Counter[Hashable], drawn: list[Hashable]) -> float:
    one = Counter(drawn)
    if not one.total() or not other.total():
        return 1.0
    keys = list(dict.fromkeys((*one, *other)))  # in one order: sums of a set differ in their last digit
    p, q = (np.array([counts[key] for key in keys]) / counts.total() for counts in (one, other))
    middle = (p + q) / 2
    halves = (np.sum(part[part > 0] * np.log2(part[part > 0] / middle[part > 0])) for part in (p, q))
    return float(np.sqrt(max(0.0, sum(halves) / 2)))
