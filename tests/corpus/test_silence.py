"""The silence that ends a conversation lies between the two humps of waiting times, and within bounds."""

import random
from collections import Counter
from pathlib import Path

import pytest

from manera.corpus.silence import (
    MAX_SECONDS,
    MIN_SECONDS,
    MIN_WAITS,
    USUAL_SECONDS,
    bin_of,
    counted,
    seconds_of,
    silence,
)
from manera.corpus.storage import write
from manera.records import Utterance

HOUR = 3600


def waits(within: float, between: float, count: int = 2000, share: float = 0.1) -> Counter[int]:
    rng = random.Random(4)
    drawn = (between if rng.random() < share else within for _ in range(count))
    return Counter(bin_of(median * rng.lognormvariate(0, 0.8)) for median in drawn)


@pytest.mark.parametrize(("within", "between"), [(60, 12 * HOUR), (120, 24 * HOUR), (300, 15 * HOUR)])
def test_it_lies_between_the_humps(within: float, between: float) -> None:
    found = silence(waits(within, between))
    assert 4 * within < found < between / 3
    assert MIN_SECONDS < found < MAX_SECONDS


def test_it_stays_within_bounds() -> None:
    assert silence(waits(5, HOUR)) == MIN_SECONDS
    assert silence(waits(3 * HOUR, 400 * HOUR)) == MAX_SECONDS


def test_where_there_is_too_little_or_one_hump_it_is_the_usual() -> None:
    assert silence(Counter()) == USUAL_SECONDS
    assert silence(waits(60, 12 * HOUR, MIN_WAITS - 1)) == USUAL_SECONDS
    assert silence(waits(600, 600)) == USUAL_SECONDS
    assert silence(Counter({0: 500})) == USUAL_SECONDS
    assert silence(Counter({0: 300, 100: 300})) in range(MIN_SECONDS, MAX_SECONDS + 1)


def test_bins_are_quarters_of_octaves() -> None:
    for seconds in (0, 1, 30, HOUR, 30 * 86_400):
        assert seconds_of(bin_of(seconds) - 0.5) <= seconds <= seconds_of(bin_of(seconds) + 0.5) + 1e-6


def test_threads_are_counted_apart_and_what_is_out_of_order_is_not() -> None:
    assert counted([("a", 0), ("b", 100), ("a", 7), ("b", 50), ("b", 57)]) == {bin_of(7): 2}


def test_a_corpus_knows_its_silence(tmp_path: Path) -> None:
    rng, now, messages = random.Random(1), 0, []
    for number in range(600):
        now += 40_000 if number % 15 == 0 else rng.randrange(5, 90)
        messages.append(Utterance("а", "А", "да", "чат", number, "message", "x", now, thread_id="chat1"))
    manifest = write(messages, tmp_path / "c")
    assert 90 < manifest.silence_seconds < 40_000
    assert manifest.silence_seconds != USUAL_SECONDS
