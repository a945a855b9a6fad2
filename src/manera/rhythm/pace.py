"""How long to wait, as someone would: pure functions of a rhythm and a random number generator."""

import math
from collections.abc import Sequence
from random import Random

from manera.rhythm import answering
from manera.rhythm.record import Delay, Pace, Rhythm, Said

BRISK_WAITING = 6.0
BRISK_TYPING = 4.0
"""Seconds that a brisk wait comes near and never reaches."""

USUAL = (1.5, 3.5)
"""Seconds, evenly spread: what bots do that know nobody's rhythm."""


def waiting(rhythm: Rhythm | None, asked: str, answer: str, rng: Random, pace: Pace = "real") -> float:
    """Return seconds from what was asked to the first message of an answer; without a rhythm, the usual rule's."""
    return _seconds(rhythm.waiting if rhythm else None, (len(asked), len(answer)), rng, pace, BRISK_WAITING)


def gap(rhythm: Rhythm | None, text: str, rng: Random, pace: Pace = "real") -> float:
    """Return seconds from one message to the next one of the same turn, which is this text."""
    return _seconds(rhythm.typing if rhythm else None, (len(text),), rng, pace, BRISK_TYPING)


def bubbles(rhythm: Rhythm | None, rng: Random) -> int:
    """Draw how many messages a turn has, for a text that has no boundaries of its own."""
    shares = rhythm.bubbles if rhythm else (1.0,)
    return rng.choices(range(1, len(shares) + 1), shares)[0]


def speaks(rhythm: Rhythm | None, messages: Sequence[Said]) -> float | None:
    """Return the probability that they would answer in a group now; None where no group taught it.

    messages: the group's latest, oldest first. Nobody answers themselves: 0 where the last is their own.
    """
    if rhythm is None or rhythm.answering is None:
        return None
    if not messages or messages[-1].is_mine:
        return 0.0
    return answering.probability(rhythm.answering, answering.features(messages, rhythm.hours))


def _seconds(delay: Delay | None, lengths: Sequence[int], rng: Random, pace: Pace, limit: float) -> float:
    if pace == "none":
        return 0.0
    if delay is None:
        return rng.uniform(*USUAL)
    seconds = draw(delay, lengths, rng)
    if pace == "real":
        return seconds
    # Rises with the seconds, is never more than they are, and is half the limit or less at the median.
    return seconds * limit / (seconds + max(limit, delay.median))


def draw(delay: Delay, lengths: Sequence[int], rng: Random) -> float:
    """Draw seconds for texts of these lengths in characters."""
    expected = delay.constant + sum(
        slope * math.log1p(length) for slope, length in zip(delay.slopes, lengths, strict=True)
    )
    return min(math.exp(min(expected + _quantile(delay.residuals, rng.random()), 50.0)), delay.longest)


def _quantile(values: Sequence[float], at: float) -> float:
    """Read between quantiles at even steps."""
    place = at * (len(values) - 1)
    below = min(int(place), len(values) - 2) if len(values) > 1 else 0
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
