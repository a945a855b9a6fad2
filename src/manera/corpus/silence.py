"""How long nobody writes before a conversation is over, as the waiting times of a corpus show it.

Logarithms of waiting times have two humps: answers within a conversation, and whatever begins the next one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

USUAL_SECONDS = 3 * 3600
"""Where there is too little to tell: within an hour or two people still answer, the next day they begin anew."""

MIN_SECONDS, MAX_SECONDS = 20 * 60, 8 * 3600
"""What people may do to their phones for a while, and what a night's sleep takes."""

MIN_WAITS = 200
BINS_PER_OCTAVE = 4

_BEGIN_SECONDS = 1800
_STEPS = 200
_MIN_SHARE = 0.01
_MIN_APART = 2.0
_SMOOTHING = 2.0
_SHALLOW = 1.5

Floats: TypeAlias = NDArray[np.float64]


class Waits:
    """Counts the waiting times of threads as their messages pass by: a hundred numbers, whatever the corpus."""

    def __init__(self) -> None:
        self.bins: Counter[int] = Counter()
        self._last: dict[str, int] = {}

    def count(self, thread: str, sent_at: int) -> None:
        """Count the time since the thread's last message; what is out of order tells nothing."""
        last = self._last.get(thread)
        self._last[thread] = sent_at
        if last is not None and sent_at >= last:
            self.bins[bin_of(sent_at - last)] += 1


def bin_of(seconds: float) -> int:
    """Return the bin of a waiting time: a quarter of an octave."""
    return int(math.log2(seconds + 1) * BINS_PER_OCTAVE)


def seconds_of(bin: float) -> float:
    """Return the waiting time in the middle of a bin."""
    return float(2 ** ((bin + 0.5) / BINS_PER_OCTAVE) - 1)


def silence(bins: Mapping[int, int]) -> int:
    """Return the seconds of silence that end a conversation: the middle of the valley between the humps, within bounds.

    The humps are two normal distributions, fitted by expectation and maximisation; the valley is where waiting times
    are hardly more frequent than at its bottom. Where there are fewer than MIN_WAITS, or one hump only, it is
    USUAL_SECONDS.
    """
    if sum(bins.values()) < MIN_WAITS:
        return USUAL_SECONDS
    places = np.arange(max(bins) + 1, dtype=np.float64)
    counts = np.array([bins.get(int(place), 0) for place in places], dtype=np.float64)
    share, mean, spread = _two_humps(places, counts)
    apart = (mean[1] - mean[0]) / math.sqrt((spread**2).sum() / 2)  # Ashman's D
    if share.min() < _MIN_SHARE or apart < _MIN_APART:
        return USUAL_SECONDS
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / _SMOOTHING) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), "same")
    between = places[(places >= mean[0]) & (places <= mean[1])]
    depth = smooth[between.astype(int)]
    valley = between[depth <= _SHALLOW * depth.min() + _SMOOTHING / BINS_PER_OCTAVE]
    return round(min(max(seconds_of(valley.mean()), MIN_SECONDS), MAX_SECONDS))


def _two_humps(places: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Return shares, means and spreads of two normal distributions, the lower first."""
    middle = bin_of(_BEGIN_SECONDS)
    chosen = np.stack([places < middle, places >= middle]).astype(np.float64)
    for _ in range(_STEPS):
        weights = chosen * counts
        totals = np.maximum(weights.sum(1), 1e-9)
        mean = (weights * places).sum(1) / totals
        spread = np.sqrt(np.maximum((weights * (places - mean[:, None]) ** 2).sum(1) / totals, 1.0))
        share = totals / counts.sum()
        density = np.stack([_density(places, share[hump], mean[hump], spread[hump]) for hump in (0, 1)])
        chosen = density / np.maximum(density.sum(0), 1e-300)
    order = np.argsort(mean)
    return share[order], mean[order], spread[order]


def _density(places: Floats, share: float, mean: float, spread: float) -> Floats:
    found: Floats = share / spread * np.exp(-0.5 * ((places - mean) / spread) ** 2)
    return found


def counted(waits: Iterable[tuple[str, int]]) -> Counter[int]:
    """Count the waiting times of messages: pairs of a thread and a time."""
    found = Waits()
    for thread, sent_at in waits:
        found.count(thread, sent_at)
    return found.bins
