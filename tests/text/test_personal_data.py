"""What is found in talk by its pattern, and what only looks like it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import privacy
from manera.text import personal_data
from manera.text.stand_ins import StandIns

FIELDS = [
    ("звони +7 (912) 345-67-89", "phone", "+7 (912) 345-67-89"),
    ("мой 89123456789", "phone", "89123456789"),
    ("текст 8 912 345 67 89, потом", "phone", "8 912 345 67 89"),
    ("call (312) 478-9920", "phone", "(312) 478-9920"),
    ("пиши на anna.k+1@school12.org!", "e-mail", "anna.k+1@school12.org"),
    ("карта 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
    ("ИНН 7707083893", "INN", "7707083893"),
    ("СНИЛС 112-233-445 95", "SNILS", "112-233-445 95"),
    ("IBAN DE89 3704 0044 0532 0130 00", "IBAN", "DE89 3704 0044 0532 0130 00"),
    ("паспорт 45 06 123456", "passport", "45 06 123456"),
    ("живу на ул. Садовой, д. 14, кв. 7", "address", "ул. Садовой, д. 14, кв. 7"),
    ("at 482 Willow Street, Apt 9", "address", "482 Willow Street, Apt 9"),
    ("вот https://disk.ru/d?token=9fA3kQ2x тут", "link", "https://disk.ru/d?token=9fA3kQ2x"),
    ("пароль от вайфая kotiki2019", "password", "kotiki2019"),
    ("pin is 7702", "password", "7702"),
    ("пароль Qwerty12", "password", "Qwerty12"),
    ("пароль: мойкот", "password", "мойкот"),
    ("пароль 12345", "password", "12345"),
    ("ключ AKIAIOSFODNN7EXAMPLE", "key", "AKIAIOSFODNN7EXAMPLE"),
    ("спроси @vasya_slesar", "handle", "@vasya_slesar"),
    ("my SSN is 123-45-6789", "SSN", "123-45-6789"),
    ("social security number: 219099999", "SSN", "219099999"),
    ("cvv 123, не потеряй", "card code", "123"),
    ("security code is 4411", "card code", "4411"),
    ("код домофона 45К1234", "door code", "45К1234"),
    ("домофон 45#1234, второй этаж", "door code", "45#1234"),
    ("домофон 2580, заходи", "door code", "2580"),
    ("код от нашего подъезда — 2580#", "door code", "2580#"),
    ("the gate code is 4821", "door code", "4821"),
    ("code for the garage: 7733", "door code", "7733"),
    ("машина А123ВС77 во дворе", "plate", "А123ВС77"),
    ("чей а123вс197?", "plate", "а123вс197"),
    ("номер А 123 ВС 777", "plate", "А 123 ВС 777"),
    ("the license plate is 7ABC123", "plate", "7ABC123"),
    ("number plate LK53 OVX", "plate", "LK53 OVX"),
    ("login: ann_k", "login", "ann_k"),
    ("логин petrova77 для всех", "login", "petrova77"),
    ("username is bobby.k", "login", "bobby.k"),
    ("call 478-9920 tonight", "phone", "478-9920"),
]
# What the words around make of anything that stands there, and what no custom keeps free.
SAID_TO_BE = ("password", "handle", "address", "door code", "card code", "login")


@pytest.mark.parametrize(("text", "kind", "data"), FIELDS)
def test_personal_data_is_found_where_it_stands(text: str, kind: str, data: str) -> None:
    assert [(found.kind, found.text) for found in personal_data.found(text)] == [(kind, data)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "ИНН 7707083894",
        "112-233-445 96",
        "DE89 3704 0044 0532 0130 01",
        "счёт 3:1, матч 21.11.2026 в 19:30",
        "номер заказа 4815162342",
        "ip 192.168.0.14",
        "пароль не подходит",
        "пароль: забыл",
        "пароль 2019 года",
        "000-12-3456",
        "логин не подходит",
        "login page is down",
        "домофон не работает, квартира 24",
        "код двери сменили в 2019 году",
        "промокод 45678",
        "error code 404",
        "в 100 км 20 минут пешком",
        "call 555-0134",
        "score 100-1000, then nothing",
        "pin it to the top",
        "https://ru.wikipedia.org/wiki/Кошка",
        "@everyone read this",
        "git clone git@github.com:python/cpython",
    ],
)
def test_what_only_looks_like_it_is_nobodys(text: str) -> None:
    assert not personal_data.found(text)


@pytest.mark.parametrize(("text", "kind", "data"), FIELDS)
def test_a_stand_in_keeps_the_text_around_and_takes_the_data_away(text: str, kind: str, data: str) -> None:
    replaced, counts = StandIns().without(text)
    before, after = text.split(data)
    assert replaced.startswith(before)
    assert replaced.endswith(after)
    assert data not in replaced
    assert counts == {kind: 1}


@pytest.mark.parametrize("text", [text for text, kind, _ in FIELDS if kind not in SAID_TO_BE])
def test_what_stands_for_data_is_nobodys(text: str) -> None:
    replaced, _ = StandIns().without(text)
    assert not personal_data.found(replaced)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call 478-9920 or 478-9921", ["478-9920", "478-9921"]),
        ("call 312-478-9920 or 478-9921", ["312-478-9920", "478-9921"]),
        ("звони 345-67-89 или 345-67-90", ["345-67-89", "345-67-90"]),
        ("8(912)345-67-89/8(912)345-67-90", ["8(912)345-67-89", "8(912)345-67-90"]),
        ("логин/пароль: ann_k / Qwerty12", ["ann_k", "Qwerty12"]),
        ("логин ann_k, пароль Qwerty12", ["ann_k", "Qwerty12"]),
        ("4111 1111 1111 1111 12/27 123", ["4111 1111 1111 1111", "123"]),
    ],
    ids=[
        "two short numbers",
        "a long and a short one",
        "Russian",
        "with a slash",
        "login/password",
        "login and password",
        "card and its code",
    ],
)
def test_what_comes_together_is_found_together(text: str, expected: list[str]) -> None:
    assert [found.text for found in personal_data.found(text)] == expected


def test_a_number_is_replaced_alike_however_it_is_written() -> None:
    stand_ins = StandIns()
    written = [stand_ins.without(text)[0] for text in ("8 916 204-17-35", "+79162041735")]
    assert written[0].replace(" ", "").replace("-", "")[1:] == written[1][2:]
    again = StandIns(stand_ins.entries)
    assert again.without("8 916 204-17-35")[0] == written[0]


@given(st.text())
@settings(deadline=None)
def test_any_text_can_be_read(text: str) -> None:
    for found in personal_data.found(text):
        assert text[found.start : found.end] == found.text
    StandIns().without(text)


def test_most_is_found_in_labelled_lines_that_no_rule_was_made_for() -> None:
    figures = privacy.measure(privacy.lines(privacy.TEXTS / "private-test.tsv"))
    patterned = [kind for kind in figures.labelled if kind != privacy.NAME]
    found, labelled = (sum(counts[kind] for kind in patterned) for counts in (figures.recalled, figures.labelled))
    assert found / labelled >= 0.97
    assert figures.recalled[privacy.NAME] / figures.labelled[privacy.NAME] >= 0.9
    alarms, ordinary = (counts["plain"] + counts["hard"] for counts in (figures.alarms, figures.lines))
    assert alarms < 0.01 * ordinary
