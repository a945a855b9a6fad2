"""VK's archive: windows-1251, the owner as «Вы», the newest first."""

from pathlib import Path

import pytest

from manera.records import Skipped
from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances

ASYA = '<a href="https://vk.com/id101">Ася Тест</a>'


def message(number: int, text: str, who: str = ASYA, date: str = "12 мар 2024 в 18:0{}:11", inside: str = "") -> str:
    when = date.format(number % 10)
    kludges = f'<div class="kludges">{inside}</div>' if inside else ""
    return f"""<div class="item"><div class='item__main'><div class="message" data-id="{number}">
  <div class="message__header">{who}, {when}</div>
  <div>{text}{kludges}</div>
</div></div></div>"""


def attached(what: str) -> str:
    return f'<div class="attachment"><div class="attachment__description">{what}</div></div>'


def page(*messages: str) -> bytes:
    return f"""<!DOCTYPE html><html><head><meta charset="windows-1251"><title>ВКонтакте</title></head>
<body><div class="wrap_page_content"><h2><a class="ui_crumb" href="../../index.html">Профиль</a>
<a class="ui_crumb" href="../index-messages.html">Сообщения</a><div class="ui_crumb" >Ася Тест</div></h2>
{"".join(messages)}</div><!-- vk.com --></body></html>""".encode("cp1251")


def test_a_chat_from_the_oldest_message_on(tmp_path: Path) -> None:
    path = tmp_path / "Archive/messages/101/messages0.html"
    edited = 'Вы, 12 мая 2024 в 18:06:11<span class="message-edited"> (ред.)</span>'
    records = read_text(path, page(message(7, "и тебе<br>да", edited, ""), message(6, "привет &mdash; ёж")))
    assert talk(records) == [("Ася Тест", "привет — ёж"), ("Вы", "и тебе\nда")]
    first, second = utterances(records)
    assert (first.thread, first.thread_id, first.speaker_id, first.position) == ("Ася Тест", "vk101", "vk101", 6)
    assert (first.sent_at, second.sent_at) == (1710266771, 1715537171)
    assert owners(records) == [("vk:owner", True)]
    ledger(records)


@pytest.mark.parametrize(
    ("date", "seconds"), [("12 Mar 2024 at 6:05:11 pm", 1710266711), ("31 фев 2024 в 1:00:00", None)]
)
def test_dates(date: str, seconds: int | None, tmp_path: Path) -> None:
    (said,) = utterances(read_text(tmp_path / "messages0.html", page(message(1, "да", date=date))))
    assert said.sent_at == seconds


def test_every_kind_of_message_has_its_name(tmp_path: Path) -> None:
    kinds = {
        "Фотография": "photo without text",
        "Стикер": "sticker",
        "Запись на стене": "shared post",
        "1 прикреплённое сообщение": "forward",
        "Файл": "file without text",
    }
    messages = [message(number, "", inside=attached(what)) for number, what in enumerate(kinds, 1)]
    notice = message(8, "", inside='<a class="im_srv_lnk" href="">Ася</a> покинула беседу')
    broken = message(9, "чьё?", who="", date="когда-то")
    caption = message(9, "смотри", inside=attached("Фотография"))
    records = read_text(tmp_path / "messages0.html", page(*reversed([*messages, notice, broken, caption])))
    assert reasons(records) == [*kinds.values(), "service message", "broken message"]
    assert talk(records) == [("Ася Тест", "смотри")]
    assert cuts(records) == {"attachment": 10}


def test_other_pages_of_the_archive_are_named(tmp_path: Path) -> None:
    (tmp_path / "messages0.html").write_bytes(page(message(1, "да")))
    (tmp_path / "likes.html").write_bytes(page())
    skipped = [record.reason for record in read([tmp_path]) if isinstance(record, Skipped)]
    assert skipped == ["page of a VK archive without messages"]
