"""How near a rhythm comes to when they really wrote, beside the usual rule and their own turns just before."""

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random

import numpy as np

from manera.evaluation.measures import intervals
from manera.evaluation.measures.distances import RESAMPLES, Floats, gap
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.report.metric import Metric, metric
from manera.rhythm import pace
from manera.rhythm.learning import MIN_TURNS
from manera.rhythm.record import Rhythm, TimedTurn
from manera.voice.rhythm import read_compared, read_rhythm

MIN_HELD_OUT = 8


def measure(voice: str, seed: int) -> Iterator[Metric]:
    """Compare waiting times and messages per turn with held-out ones: the largest gap of the cumulative shares."""
    rhythm, compared = read_rhythm(voice), read_compared(voice)
    if rhythm is None or compared is None:
        raise NotMeasuredError("no_rhythm", needed=MIN_TURNS)
    held_out, before = _answers(compared.held_out), _answers(compared.before)
    if len(held_out) < MIN_HELD_OUT:
        raise NotMeasuredError("too_few_waits", found=len(held_out), needed=MIN_HELD_OUT)
    rng = Random(seed)
    real = [float(turn.waited or 0) for turn in held_out]
    waits = {
        "voice": drawn_waits(rhythm, held_out, rng),
        "usual": [rng.uniform(*pace.USUAL) for _ in held_out],
        "before": [float(turn.waited or 0) for turn in before],
    }
    for whose, waited in waits.items():
        found = _distance(real, waited, seed)
        yield metric(f"rhythm.waiting.{whose}", found, "distance", len(real), "lower", "turns")
    sizes = [float(len(turn.lengths)) for turn in compared.held_out]
    counts = {
        "voice": [float(pace.bubbles(rhythm, rng)) for _ in sizes],
        "before": [float(len(turn.lengths)) for turn in compared.before],
    }
    for whose, counted in counts.items():
        found = _distance(sizes, counted, seed)
        yield metric(f"rhythm.bubbles.{whose}", found, "distance", len(sizes), "lower", "turns")


def drawn_waits(rhythm: Rhythm, turns: Sequence[TimedTurn], rng: Random) -> list[float]:
    """Draw a wait for each turn, by what was asked and the first message."""
    return [pace.draw(rhythm.waiting, (turn.asked or 0, turn.lengths[0]), rng) for turn in turns]


def _answers(turns: Sequence[TimedTurn]) -> list[TimedTurn]:
    return [turn for turn in turns if turn.waited is not None]


def _distance(real: Sequence[float], other: Sequence[float], seed: int) -> intervals.Interval:
    one: Floats = np.array(real)
    measure = partial(_gap_of, one, np.sort(np.array(other)))
    found = intervals.of_groups(range(len(one)), measure, RESAMPLES, seed, is_centred=True)
    low, high = np.clip([found.low, found.high], 0.0, 1.0).tolist()
    return intervals.Interval(found.value, low, high)


def _gap_of(one: Floats, other: Floats, drawn: intervals.Indices) -> float:
    return gap(other, one[drawn])
