"""What a post is about, as somebody would ask for it: in the right case, and the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.dataset import english_phrases, russian_phrases
from manera.dataset.lexing import is_word, pieces
from manera.dataset.topics import topics

MAX_WORDS = 10
"""Two phrases of an adjective, a noun and a genitive, what joins them, and what asks for them."""


def russian(text: str, case: str = "nomn") -> list[str]:
    (found,) = russian_phrases.phrases([pieces(text)])
    return [phrase.in_case(case) for phrase in found]


def english(text: str) -> list[str]:
    (found,) = english_phrases.phrases([pieces(text)])
    return [phrase.determined() for phrase in found]


@pytest.mark.parametrize(
    ("text", "nominative"),
    [
        ("Мы варили кашу.", "каша"),
        ("Ходили мы за грибами.", "грибы"),
        ("Вы стоите у моей двери.", "дверь"),
        ("Сняли мы ёлку.", "ёлка"),
    ],
)
def test_a_noun_is_named_in_the_nominative_and_in_its_number(text: str, nominative: str) -> None:
    assert russian(text) == [nominative]


def test_an_adjective_agrees_with_its_noun_in_every_case() -> None:
    text = "Он стоял у общего снимка с белой чашкой и спортивным козлом."
    assert russian(text) == ["общий снимок", "белая чашка", "спортивный козёл"]
    assert russian(text, "accs") == ["общий снимок", "белую чашку", "спортивного козла"]
    assert russian(text, "loct") == ["общем снимке", "белой чашке", "спортивном козле"]


def test_an_adjective_of_another_noun_stays_away() -> None:
    assert russian("Он был весёлый, кота кормил.") == ["кот"]


def test_a_genitive_stays_with_its_noun() -> None:
    assert russian("Мы считали сохранение мастерства.", "loct")[0] == "сохранении мастерства"


def test_what_is_counted_in_figures_is_a_measure() -> None:
    assert russian("Прошёл 31 градус, а потом 8 долгих минут.") == []


def test_sayings_are_about_nothing_that_they_name() -> None:
    assert russian("В конце концов мы помогли друг другу и шли друг за другом.") == []


def test_a_noun_that_more_of_the_posts_speak_of_is_meant() -> None:
    found = russian_phrases.phrases([pieces("Вот и снимок."), pieces("Много снимков, у снимка мы.")])
    assert [phrase.in_case("accs") for phrases in found for phrase in phrases] == ["снимок", "снимки", "снимок"]


def test_what_the_dictionary_does_not_know_stays_as_it_stands() -> None:
    text = "Мы видели WordPress и Raspberry Pi с шлюмбриками."
    for case in ("nomn", "accs", "loct"):
        assert russian(text, case) == ["WordPress", "Raspberry Pi"]
    assert topics(["Шлюмбриками!"]) == ["шлюмбриками"]


def test_a_new_noun_is_known_by_its_forms() -> None:
    assert "бэкапы" in russian("Делали мы бэкап. Потом много бэкапов, и вот бэкапы.", "accs")


def test_names_keep_their_capitals_and_others_do_not() -> None:
    assert russian("Каша стыла. Мы ждали Архимеда и НИИ, ждали и Лопухова.") == ["каша", "Архимед", "НИИ"]


def test_code_and_addresses_are_no_words() -> None:
    assert pieces("Вот `git push` и ![снимок](a.png) на https://example.org/x да [блог](x.md)") == [
        *("Вот", "…", "и", "…", "на", "…", "да", "[", "блог", "…"),
    ]


def test_an_english_noun_stands_between_small_words_with_its_article() -> None:
    assert english("It was a night bus. The bus stopped. I saw their dog.") == ["a night bus", "the dog"]


def test_an_english_verb_is_no_noun() -> None:
    assert english("The neighbour appears. He quickly ate.") == []


def test_topics_are_what_tells_a_post_from_the_others() -> None:
    assert topics(
        [
            "Сегодня наша кошка поймала мышку, кошку хвалили за мышку.",
            "Сегодня наша собака закопала косточку.",
            "Сегодня наш рыбак утопил удочку.",
            "Сегодня соседи пели в лифте.",
            "Сегодня бабушка чинила утюг.",
            "Сегодня обезьяна ждала автобус.",
        ]
    ) == [
        "кошка и мышка",
        "о собаке и косточке",
        "рыбак и удочка",
        "про соседей и лифт",
        "бабушка и утюг",
        "об обезьяне и автобусе",
    ]


def test_each_post_is_asked_for_in_its_own_language() -> None:
    assert topics(["Вот и весна.", "It was a rainy night.", "Обезьяна."]) == ["весна", "rainy night", "об обезьяне"]


def test_a_post_without_a_noun_is_asked_for_by_its_first_words() -> None:
    assert topics(["Ну вот и всё, приехали!", "So here we are again."]) == ["ну вот и всё", "so here we are"]


WORDS = "белый кот кота сидит на дороге друг другу 5 . the a dog bus runs WordPress НИИ"
POSTS = st.lists(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(WORDS.split())).map(" ".join),
    ),
    max_size=5,
)


@given(POSTS)
def test_a_post_with_a_word_has_a_short_topic_and_the_same_each_time(posts: list[str]) -> None:
    found = topics(posts)
    assert found == topics(posts)
    for post, topic in zip(posts, found, strict=True):
        assert bool(topic) == any(map(is_word, pieces(post)))
        assert len(topic.split()) <= MAX_WORDS
