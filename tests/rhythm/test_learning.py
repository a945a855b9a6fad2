"""A rhythm that was planted is found again, from what was not held out."""

import math
from collections.abc import Iterable
from itertools import chain, islice

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from talks import (
    BUBBLES,
    DAY,
    HOURS,
    SECONDS_PER_LETTER,
    SPREAD,
    START,
    WAIT_SECONDS,
    planted_group,
    planted_talk,
    say,
)

from manera.records import Utterance
from manera.rhythm import pace
from manera.rhythm.learning import (
    MIN_TURNS,
    SHORT_SECONDS,
    Learned,
    decisions,
    is_group_of,
    learn,
    said,
    timed_threads,
    timed_turns,
)
from manera.rhythm.record import Rhythm


def learned(utterances: Iterable[Utterance]) -> Learned:
    found = learn(utterances, "asya")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def rhythm() -> Rhythm:
    return learned(planted_talk(400)).rhythm


def test_the_planted_shares_of_bubbles_are_found(rhythm: Rhythm) -> None:
    assert rhythm.bubbles == pytest.approx(BUBBLES, abs=0.04)


def test_the_planted_wait_and_its_spread_are_found(rhythm: Rhythm) -> None:
    assert rhythm.waiting.median == pytest.approx(WAIT_SECONDS, rel=0.1)
    low, high = np.interp((0.16, 0.84), np.linspace(0, 1, len(rhythm.waiting.residuals)), rhythm.waiting.residuals)
    assert (high - low) / 2 == pytest.approx(SPREAD, rel=0.1)
    assert rhythm.waiting.longest == SHORT_SECONDS  # nine in ten are shorter


def test_a_longer_message_takes_longer_to_type(rhythm: Rhythm) -> None:
    typing = rhythm.typing
    assert typing is not None
    assert typing.slopes[0] == pytest.approx(1, abs=0.1)
    assert math.exp(typing.constant + typing.slopes[0] * math.log1p(40)) == pytest.approx(
        40 * SECONDS_PER_LETTER, rel=0.1
    )


def test_hours_are_those_of_the_messages(rhythm: Rhythm) -> None:
    assert sum(rhythm.hours) == pytest.approx(1)
    assert sum(rhythm.hours[hour] for hour in (*HOURS, HOURS[-1] + 1)) == pytest.approx(1)
    assert all(rhythm.hours[hour] > 0.2 for hour in HOURS)


def test_the_last_fifth_is_held_out_and_changes_nothing() -> None:
    earlier, slow = planted_talk(40), planted_talk(10, wait_seconds=4000, from_day=40)
    with_slow = learned(chain(earlier, slow))
    assert len(with_slow.compared.held_out) == 40
    assert min(turn.at for turn in with_slow.compared.held_out) >= START + 40 * DAY
    fast = planted_talk(10, from_day=40, wait_seconds=1)
    assert learned(chain(planted_talk(40), fast)).rhythm == with_slow.rhythm
    assert max(turn.at for turn in with_slow.compared.before) < START + 40 * DAY


def test_without_times_there_is_no_rhythm() -> None:
    timeless = (say(one.speaker_id, one.text, one.position, None) for one in planted_talk(100))
    assert learn(timeless, "asya") is None


@pytest.mark.parametrize(("turns", "is_enough"), [(MIN_TURNS - 1, False), (MIN_TURNS, True)])
def test_too_few_answers_teach_nothing(turns: int, is_enough: bool) -> None:
    talk = [
        say(who, "да", 2 * turn + (who == "asya"), START + 100 * turn + 10 * (who == "asya"))
        for turn in range(round(turns / 0.8))
        for who in ("borya", "asya")
    ]
    assert (learn(talk, "asya") is not None) == is_enough


def test_what_begins_a_conversation_was_not_waited_for() -> None:
    talk = [
        say("asya", "привет", 1, START),
        say("borya", "ау", 2, START + 10),
        say("borya", "ты где", 3, START + 15),
        say("asya", "тут", 4, START + 45),
        say("asya", "иду", 5, START + 50),
        say("asya", "доброе утро", 6, START + DAY),
    ]
    first, second, third = timed_turns(talk, "asya")
    assert (first.asked, first.waited) == (None, None)
    assert (second.asked, second.waited, second.lengths, second.gaps) == (8, 30, (3, 3), (5,))
    assert (third.asked, third.waited) == (None, None)


def test_posts_have_no_rhythm() -> None:
    posts = (Utterance("a", "A", "день", "канал", n, "post", "made", START + n * 100) for n in range(200))
    assert timed_threads(posts) == []


def test_a_talk_of_two_says_nothing_of_groups(rhythm: Rhythm) -> None:
    assert rhythm.answering is None
    assert pace.speaks(rhythm, said(list(islice(planted_group(1), 3)), "asya")) is None


def test_a_group_is_learned_and_beats_answering_when_named() -> None:
    utterances = list(planted_group(200))
    found = learned(utterances)
    answering, since = found.rhythm.answering, found.compared.held_out[0].at
    assert answering is not None
    assert answering.coefficients["named"] > 1
    assert answering.coefficients["question"] > 1
    (thread,) = timed_threads(utterances)
    assert is_group_of(thread, "asya")
    held_out = [one for one in decisions(thread, "asya") if one.heard[-1].at >= since]
    right = np.array([one.spoke for one in held_out])
    model = np.array([(pace.speaks(found.rhythm, one.heard) or 0) >= answering.threshold for one in held_out])
    named = np.array([one.heard[-1].mentions_me for one in held_out])

    def f1(says: NDArray[np.bool_]) -> float:
        return float(2 * (says & right).sum() / (says.sum() + right.sum()))

    assert f1(model) > f1(named) + 0.1
    assert f1(model) > f1(np.ones_like(right)) + 0.1


def test_what_was_held_out_of_a_group_teaches_nothing() -> None:
    utterances = list(planted_group(200))
    found = learned(utterances)
    border = found.compared.held_out[0].at
    changed = [one if (one.sent_at or 0) < border else msgspec.structs.replace(one, text="Ася?") for one in utterances]
    assert learned(changed).rhythm == found.rhythm


def test_a_reply_to_ones_own_message_is_known() -> None:
    group = [
        say("asya", "иду", 1, START),
        say("vera", "жду", 2, START + 5, reply_to=1),
        say("borya", "где Ася", 3, START + 9),
    ]
    _, replied, named = said(group, "asya")
    assert (replied.is_reply_to_me, replied.mentions_me) == (True, False)
    assert (named.is_reply_to_me, named.mentions_me) == (False, True)
