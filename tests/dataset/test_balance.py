"""How much a thread may have, and how much a newer text weighs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.dataset.balance import DAY, age_weights, room_of, within
from manera.errors import DatasetError

ITEMS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 50)), min_size=1, max_size=60)


def kept_tokens(items: list[tuple[str, int]], per_thread: float) -> Counter[str]:
    threads, sizes = [thread for thread, _ in items], [size for _, size in items]
    texts = [f"text {number}" for number in range(len(items))]
    found: Counter[str] = Counter()
    for index in within(room_of(threads, sizes, per_thread), threads, sizes, texts):
        found[threads[index]] += sizes[index]
    return found


@given(ITEMS, st.integers(2, 300))
def test_no_thread_has_more_tokens_than_it_may(items: list[tuple[str, int]], most: int) -> None:
    assert all(tokens <= most for tokens in kept_tokens(items, most).values())


@given(ITEMS, st.floats(0.01, 1))
def test_a_share_is_one_of_what_is_left_or_is_refused(items: list[tuple[str, int]], share: float) -> None:
    threads, sizes = [thread for thread, _ in items], [size for _, size in items]
    totals: Counter[str] = Counter()
    for thread, size in items:
        totals[thread] += size
    if share * len(totals) < 1:
        with pytest.raises(DatasetError, match=f"their number is {len(totals)}"):
            room_of(threads, sizes, share)
        return
    room = room_of(threads, sizes, share)
    everything = sum(min(total, room[thread]) for thread, total in totals.items())
    # what is cut is cut to whole tokens
    assert all(min(total, room[thread]) <= share * everything + len(totals) for thread, total in totals.items())


def test_what_is_small_enough_is_kept_whole() -> None:
    items = [("a", 10)] * 10 + [("b", 10)] * 5 + [("c", 10)] * 5
    assert kept_tokens(items, 0.5) == {"a": 100, "b": 50, "c": 50}
    assert kept_tokens(items, 0.4) == {"a": 60, "b": 50, "c": 50}
    assert kept_tokens(items, 1 / 3) == {"a": 50, "b": 50, "c": 50}
    assert kept_tokens(items, 70) == {"a": 70, "b": 50, "c": 50}


def test_which_items_are_kept_does_not_depend_on_their_order() -> None:
    texts, sizes = [f"text {number}" for number in range(30)], [7] * 30
    room = {"a": 70}
    kept = {texts[index] for index in within(room, ["a"] * 30, sizes, texts)}
    backwards = texts[::-1]
    assert {backwards[index] for index in within(room, ["a"] * 30, sizes, backwards)} == kept
    assert len(kept) == 10


def test_the_newest_text_weighs_twice_as_much_as_one_a_half_life_older() -> None:
    times = [0, 30 * DAY, 60 * DAY, 60 * DAY]
    oldest, middle, newest, twin = age_weights(times, [5, 5, 5, 5], half_life=30)
    assert newest == twin == pytest.approx(2 * middle) == pytest.approx(4 * oldest)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 500)), min_size=1, max_size=40), st.floats(0.5, 5000))
def test_weights_average_one_token_by_token(items: list[tuple[int, int]], half_life: float) -> None:
    times, sizes = [time for time, _ in items], [size for _, size in items]
    weights = age_weights(times, sizes, half_life)
    assert sum(weight * size for weight, size in zip(weights, sizes, strict=True)) == pytest.approx(sum(sizes))


def test_a_text_without_a_time_weighs_one_and_no_times_at_all_are_refused() -> None:
    assert age_weights([0, None, 90 * DAY], [1, 1, 1], half_life=9)[1] == 1
    with pytest.raises(DatasetError, match="nothing here says when it was written"):
        age_weights([None, None], [1, 1], half_life=9)
