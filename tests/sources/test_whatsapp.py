"""WhatsApp's text, as phones of several makers and languages write it."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.records import count_characters
from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances

ANDROID_RU = """\
12.03.2024, 18:04 - Сообщения и звонки защищены сквозным шифрованием. Подробнее.
12.03.2024, 18:05 - Ася Тест: Привет!
Ты взял ключи?

Они на полке.
12.03.2024, 18:05 - Ася Тест: <Без медиафайлов>
12.03.2024, 18:06 - Боря: Взял. И термос <Сообщение изменено>
12.03.2024, 18:07 - Боря: IMG-20240312-WA0003.jpg (файл добавлен)
Вот он
12.03.2024, 18:07 - Боря: PTT-20240312-WA0004.opus (файл добавлен)
12.03.2024, 18:08 - Ася Тест: Данное сообщение удалено
12.03.2024, 18:08 - Боря: Вы удалили данное сообщение
12.03.2024, 18:09 - Ася Тест: https://example.org/a
12.03.2024, 18:10 - Ася Тест: null
12.03.2024, 18:11 - Ася Тест: ОПРОС:
Когда?
ВАРИАНТ: завтра (голосов: 2)
"""
ANDROID_DE = """\
01.02.24, 08:15 - Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.
01.02.24, 08:15 - Jana: Guten Morgen
01.02.24, 08:16 - Uwe: <Medien ausgeschlossen>
01.02.24, 08:16 - Jana: Diese Nachricht wurde gelöscht.
01.02.24, 08:17 - Uwe: Schön: um 9:30 Uhr?
01.02.24, 08:18 - Jana: Standort: https://maps.google.com/?q=52.1,13.2
01.02.24, 08:19 - Uwe hat den Betreff von „Ausflug“ zu „Ausflug: See“ geändert.
01.02.24, 08:20 - Jana: Verpasster Videoanruf
"""
IOS_EN = """\
\u200e[3/4/24, 9:05:01\u202fAM] Garden: \u200eMessages and calls are end-to-end encrypted.
[3/4/24, 9:05:01\u202fAM] \u202a+1 555 010\u202c: hello there
\u200e[3/4/24, 9:06:02\u202fPM] ~\u202fNev: \u200eimage omitted
\u200e[3/14/24, 9:06:02\u202fPM] Ann: look at this \u200e<attached: 00000012-PHOTO-2024-03-14.jpg>
[3/14/24, 12:06:02\u202fAM] Ann: nice \u200e<This message was edited>
\u200e[3/14/24, 12:06:02\u202fAM] Ann: \u200eYou deleted this message.
"""


def test_an_android_chat_in_russian(tmp_path: Path) -> None:
    records = read_text(tmp_path / "Чат WhatsApp с Ася Тест.txt", ANDROID_RU)
    assert talk(records) == [
        ("Ася Тест", "Привет!\nТы взял ключи?\n\nОни на полке."),
        ("Боря", "Взял. И термос"),
        ("Боря", "Вот он"),
    ]
    assert reasons(records) == [
        *("service message", "media without text", "voice message", "deleted message", "deleted message"),
        *("nothing but a link", "unsupported message", "poll"),
    ]
    assert cuts(records).keys() == {"mark of editing", "attachment", "dates, names and marks"}
    assert {said.thread for said in utterances(records)} == {"Ася Тест"}
    assert owners(records) == [("Боря", False)]
    assert utterances(records)[0].sent_at == datetime(2024, 3, 12, 18, 5, tzinfo=UTC).timestamp()
    assert ledger(records).characters.read == count_characters(ANDROID_RU)


def test_an_android_chat_in_german(tmp_path: Path) -> None:
    records = read_text(tmp_path / "WhatsApp Chat mit Jana.txt", ANDROID_DE)
    assert talk(records) == [("Jana", "Guten Morgen"), ("Uwe", "Schön: um 9:30 Uhr?")]
    assert reasons(records) == [
        *("service message", "media without text", "deleted message", "location", "service message", "call")
    ]
    assert owners(records) == [("Uwe", False)]
    assert utterances(records)[0].sent_at == datetime(2024, 2, 1, 8, 15, tzinfo=UTC).timestamp()


def test_an_iphone_s_chat_in_english_with_twelve_hours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "WhatsApp Chat - Garden.zip", "w") as archive:
        archive.writestr("_chat.txt", IOS_EN.replace("\n", "\r\n"))
    records = list(read([tmp_path / "WhatsApp Chat - Garden.zip"]))
    assert talk(records) == [("+1 555 010", "hello there"), ("Ann", "look at this"), ("Ann", "nice")]
    assert reasons(records) == ["service message", "photo without text", "deleted message"]
    assert {said.thread for said in utterances(records)} == {"Garden"}
    assert owners(records) == [("Ann", False)]
    times = [datetime(2024, 3, 4, 9, 5, 1), datetime(2024, 3, 14, 21, 6, 2), datetime(2024, 3, 14, 0, 6, 2)]
    assert [said.sent_at for said in utterances(records)] == [time.replace(tzinfo=UTC).timestamp() for time in times]
    assert ledger(records).characters.read == count_characters(IOS_EN)


@pytest.mark.parametrize(
    ("days", "first"),
    [
        (["03/04/24", "25/04/24"], datetime(2024, 4, 3)),
        (["03/04/24", "03/25/24"], datetime(2024, 3, 4)),
        (["05/01/24", "04/02/24", "03/03/24"], datetime(2024, 1, 5)),
        (["01/05/24", "02/04/24", "03/03/24"], datetime(2024, 1, 5)),
        (["2024-03-04", "2024-03-05"], datetime(2024, 3, 4)),
        (["03/04/24", "03/04/24"], datetime(2024, 4, 3)),
    ],
)
def test_the_order_of_day_and_month_is_read_from_the_whole_file(
    days: list[str], first: datetime, tmp_path: Path
) -> None:
    chat = "\n".join(f"{day}, 10:00 - Ann: hi" for day in [*days, days[-1]])
    said = utterances(read_text(tmp_path / "chat.txt", chat))
    assert said[0].sent_at == first.replace(hour=10, tzinfo=UTC).timestamp()


def test_without_a_sign_a_slash_and_twelve_hours_are_american(tmp_path: Path) -> None:
    said = utterances(read_text(tmp_path / "chat.txt", "3/4/24, 6:05 PM - Ann: hi\n3/4/24, 6:06 PM - Bob: yo"))
    assert said[0].sent_at == datetime(2024, 3, 4, 18, 5, tzinfo=UTC).timestamp()


def test_what_is_no_date_goes_on_with_the_message(tmp_path: Path) -> None:
    chat = "12.03.24, 10:00 - Аня: раз\n99.99.24, 10:00 - Боря: два\n12.03.24, 10:61 - Боря: три\n"
    records = read_text(tmp_path / "chat.txt", chat + "12.03.24, 10:01 - Боря: четыре")
    assert talk(records) == [
        ("Аня", "раз\n99.99.24, 10:00 - Боря: два\n12.03.24, 10:61 - Боря: три"),
        ("Боря", "четыре"),
    ]


def test_a_broken_file_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    chat = "…ние из середины\n12.03.24, 10:00 - Аня: при\n12.03.24, 10:01 - Аня: пока".encode()[:-1] + b"\xff\n"
    records = read_text(tmp_path / "chat.txt", chat)
    assert talk(records)[0] == ("Аня", "при")
    assert reasons(records) == ["text before the first message"]
    assert sum(ledger(records).mended.values()) == 2


LINES = st.sampled_from(ANDROID_RU.split("\n") + IOS_EN.split("\n") + ["12.03.24, 1:00 - \u200e:", "\u200e"])


@given(lines=st.lists(LINES | st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_character_is_unaccounted_for(lines: list[str], tmp_path: Path) -> None:
    text = "\n".join([ANDROID_RU, *lines])
    assert ledger(read_text(tmp_path / "chat.txt", text)).characters.read == count_characters(text)


REAL = {"whatsapp_chatistics": (38, 4), "chatminer/test/whatsapp": (30, 5), "chatpack_cli": (7, 1)}


@pytest.mark.parametrize(("folder", "expected"), REAL.items())
def test_real_chats_in_five_orders_of_dates(folder: str, expected: tuple[int, int], shared_data: Path) -> None:
    files = [path for path in sorted((shared_data / "chats" / folder).rglob("*.txt")) if path.stem != "NOTICE"]
    records = [record for path in files for record in read([path])]
    assert (len(utterances(records)), len(files)) == expected
    years = {datetime.fromtimestamp(said.sent_at or 0, UTC).year for said in utterances(records)}
    assert years <= set(range(2016, 2025))
