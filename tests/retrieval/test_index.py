"""What is nearest is found as scikit-learn finds it, to the last bit, and soon."""

import random
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from manera.retrieval.index import Floats, Index, Near, character_ngrams
from manera.text.words import words
from tiny import TEXT

LINES = TEXT.strip().splitlines()


def by_scikit_learn(texts: list[str], asked: str) -> Floats:
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    matrix = vectorizer.fit_transform(texts)
    similarity: Floats = (matrix @ vectorizer.transform([asked]).T).toarray()[:, 0]
    return similarity


@pytest.mark.parametrize("asked", [*LINES, "где мои НОЖНИЦЫ?", "a", "", "ксилофон  ксилофон", "İstanbul ß 🙂🙂"])
def test_character_ngrams_are_weighed_as_by_scikit_learn(asked: str) -> None:
    texts = [*LINES, "", "🙂 да", "Ну\nи\tчто  же", *LINES[:3], "İstanbul STRASSE"]
    expected = by_scikit_learn(texts, asked)
    index = Index(texts, character_ngrams)
    assert np.array_equal(index.similarity(asked), expected)
    order = np.argsort(-expected, kind="stable")[:7]
    assert index.nearest(asked, 7) == [Near(int(place), float(expected[place])) for place in order]


@given(
    texts=st.lists(st.text(st.sampled_from("абвг \n🙂"), max_size=20), min_size=1, max_size=12), asked=st.text("абв ")
)
@settings(max_examples=200, deadline=None)
def test_any_texts_are_compared_as_by_scikit_learn(texts: list[str], asked: str) -> None:
    index = Index(texts, character_ngrams)
    if not "".join(texts).split():
        assert index.nearest(asked, 3) == []
        return
    assert np.array_equal(index.similarity(asked), by_scikit_learn(texts, asked))


@pytest.mark.parametrize("terms", [words, character_ngrams])
def test_a_text_is_nearest_to_itself_and_equals_keep_their_order(terms: Callable[[str], list[str]]) -> None:
    index = Index([*LINES, *LINES], terms)
    for place, line in enumerate(LINES):
        first, second = index.nearest(line, 2)
        assert (first.place, second.place) == (place, place + len(LINES))
        assert first.similarity == pytest.approx(1)
        assert index.coverage(line) == pytest.approx(1)
    assert [near.place for near in index.nearest("", 3)] == [0, 1, 2]


def test_terms_that_no_text_has_make_a_text_less_covered() -> None:
    index = Index(["один два", "два три"], words)
    assert index.coverage("один") == 1
    assert 0 < index.coverage("один сто") < 1
    assert index.coverage("сто") == index.coverage("") == 0
    assert Index([], words).nearest("один", 3) == Index(["", "?"], words).nearest("один", 3) == []


def test_a_hundred_thousand_messages_are_searched_in_no_time() -> None:
    rng = random.Random(1)
    known = words(TEXT)
    index = Index((" ".join(rng.choices(known, k=12)) for _ in range(100_000)), words)
    start = perf_counter()
    assert len(index.nearest(" ".join(rng.choices(known, k=40)), 5)) == 5
    assert perf_counter() - start < 0.5  # of another's processor; 0.02 s alone
