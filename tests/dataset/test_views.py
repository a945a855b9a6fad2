"""Several ways to ask for a post: words of the post itself, which give most of it away in none."""

import pytest

from manera.dataset.encoding import Encoded
from manera.dataset.facts import compared, facts
from manera.dataset.notes import notes
from manera.dataset.packing import pack_ways
from manera.dataset.rewriting import Rewriting, pairs, passages
from manera.dataset.views import MAX_KEY_WORDS, MAX_LINE_WORDS, OPENING_WORDS, asked_as, views
from manera.records import Example, Message
from manera.text.stems import content_stems
from manera.text.words import words

POSTS = [
    "Утром в трамвае было тесно. Кондуктор Пётр рассказывал про новую линию до вокзала и про старые вагоны, "
    "которые ещё помнят войну. Я доехал до конца и пошёл пешком вдоль рельсов.",
    "Суп варится долго! Сначала морковь, потом картофель, потом терпение, потом ещё раз терпение и немного укропа. "
    "Повар из меня так себе, но кастрюля большая, и гости не спорят.",
    "The kettle broke again. I opened it, found nothing, closed it, and now it works: nobody knows why, and the cat "
    "looks at me as if it had known all along that kettles are like that.",
]


def test_views_are_words_of_the_post_itself() -> None:
    for post, found in zip(POSTS, views(POSTS, {}), strict=True):
        for view in filter(None, found):
            assert set(words(view)) <= set(words(post))


def test_key_words_are_few_in_their_order_and_tell_the_post_from_others() -> None:
    first, second, third = (found[0] or "" for found in views(POSTS, {}))
    for listed, post in zip((first, second, third), POSTS, strict=True):
        told = words(listed)
        assert 1 < len(told) <= MAX_KEY_WORDS
        assert sorted(told, key=words(post).index) == told
    assert "терпение" in second
    assert not set(content_stems(first)) & set(content_stems(second))


def test_a_first_line_is_quoted_and_an_opening_is_left_open() -> None:
    (_, line, opening, _), *_, (_, english, _, _) = views(POSTS, {})
    assert line == "«Утром в трамвае было тесно.»"
    assert opening == "Утром в трамвае было тесно. Кондуктор Пётр рассказывал …"
    assert len(opening.split()) == OPENING_WORDS + 1
    assert english == "“The kettle broke again.”"


@pytest.mark.parametrize("post", ["Всё.", "Ну вот и всё, друзья.", " ".join(["слово"] * (MAX_LINE_WORDS + 30))])
def test_what_would_give_most_of_a_post_away_or_is_no_line_is_left_out(post: str) -> None:
    _, line, opening, question = next(views([post], {}))
    assert line is None
    assert opening is None or len(opening.split()) - 1 <= len(post.split()) / 3
    assert question is None


def test_a_question_stands_where_there_is_one() -> None:
    assert [found[3] for found in views(POSTS, {POSTS[1]: "Как варить суп?"})] == [None, "Как варить суп?", None]


def test_an_example_is_asked_for_in_its_ways_in_turn() -> None:
    example = Example((Message("user", "a"), Message("assistant", "text")), asks=("b", "c"))
    assert [asked_as(example, way).messages[0].content for way in range(4)] == ["a", "b", "c", "a"]
    assert all(asked_as(example, way).targets == ("text",) for way in range(3))


def test_facts_are_names_numbers_and_addresses() -> None:
    text = "Вчера в Казани мы с Петром купили 3 билета по 1,5 тысячи; пиши на petr@example.org или @petr, МТС тоже ок."
    assert set(facts(text).values()) == {"Казани", "Петром", "3", "1,5", "petr@example.org", "@petr", "МТС"}


def test_a_name_is_kept_in_whatever_form_and_a_number_only_as_it_is() -> None:
    found = compared("Мы с Петром были в Казани 12 мая.", "Пётр? Петра ждали в Казань 13 мая.")
    assert (found.kept, found.lost, found.added) == (["Петром", "Казани"], ["12"], ["13"])
    assert found.share_kept == pytest.approx(2 / 3)
    assert compared("ничего такого", "и тут").share_kept == 1


def test_notes_keep_what_tells_and_no_manner() -> None:
    jotted = notes("Ну вот, дожили :) Трамвай № 5 опять встал!!! Мы с Верой ждали 40 минут… https://example.org/a")
    assert set(content_stems(jotted)) >= set(content_stems("трамвай встал Вера ждали минут"))
    assert {"5", "40", "https://example.org/a", "Верой"} <= set(jotted.replace(";", "").split())
    assert not set("!:)…№") & set(jotted.replace("https://", ""))


def test_passages_are_rewritten_whole_and_weigh_as_their_example() -> None:
    text = "Утром было тесно и очень шумно.\n\nПотом стало тихо, и все уснули."
    post = Example((Message("user", "о чём"), Message("assistant", text)), 7, 0.5, asks=("x",))
    found = list(passages([post], lambda part: len(part) < 40))
    assert [part for _, part in found] == text.split("\n\n")
    rewriting = Rewriting("Скажи: {draft}", from_notes=True)
    made = list(pairs(found, {found[0][1]: "тесно {draft}"}, rewriting))
    expected = (Message("user", "Скажи: тесно {draft}"), Message("assistant", found[0][1]))
    assert made == [Example(expected, 7, 0.5)]


def test_in_every_way_a_row_has_the_same_examples() -> None:
    short = [Encoded([1, 5, 6], [-100, 5, 6]), Encoded([1, 7], [-100, 7]), Encoded([1, 8], [-100, 8])]
    long = [Encoded([1, 2, 5, 6], [-100, -100, 5, 6]), Encoded([1, 7], [-100, 7]), Encoded([1, 2, 8], [-100, -100, 8])]
    rows = pack_ways([short, long], 7)
    assert rows.ways == 2
    learned = [[label for label in row.tolist() if label >= 0] for row in rows.labels]
    assert learned[: len(rows)] == learned[len(rows) :]
    assert rows.supervised_tokens == 4
