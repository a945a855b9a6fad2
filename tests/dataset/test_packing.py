"""Rows of one shape hold every example whole."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.dataset.encoding import IGNORE_INDEX, Encoded
from manera.dataset.packing import Rows, pack, with_context

LENGTH = 16


@st.composite
def encoded(draw: st.DrawFn) -> Encoded:
    ids = draw(st.lists(st.integers(1, 99), min_size=1, max_size=LENGTH))
    learns = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    return Encoded(ids, [index if learn else IGNORE_INDEX for index, learn in zip(ids, learns, strict=True)])


def unpacked(rows: Rows) -> list[tuple[list[int], list[int]]]:
    found = []
    for ids, labels, segments, positions in zip(*rows.arrays(), strict=True):
        for segment in range(1, segments.max(initial=0) + 1):
            inside = segments == segment
            assert positions[inside].tolist() == list(range(int(inside.sum())))
            assert np.flatnonzero(inside).tolist() == list(
                range(int(inside.argmax()), int(inside.argmax() + inside.sum()))
            )
            found.append((ids[inside].tolist(), labels[inside].tolist()))
    return found


@given(st.lists(encoded()))
def test_packing_loses_and_cuts_nothing(examples: list[Encoded]) -> None:
    rows = pack(examples, LENGTH)
    assert sorted(unpacked(rows)) == sorted((e.input_ids, e.labels) for e in examples)
    assert rows.tokens == sum(len(e.input_ids) for e in examples)
    assert rows.supervised_tokens == sum(e.supervised_tokens for e in examples)
    padding = rows.segments == 0
    assert (rows.input_ids[padding] == 0).all()
    assert (rows.labels[padding] == IGNORE_INDEX).all()


@given(st.lists(encoded(), min_size=1))
def test_no_two_rows_would_fit_into_one(examples: list[Encoded]) -> None:
    filled = sorted((pack(examples, LENGTH).segments != 0).sum(1))
    assert len(filled) < 2 or filled[0] + filled[1] > LENGTH


def test_the_same_examples_are_packed_alike() -> None:
    examples = [Encoded([n + 1] * (n % 7 + 1), [n + 1] * (n % 7 + 1)) for n in range(50)]
    for first, second in zip(pack(examples, LENGTH).arrays(), pack(examples, LENGTH).arrays(), strict=True):
        assert (first == second).all()


def test_an_example_longer_than_a_row_is_refused_and_not_cut() -> None:
    with pytest.raises(ValueError, match="17 tokens"):
        pack([Encoded([1] * 17, [1] * 17)], LENGTH)


def test_packing_takes_time_in_proportion_to_the_examples() -> None:
    def seconds(count: int) -> float:
        ids = [list(range(200 + n % 50)) for n in range(50)]
        examples = [Encoded(ids[n % 50], ids[n % 50]) for n in range(count)]
        started = time.thread_time()
        pack(examples, 256)
        return time.thread_time() - started

    assert min(seconds(16_000) for _ in range(3)) < 20 * max(seconds(2_000), 0.005)


def test_rows_are_taken_in_the_order_asked_for() -> None:
    rows = pack([Encoded([n] * LENGTH, [n] * LENGTH) for n in (1, 2, 3)], LENGTH)
    assert rows.take([2, 0, 2]).input_ids[:, 0].tolist() == [3, 1, 3]


@given(st.lists(encoded(), min_size=1), st.data())
def test_weights_lie_under_their_labels_and_average_one(examples: list[Encoded], data: st.DataObject) -> None:
    factors = data.draw(st.lists(st.floats(0.1, 10), min_size=len(examples), max_size=len(examples)))
    rows = pack([one.weighted(factor) for one, factor in zip(examples, factors, strict=True)], LENGTH)
    if rows.weights is None:
        assert set(factors) == {1}
        return
    supervised = rows.labels != IGNORE_INDEX
    assert (rows.weights[~supervised] == 0).all()
    assert rows.weights.sum() == pytest.approx(rows.supervised_tokens, rel=1e-5)


def test_weights_keep_their_proportions_and_go_where_their_rows_go() -> None:
    light, heavy = (Encoded([n] * LENGTH, [IGNORE_INDEX, *[n] * (LENGTH - 1)]) for n in (1, 2))
    rows = pack([light, heavy.weighted(3)], LENGTH)
    for taken in (rows, rows.take([1, 0])):
        assert taken.weights is not None
        for ids, weights in zip(taken.input_ids.tolist(), taken.weights.tolist(), strict=True):
            assert weights == pytest.approx([0] + [0.5 if ids[0] == 1 else 1.5] * (LENGTH - 1))


def test_examples_that_all_weigh_one_carry_no_weights() -> None:
    assert pack([Encoded([1, 2], [1, 2]).weighted(1)], LENGTH).weights is None


def test_context_is_labelled_with_its_weight_and_what_opens_an_example_is_not() -> None:
    talk = Encoded([1, 2, 3, 4, 5, 6], [IGNORE_INDEX, IGNORE_INDEX, 3, 4, IGNORE_INDEX, 6])
    rows = with_context(pack([talk, talk.weighted(3)], LENGTH), 0.25)
    assert rows.labels[0, :12].tolist() == [IGNORE_INDEX, 2, 3, 4, 5, 6] * 2
    assert (rows.labels[0, 12:] == IGNORE_INDEX).all()
    assert rows.weights is not None
    assert rows.weights[0, :12].mean() == pytest.approx(10 / 12)
    own, context = rows.weights[0, [2, 8]], rows.weights[0, [1, 7]]
    assert own[1] / own[0] == pytest.approx(3)
    assert context / own.mean() == pytest.approx([0.25, 0.25])


def test_context_that_counts_nothing_leaves_the_rows_as_they_are() -> None:
    rows = pack([Encoded([1, 2, 3], [IGNORE_INDEX, IGNORE_INDEX, 3])], LENGTH)
    assert with_context(rows, 0) is rows
