"""Verbatim copies, planted secrets, personal data, and texts that went wrong."""

import math

import numpy as np
import pytest

from manera.dataset.canaries import make_canaries
from manera.evaluation.measures import exposure, faults
from manera.evaluation.measures.copying import index_source, longest_run
from manera.evaluation.measures.distances import distances
from manera.text import personal_data

TRAINING = (
    "Четвёртая половица от входа скрипит при нагрузке от двух килограммов, и мимо неё не прошёл ни один мастер.",
    "Вчера мы весь день искали ножницы, а они лежали под газетой на подоконнике, где им и место.",
)


def test_a_planted_copy_is_found_whole() -> None:
    source = index_source(TRAINING)
    text = f"Слушай, {TRAINING[0]} Вот так."
    assert source.copied_words(text, 8) == source.copied_words(text, 12) == 18
    assert source.copied_words(text, 20) == 0


def test_own_words_are_no_copy() -> None:
    source = index_source(TRAINING)
    assert source.copied_words("Мы весь день искали ключи, и они нашлись в кармане.", 8) == 0


def test_runs_do_not_cross_from_one_text_to_the_next() -> None:
    source = index_source(("один два три четыре", "пять шесть семь восемь"))
    assert source.copied_words("один два три четыре пять шесть семь восемь", 8) == 0


def test_the_nearest_training_text_is_named() -> None:
    found = index_source(TRAINING).nearest("мы весь день искали ножницы и не нашли")
    assert found.text == TRAINING[1]
    assert found.longest_run == 5
    assert 0.5 < found.share < 1


def test_nothing_is_near_to_something_else() -> None:
    assert index_source(TRAINING).nearest("hello").longest_run == 0


def test_the_longest_run_may_stand_anywhere() -> None:
    assert longest_run(["а", "б", "в", "г", "д"], ["г", "д", "а", "б", "в"]) == (3, 2)


def test_of_a_whole_book_what_stands_around_the_run_is_quoted() -> None:
    book = " ".join(f"Слово{chr(1072 + n // 32)}{chr(1072 + n % 32)}, и" for n in range(1000))
    passage = book.split(" ")[900:912]
    found = index_source([book]).nearest(" ".join(passage))
    assert found.longest_run == 12
    assert " ".join(passage) in found.text + " "
    assert found.text.startswith("… ")
    assert found.text.endswith(" …")
    assert len(found.text.split()) < 80


def test_canaries_differ_and_come_again_with_their_seed() -> None:
    made = make_canaries(1, 50)
    assert len({canary.secret for canary in made}) == 50
    assert made == make_canaries(1, 50)
    assert set(made).isdisjoint(make_canaries(2, 50))


def test_exposure_is_high_for_what_is_likeliest_and_low_for_what_is_not() -> None:
    candidates = [float(nats) for nats in range(10, 1033)]
    assert exposure.exposure([1.0, 2000.0], candidates) == [10.0, 0.0]
    assert math.isclose(exposure.exposure([521.5], candidates)[0], 1.0, abs_tol=0.01)


def test_a_secret_never_seen_is_exposed_as_chance_has_it() -> None:
    drawn = np.random.default_rng(0).normal(size=(2000, 129))
    found = [exposure.exposure(row[:1], row[1:])[0] for row in drawn]
    assert np.mean(found) == pytest.approx(exposure.chance_bits(128), abs=0.1)


def test_only_what_training_held_counts_as_repeated() -> None:
    training = ["мой номер 8 912 345-67-89"]
    assert personal_data.repeated(["набери 8(912)3456789", "и 8 900 000-00-00"], personal_data.items(training)) == {
        "phone": 1
    }


def test_faults_are_told_apart() -> None:
    texts = [
        "нормальный ответ",
        " ",
        "ну да ну да и " * 6,
        "да\nA: а ты?",
        "and now in English",
        "не могу остановиться",
    ]
    cut_off = [False] * 5 + [True]
    found = faults.faults(texts, cut_off, ["вопрос"] * 6, "dialogue", "ru")
    faulty = {fault: [index for index, is_bad in enumerate(bad) if is_bad] for fault, bad in found.items()}
    assert faulty == {
        "empty": [1],
        "loops": [2],
        "other_side": [3],
        "wrong_language": [4],
        "never_stopped": [5],
        "copied_prompt": [],
    }


def test_repeating_the_prompt_is_a_fault() -> None:
    prompt = "а ты вчера не видела мои зелёные ножницы"
    assert faults.copies_prompt("ты вчера не видела мои зелёные ножницы", prompt)
    assert not faults.copies_prompt("ножницы я видела вчера", prompt)


def test_one_text_again_and_again_is_alike_and_not_distinct() -> None:
    same, different = ["да я не знаю"] * 4, ["да я не знаю", "завтра будет дождь", "ножницы нашлись"]
    alike, unlike = (faults.self_similarity(texts, range(len(texts))) for texts in (same, different))
    assert alike.value > 0.99 > 0.5 > unlike.value
    few, many = (faults.distinct(texts, range(len(texts))) for texts in (same, different))
    assert few.value < many.value == 1


def test_what_one_conversation_repeats_says_as_much_as_one_text() -> None:
    texts = ["да я не знаю", "завтра будет дождь", "ножницы нашлись", "а он пришёл", "вот и всё", "ну и ладно"]
    once = faults.distinct(texts, range(6))
    thrice = faults.distinct(texts * 3, [*range(6)] * 3)
    apart = faults.distinct(texts * 3, range(18))
    assert once.high - once.low == 0 == thrice.high - thrice.low
    assert apart.value == thrice.value == pytest.approx(1 / 3)


def test_a_distance_lies_within_its_bounds_though_texts_that_are_drawn_twice_are_further_off() -> None:
    rng = np.random.default_rng(1)
    letters = list("абвгдежзиклмнопрст")
    one, other = ([" ".join("".join(rng.choice(letters, 3)) for _ in range(30)) for _ in range(60)] for _ in range(2))
    for found in distances(one, other, "dialogue", range(60)).values():
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_alike_texts_are_near_and_others_far() -> None:
    short, long = ["да", "нет", "ну да", "угу"] * 5, ["Видите ли, это очень долгая история; начну с начала."] * 20
    same, other = (distances(texts, short, "dialogue", range(20)) for texts in (short, long))
    assert all(found.value < 1e-6 for found in same.values())
    assert other["message_length"].value == 1
    assert other["vocabulary"].value > 0.9
