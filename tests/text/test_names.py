"""Names of people, in every case and without capitals; and words that are names elsewhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manera.text import names
from manera.text.declension import declined
from manera.text.stand_ins import StandIns


def found(text: str, *known: str) -> list[str]:
    return [name.text for name in names.found(text, frozenset(known))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("передай Ане и диме", ["Ане", "диме"]),
        ("с Серёгой на восемь", ["Серёгой"]),
        ("отдай Елене Викторовне Гусевой", ["Елене", "Викторовне", "Гусевой"]),
        ("директор А. В. Тихомиров подписал", ["Тихомиров"]),
        ("кать, ты дома?", ["кать"]),
        ("привет, дим", ["дим"]),
        ("вера, ты скоро?", ["вера"]),
        ("скажи вере что заболел", ["вере"]),
        ("мы с романом учились", ["романом"]),
        ("Света и Костя разводятся", ["Света", "Костя"]),
        ("I saw Jake's car", ["Jake"]),
        ("Will can't come", ["Will"]),
        ("ask Mrs. Delgado next door", ["Delgado"]),
        ("told emily already", ["emily"]),
        ("Отдал Кириллову ключи, Кириллов сказал спасибо", ["Кириллову", "Кириллов"]),
        ("видел Кириллова. Кирилловы приехали", ["Кириллова", "Кирилловы"]),
        ("Катин номер не отвечает", ["Катин"]),
        ("катиного кота", ["катиного"]),
        ("Мишина мама звонила", ["Мишина"]),
        ("мишина мама", ["мишина"]),
        ("сашин день рождения", ["сашин"]),
        ("это Машина мама", ["Машина"]),
        ("Katie's house and Will’s car", ["Katie", "Will"]),
        ("Will's late again", ["Will"]),
        ("I was at Mark's", ["Mark"]),
        ("June said hi", ["June"]),
    ],
)
def test_names_are_found(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "вера в людей кончилась",
        "надежда умирает последней",
        "роман дочитал за ночь",
        "слава богу доехали",
        "май был холодный",
        "света нет со вчера",
        "тем самым",
        "марка машины какая",
        "во Владимир на выходные",
        "во владимире дождь",
        "город Владимир",
        "в городе Владимире",
        "город Киров",
        "улица Чкалова",
        "на Петров пост уезжаем",
        "Ильин день",
        "анютины глазки",
        "женина кофта",
        "машина сломалась",
        "Машина друга во дворе",
        "читал Толстого в поезде",
        "Илон Маск опять запустил",
        "С Пушкиным на дружеской ноге",
        "hope you feel better",
        "will you come",
        "mark my words",
        "may I ask",
        "May I ask",
        "June was hot",
        "April's showers",
        "will you mark",
        "charlotte is a nice city they say",
        "Shakespeare is overrated",
    ],
)
def test_a_word_that_may_be_a_name_is_none_without_a_reason(text: str) -> None:
    assert found(text) == []


def test_a_name_that_is_known_here_needs_no_reason() -> None:
    assert found("вере это не понравится") == []
    assert found("вере это не понравится", "вера") == ["вере"]


@pytest.mark.parametrize(
    ("name", "gender", "forms"),
    [
        ("Аня", "f", "Аня Ани Ане Аню Аней Ане Ань"),
        ("Мария", "f", "Мария Марии Марии Марию Марией Марии Мария"),
        ("Лёша", "m", "Лёша Лёши Лёше Лёшу Лёшей Лёше Лёш"),
        ("Пётр", "m", "Пётр Петра Петру Петра Петром Петре Пётр"),
        ("Дмитрий", "m", "Дмитрий Дмитрия Дмитрию Дмитрия Дмитрием Дмитрии Дмитрий"),
        ("Санёк", "m", "Санёк Санька Саньку Санька Саньком Саньке Санёк"),
        ("Айгуль", "f", "Айгуль Айгуль Айгуль Айгуль Айгуль Айгуль Айгуль"),
    ],
)
def test_names_are_declined(name: str, gender: str, forms: str) -> None:
    assert declined(name, gender) == tuple(forms.split())  # type: ignore[arg-type]


def test_a_name_becomes_one_of_its_gender_register_and_case() -> None:
    stand_ins = StandIns()
    told = [stand_ins.without(text)[0] for text in ("Аня спит", "видел Аню", "скажи ане", "с Анечкой", "Ань, ты где")]
    nominative = told[0].removesuffix(" спит")
    assert told[1:3] == [f"видел {declined(nominative, 'f')[3]}", f"скажи {declined(nominative, 'f')[2].lower()}"]
    assert told[3].startswith("с ")
    assert told[3].endswith("ой")
    assert told[4] == f"{declined(nominative, 'f')[6]}, ты где"
    assert "Ан" not in "".join(told)


@pytest.mark.parametrize(
    ("text", "owner", "thing"),
    [("Катин номер", "Катя пришла", "номер"), ("с мишиной мамой", "Миша пришёл", "мамой")],
)
def test_what_is_somebodys_becomes_what_is_their_stand_ins(text: str, owner: str, thing: str) -> None:
    stand_ins = StandIns()
    stem = stand_ins.without(owner)[0].split()[0][:-1]
    replaced = stand_ins.without(text)[0]
    assert f"{stem}ин".lower() in replaced.lower()
    assert replaced.endswith(thing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Катина мама", "possessive"),
        ("Катин Антон", "surname"),
        ("Антон Катин", "surname"),
        ("Галина сумка", "possessive"),
        ("Галина пришла", "given"),
        ("Ирина его остановила", "given"),
        ("почерк Ирины и", "given"),
    ],
)
def test_what_a_name_is_made_for_is_told_by_the_words_beside(text: str, expected: str) -> None:
    assert expected in {name.part for name in names.found(text)}
    assert expected == "possessive" or "possessive" not in {name.part for name in names.found(text)}


def test_a_stand_in_is_not_replaced_again() -> None:
    replaced, counts = StandIns({"account petya.ivanov": "kedr.rosa"}).without("пиши @petya.ivanov")
    assert (replaced, counts) == ("пиши @kedr.rosa", {"handle": 1})


def test_two_people_stay_two() -> None:
    stand_ins = StandIns()
    names_of_girls = ("Аня", "Катя", "Лена", "Оля", "Таня", "Ира", "Юля", "Маша", "Даша", "Настя")
    assert len({stand_ins.without(f"{name} пришла")[0] for name in names_of_girls}) == len(names_of_girls)


def test_whose_manner_is_learned_keeps_their_name() -> None:
    stand_ins = StandIns(kept=["Дмитрий Орлов"])
    assert stand_ins.without("Дима, Орлову звонил Петров")[0].startswith("Дима, Орлову звонил ")
    assert "Петров" not in stand_ins.without("Дима, Орлову звонил Петров")[0]


def test_the_owners_family_and_things_keep_their_name() -> None:
    stand_ins = StandIns(kept=["Антон Кириллов", "Катя"])
    text = "Кирилловы приехали, с Кирилловыми весело, Катин номер у Кирилловых"
    assert stand_ins.without(text) == (text, {})


def test_a_speaker_with_a_nickname_gets_a_name() -> None:
    stand_ins = StandIns()
    assert stand_ins.of_speaker("xX_kitty") != "xX_kitty"
    assert stand_ins.of_speaker("xX_kitty") == stand_ins.of_speaker("xX_kitty")
    assert "Кузнецов" not in stand_ins.of_speaker("Аня Кузнецова")


@given(st.text())
@settings(deadline=None)
def test_any_text_can_be_read(text: str) -> None:
    for name in names.found(text):
        assert text[name.start : name.end] == name.text
    StandIns().without(text)
