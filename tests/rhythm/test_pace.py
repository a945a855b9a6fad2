"""How long a bot waits: never longer than a bound, in a moment where it is to be brisk, and not at all where asked."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.rhythm import pace
from manera.rhythm.answering import features, is_named, probability
from manera.rhythm.record import Answering, Delay, Pace, Rhythm, Said

SLOW = Delay(constant=5.0, slopes=(0.1, 0.2), residuals=(-2.0, 0.0, 9.0), median=150.0, longest=900.0)
TYPING = Delay(constant=0.0, slopes=(0.5,), residuals=(-0.5, 0.0, 0.5), median=5.0, longest=30.0)
RHYTHM = Rhythm(bubbles=(0.25, 0.75), waiting=SLOW, typing=TYPING, hours=(1 / 24,) * 24, turns=100)


@given(st.integers(), st.text(max_size=5000), st.text(max_size=5000))
def test_every_pace_has_its_bound(seed: int, asked: str, answer: str) -> None:
    paces: dict[Pace, tuple[float, float]] = {
        "real": (SLOW.longest, TYPING.longest),
        "brisk": (pace.BRISK_WAITING, pace.BRISK_TYPING),
        "none": (0.0, 0.0),
    }
    for mode, (longest_wait, longest_gap) in paces.items():
        assert 0 <= pace.waiting(RHYTHM, asked, answer, Random(seed), mode) <= longest_wait
        assert 0 <= pace.gap(RHYTHM, answer, Random(seed), mode) <= longest_gap


@given(st.integers())
def test_brisk_is_never_slower_and_keeps_the_order(seed: int) -> None:
    one, other = Random(seed), Random(seed)
    real = [pace.waiting(RHYTHM, "что?", "да", one) for _ in range(20)]
    brisk = [pace.waiting(RHYTHM, "что?", "да", other, "brisk") for _ in range(20)]
    assert all(quick <= slow for quick, slow in zip(brisk, real, strict=True))
    assert sorted(range(20), key=brisk.__getitem__) == sorted(range(20), key=real.__getitem__)


def test_the_same_seed_waits_alike() -> None:
    assert pace.waiting(RHYTHM, "а", "б", Random(7)) == pace.waiting(RHYTHM, "а", "б", Random(7))


def test_bubbles_are_drawn_by_their_shares() -> None:
    rng = Random(0)
    drawn = [pace.bubbles(RHYTHM, rng) for _ in range(4000)]
    assert set(drawn) == {1, 2}
    assert drawn.count(2) / len(drawn) == pytest.approx(0.75, abs=0.03)


def test_without_a_rhythm_the_usual_rule_holds() -> None:
    low, high = pace.USUAL
    assert low <= pace.waiting(None, "а", "б", Random(1)) <= high
    assert low <= pace.gap(None, "б", Random(1), "brisk") <= high
    assert pace.waiting(None, "а", "б", Random(1), "none") == 0
    assert pace.bubbles(None, Random(1)) == 1
    assert pace.speaks(None, []) is None


def test_nobody_answers_themselves_and_being_named_counts() -> None:
    model = Answering(constant=-2.0, coefficients={"named": 4.0}, threshold=0.5)
    group = Rhythm(RHYTHM.bubbles, SLOW, TYPING, RHYTHM.hours, 100, model)
    own = Said("asya", "иду", 10, is_mine=True)
    named, other = Said("vera", "Ася?", 20, mentions_me=True), Said("vera", "жду", 20)
    assert pace.speaks(group, [other, own]) == pace.speaks(group, []) == 0.0
    assert (pace.speaks(group, [own, named]) or 0) > 0.8
    assert (pace.speaks(group, [own, other]) or 1) < 0.2


def test_features_tell_where_a_talk_stands() -> None:
    own, other = Said("asya", "иду", 100, is_mine=True), Said("vera", "жду", 130)
    just_after = features([own, other], RHYTHM.hours)
    later = features([own, other, Said("vera", "ну где ты?", 7000)], RHYTHM.hours)
    never = features([other], RHYTHM.hours)
    assert (just_after["follows_own"], later["follows_own"], never["follows_own"]) == (1, 0, 0)
    assert just_after["seconds_since_own"] < later["seconds_since_own"] < never["seconds_since_own"]
    assert (just_after["same_sender"], later["same_sender"]) == (0, 1)
    assert later["question"] == 1


def test_a_coefficient_of_an_unknown_feature_counts_for_nothing() -> None:
    assert probability(Answering(0.0, {"gone": 5.0}, 0.5), {"new": 3.0}) == 0.5


@pytest.mark.parametrize(
    ("text", "name", "is_meant"),
    [
        ("Ася, ты где", "Ася Тест", True),
        ("спроси у Аси", "Ася Тест", True),
        ("скажи асе", "Ася Тест", True),
        ("пусть Борис решает", "Борис", True),
        ("спроси Бориса", "Борис", True),
        ("это верно", "Вера", False),
        ("у Тестовых был", "Ася Тест", False),
        ("ask Anna's mother", "Anna K.", True),
        ("that is annoying", "Ann", False),
        ("а", "А", False),
        ("привет", "", False),
    ],
)
def test_a_first_name_is_known_in_its_cases(text: str, name: str, is_meant: bool) -> None:
    assert is_named(text, name) == is_meant
