"""What is recalled: other forms of a word, the same in other words, and nothing where nothing is alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from manera.retrieval.recall import THRESHOLD, RecallIndex
from manera.retrieval.sentences import embed

TALK = (
    "Бабушкин кот опять спит на рояле",
    "Мы ездили на море под Анапой, вода была ледяная",
    "У меня аллергия на орехи, даже на запах",
    "Завтра сдаю экзамен по сопромату",
    "My brother moved to Lisbon last spring",
    "The dentist pulled out two of my teeth",
    "I never learned to ride a bicycle",
)


@pytest.fixture(scope="module")
def index() -> RecallIndex:
    made = RecallIndex()
    assert made.add(TALK) == range(len(TALK))
    return made


@pytest.mark.parametrize(
    ("asked", "place"),
    [("расскажи про бабушкиных котов", 0), ("экзамены сдавал?", 3), ("are you learning it? bicycles", 6)],
)
def test_other_forms_of_a_word_are_found(index: RecallIndex, asked: str, place: int) -> None:
    assert index.nearest(asked, 1)[0].place == place


@pytest.mark.parametrize(
    ("asked", "place"),
    [("where does your sibling live now?", 4), ("куда вы летали купаться?", 1), ("моряк, как погода на пляже?", 1)],
)
def test_the_same_in_other_words_is_nearest(index: RecallIndex, asked: str, place: int) -> None:
    assert index.nearest(asked, 1)[0].place == place


def test_another_language_is_nearest(index: RecallIndex) -> None:
    assert index.nearest("the cat sleeps on the piano", 1)[0].place == 0


@pytest.mark.parametrize(
    "asked", ["какая столица у Франции?", "what is the square root of two?", "ок", "🙂🙂", "", " \n"]
)
def test_nothing_is_recalled_where_nothing_is_alike(index: RecallIndex, asked: str) -> None:
    assert index.recall(asked, 5) == []


@pytest.mark.parametrize(
    "asked", ['"кот', "NEAR(кот рояль)", "кот*", "found:кот", "кот AND NOT (", "'; DROP TABLE stems;"]
)
def test_what_looks_like_a_query_is_text(index: RecallIndex, asked: str) -> None:
    assert index.nearest(asked, 3)


def test_a_very_long_text_is_added_and_asked(index: RecallIndex) -> None:
    with_long = RecallIndex()
    with_long.add([*TALK, "рояль " * 50_000])
    assert {found.place for found in with_long.nearest("рояль " * 50_000, 2)} == {7, 0}


def test_an_empty_index_recalls_nothing() -> None:
    assert RecallIndex().nearest("кот", 5) == []
    assert RecallIndex().add([]) == range(0)


def test_only_the_places_named_are_looked_at(index: RecallIndex) -> None:
    assert {found.place for found in index.nearest("кот", 5, among=[4, 5, 99])} == {4, 5}
    assert index.nearest("кот", 5, among=[]) == []


def test_similarity_orders_what_is_alike_above_the_rest(index: RecallIndex) -> None:
    similarity = {found.place: found.similarity for found in index.nearest("кот спит на рояле", len(TALK))}
    assert max(similarity, key=lambda place: similarity[place]) == 0
    assert similarity.pop(0) > THRESHOLD > max(similarity.values())


def test_vectors_made_before_are_as_good_as_made_now(index: RecallIndex) -> None:
    made = RecallIndex()
    made.add(TALK, embed(TALK))
    assert made.nearest("зубы", 3) == index.nearest("зубы", 3)


def test_what_was_removed_is_not_found_and_the_rest_keeps_its_place() -> None:
    made = RecallIndex()
    made.add(TALK)
    made.remove([0, 5, 5, 1_000])
    assert len(made) == len(TALK) - 2
    assert 0 not in {found.place for found in made.nearest("бабушкин кот на рояле", 9)}
    assert made.add(["Бабушкин кот убежал"]) == range(7, 8)
    assert made.recall("бабушкин кот", 1)[0].place == 7


def test_a_file_is_found_as_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "recall.sqlite"
    first = RecallIndex(path)
    first.add(TALK)
    first.remove([2])
    before = first.nearest("море и орехи", 5)
    first.close()
    again = RecallIndex(path)
    assert again.nearest("море и орехи", 5) == before
    assert again.add(["ещё"]) == range(7, 8)
    again.close()
    assert "аллерг".encode() not in path.read_bytes()


def test_threads_search_while_another_adds() -> None:
    shared = RecallIndex()
    shared.add(TALK)
    alone = shared.nearest("the dentist", 1)[0].place
    with ThreadPoolExecutor(8) as pool:
        adding = pool.submit(lambda: [shared.add([f"совсем другое, строка {n}"]) for n in range(50)])
        found = [one.result() for one in [pool.submit(shared.nearest, "the dentist", 1) for _ in range(100)]]
        adding.result()
    assert {one[0].place for one in found} == {alone}
    assert len(shared) == len(TALK) + 50


def test_a_direction_has_length_one() -> None:
    assert np.linalg.norm(embed(["кот", "🙂", "x" * 100_000]), axis=1) == pytest.approx(1, abs=1e-5)
