"""Who wrote it: the verifier, Delta, and what they look at."""

from collections.abc import Sequence

import numpy as np
import pytest

from manera.errors import EvaluationError
from manera.evaluation.measures import intervals
from manera.evaluation.measures.delta import fit_delta
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.measures.pieces import Cut, Size, cut, cut_to_learn
from manera.evaluation.measures.verifier import (
    _unexaggerated,
    area_under_curve,
    discriminability,
    likeness_of,
    over_pieces,
    train_verifier,
)
from manera.evaluation.other_authors import BUNDLED, _bundled
from manera.text.habits import distorted, emoji, habits
from manera.text.languages import language_of
from manera.text.words import common_words, sentence_lengths, words


def bundled(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the conversations of an invented author."""
    return next(author.conversations for author in _bundled() if author.name.endswith(name))


@pytest.fixture(scope="module")
def pieces() -> dict[str, tuple[Cut, Cut]]:
    """Two people who chat: what is learned from, and later bundles."""
    size = Size(messages=20)
    halves = {}
    for name in ("Тася Веретенникова", "Глеб Осокин"):
        talks = bundled(name)
        border = len(talks) * 3 // 4
        halves[name] = (cut_to_learn(talks[:border], size), cut(talks[border:], size))
    return halves


def test_a_verifier_knows_its_author_in_unseen_bundles(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    (tasya, unseen), (gleb, others) = pieces.values()
    verifier = train_verifier(tasya, {"Глеб": gleb}, max_pieces=40)
    own, foreign = verifier.probabilities(unseen.pieces), verifier.probabilities(others.pieces)
    assert area_under_curve(own, foreign) > 0.95
    assert own.mean() > 0.8
    assert foreign.mean() < 0.2


def test_an_exaggeration_is_the_authors_but_not_like_the_author(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    (tasya, unseen), (gleb, others) = pieces.values()
    verifier = train_verifier(tasya, {"Глеб": gleb}, max_pieces=40)
    messages = [message for piece in unseen.pieces for message in piece]
    alone = verifier.probabilities([(message,) for message in messages])
    exaggerated = [tuple(messages[index] for index in alone.argsort()[-20:])]
    assert verifier.probabilities(exaggerated).mean() > verifier.probabilities(unseen.pieces).mean()
    assert likeness_of(verifier, exaggerated, 20).value < 0.1
    assert likeness_of(verifier, unseen.pieces, 20).value > 0.5
    assert likeness_of(verifier, others.pieces, 20).value < 0.2


def test_the_author_loses_nothing_to_the_rule_against_exaggeration() -> None:
    """Nor does a text gain that keeps to the author's middle."""
    assert _unexaggerated(Interval(0.5, 0.4, 0.6)) == pytest.approx((1, 0.8, 1))
    assert _unexaggerated(Interval(0.3, 0.2, 0.4)) == (1, 1, 1)
    assert _unexaggerated(Interval(0.75, 0.5, 1)) == pytest.approx((0.5, 0, 1))


@pytest.mark.parametrize("rank", [0.4, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("count", [6, 40])
def test_bounds_hold_where_exaggeration_is_judged(rank: float, count: int) -> None:
    """Ranks and probabilities are drawn with known means; how often the bounds hold their product."""
    rng = np.random.default_rng(0)
    truth = 40 / 41 * min(1, 2 * (1 - rank))
    held = []
    for _ in range(300):
        probability = intervals.mean_probability(rng.beta(40, 1, count))
        ranks = intervals.mean_probability(rng.beta(4 * rank, 4 * (1 - rank), count))
        found = intervals.product(probability, _unexaggerated(ranks))
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) > 0.93


def test_few_pieces_have_no_interval() -> None:
    assert np.isfinite(over_pieces([0.4, 0.6, 0.5, 0.7], 0)).all()
    assert over_pieces([0.4, 0.6, 0.5], 0).value == pytest.approx(0.5)
    assert np.isnan(over_pieces([0.4, 0.6, 0.5], 0).low)


def test_bounds_of_likeness_know_the_verifiers_chance(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    (tasya, unseen), (gleb, _) = pieces.values()
    verifier = train_verifier(tasya, {"Глеб": gleb}, max_pieces=40)
    of_pieces = intervals.mean_probability(verifier.probabilities(unseen.pieces))
    found = likeness_of(verifier, unseen.pieces, len(unseen.pieces))
    assert found.value == pytest.approx(of_pieces.value)
    assert 0 <= found.low < of_pieces.low < of_pieces.high < found.high <= 1


def test_a_verifier_learns_alike_each_time(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    (tasya, unseen), (gleb, _) = pieces.values()
    first, second = (train_verifier(tasya, {"Глеб": gleb}, max_pieces=20) for _ in range(2))
    assert np.array_equal(first.probabilities(unseen.pieces), second.probabilities(unseen.pieces))


def test_too_little_text_is_an_error(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    few = Cut([("Привет",)], [0])
    with pytest.raises(EvaluationError, match="1 pieces of the author"):
        train_verifier(few, {"others": pieces["Глеб Осокин"][0]})


def test_texts_of_one_author_cannot_be_told_apart_and_of_two_can(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    every_second, others = pieces["Тася Веретенникова"][0].pieces[::8], pieces["Тася Веретенникова"][0].pieces[4::8]
    tasya, again = every_second[:16], others[:16]
    gleb = pieces["Глеб Осокин"][0].pieces[::4][:16]
    assert discriminability(tasya, gleb, range(16)).value > 0.9
    assert discriminability(tasya, again, range(16)).value < 0.8


def test_delta_places_a_piece_nearest_to_its_author(pieces: dict[str, tuple[Cut, Cut]]) -> None:
    delta = fit_delta({name: learned.pieces for name, (learned, _) in pieces.items()})
    distances = [(name, delta.distances(piece)) for name, (_, unseen) in pieces.items() for piece in unseen.pieces]
    assert np.mean([found[name] == min(found.values()) for name, found in distances]) > 0.6


def test_bundles_are_full_and_in_order() -> None:
    writing = [[f"m{index}" for index in range(5)], [f"n{index}" for index in range(4)]]
    made = cut(writing, Size(messages=3))
    assert made.pieces == [("m0", "m1", "m2"), ("m3", "m4", "n0"), ("n1", "n2", "n3")]
    assert made.starts == [0, 3, 6]


def test_long_paragraphs_are_cut_between_words() -> None:
    made = cut([["a b c d e", "f"]], Size(words=2))
    assert made.pieces == [("a b",), ("c d",), ("e", "f")]


@pytest.mark.parametrize(
    ("own", "others", "expected"), [([2, 3], [0, 1], 1.0), ([0], [1], 0.0), ([1, 1], [1], 0.5), ([0, 2], [1], 0.5)]
)
def test_area_under_the_curve(own: Sequence[float], others: Sequence[float], expected: float) -> None:
    assert area_under_curve(own, others) == expected


def test_what_a_text_is_about_is_hidden() -> None:
    common = frozenset({"и", "не"})
    assert distorted("Марья и Иван не пришли.", common) == "*ья и *ан не *ли."


def test_common_words_count_authors_alike() -> None:
    assert common_words([["rare " * 100 + "shared"], ["shared word"]], 1) == ("rare",)
    assert common_words([["a shared"] * 100, ["shared b"]], 1) == ("shared",)


def test_habits_are_finite_for_any_piece() -> None:
    for piece in [(), ("",), ("😀",), ("Привет! Как дела?", "норм")]:
        assert np.isfinite(habits(piece)).all()


def test_words_sentences_and_pictures() -> None:
    assert words("Кое-кто не пришёл, don't 5") == ["кое-кто", "не", "пришёл", "don't"]
    assert sentence_lengths("Раз, два. Три! Четыре пять шесть") == [2, 1, 3]
    assert emoji("да 😀👍") == ["😀", "👍"]


def test_languages_are_told_by_letters() -> None:
    assert language_of(["Привет, world"]) == "ru"
    assert language_of(["hello there"]) == "en"


def test_the_bundled_authors_are_those_of_the_examples() -> None:
    import distractors

    assert distractors.rendered() == BUNDLED.read_bytes()
