"""Telegram Desktop's export as web pages."""

import json
from pathlib import Path

import pytest

from manera.records import Skipped
from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def page(*messages: str, title: str = "Ася Тест") -> str:
    return f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"/><title>Exported Data</title></head>
<body onload="CheckLocation();"><div class="page_wrap">
<div class="page_header"><div class="content"><div class="text bold">
{title}
</div></div></div>
<div class="page_body chat_page"><div class="history">{"".join(messages)}</div></div>
</div></body></html>"""


def message(number: int, text: str | None = "привет", name: str | None = "Ася Тест", inside: str = "") -> str:
    said = "" if text is None else f'\n       <div class="text">\n{text}\n       </div>'
    who = "" if name is None else f'<div class="from_name">\n{name}\n       </div>'
    joined = " joined" if name is None else ""
    return f"""
     <div class="message default clearfix{joined}" id="message{number}">
      <div class="pull_left userpic_wrap"><div class="userpic"><div class="initials">А</div></div></div>
      <div class="body">
       <div class="pull_right date details" title="12.03.2024 18:0{number % 10}:11 UTC+03:00">18:05</div>
       {who}{inside}{said}
       <span class="reactions"><span class="reaction"><span class="emoji">👍</span></span></span>
      </div>
     </div>"""


def media(kind: str) -> str:
    return f'<div class="media_wrap clearfix"><a class="media clearfix {kind}" href="a"><div class="title bold">имя</div></a></div>'  # noqa: E501


def test_a_talk_of_two_with_its_owner(tmp_path: Path) -> None:
    reply = '<div class="reply_to details">In reply to <a href="messages.html#go_to_message1">this message</a></div>'
    text = "раз<br>два <strong>три</strong> <a href='x'>тут</a><br><br><blockquote>чужое</blockquote>"
    records = read_text(
        tmp_path / "messages.html",
        page(message(1), message(2, text, "Боря", reply), message(3, "ещё &lt;3", None)),
    )
    assert talk(records) == [("Ася Тест", "привет"), ("Боря", "раз\nдва три тут"), ("Боря", "ещё <3")]
    first, second, third = utterances(records)
    assert (first.position, second.reply_to, third.position) == (1, 1, 3)
    assert (first.sent_at, first.kind, first.thread) == (1710255671, "message", "Ася Тест")
    assert owners(records) == [("Боря", False)]
    assert cuts(records) == {"quotation": 5}
    ledger(records)


def test_every_kind_of_message_has_its_name(tmp_path: Path) -> None:
    forward = '<div class="forwarded body"><div class="from_name">Лента</div><div class="text">чужое</div></div>'
    service = '<div class="message service" id="message{}"><div class="body details">{}</div></div>'
    records = read_text(
        tmp_path / "messages.html",
        page(
            service.format(-1, "12 March 2024"),
            service.format(9, "Ася pinned a message"),
            message(1, None, inside=forward),
            message(2, "нашёл", "Ася Тест via @gif"),
            message(3, None, inside=media("media_voice_message")),
            message(4, None, inside=media("photo_wrap")),
            message(5, None, inside=media("sticker_wrap")),
            message(6, "<pre>x = 1</pre>"),
            message(7, '<a href="https://example.org">https://example.org</a>'),
            message(8, None),
            message(8, "подпись", inside=media("photo_wrap")),
        ),
    )
    assert reasons(records) == [
        *("date between messages", "service message", "forward", "via bot", "voice message", "photo without text"),
        *("sticker", "code", "nothing but a link", "empty text"),
    ]
    assert talk(records) == [("Ася Тест", "подпись")]


def test_a_channel_is_where_only_its_title_wrote(tmp_path: Path) -> None:
    records = read_text(
        tmp_path / "messages.html", page(message(1, name="Двор"), message(2, "два", None), title="Двор")
    )
    assert [said.kind for said in utterances(records)] == ["post", "post"]
    assert owners(records) == [("Двор", False)]


@pytest.mark.parametrize("has_json", [False, True])
def test_pages_of_a_chat_are_one_thread_and_json_beside_them_is_read_instead(has_json: bool, tmp_path: Path) -> None:
    (tmp_path / "messages.html").write_text(page(message(1)))
    (tmp_path / "messages2.html").write_text(page(message(1001, "дальше")))
    (tmp_path / "export_results.html").write_text('<div class="page_wrap"><div class="page_about">Export</div></div>')
    if has_json:
        said = {"id": 1, "type": "message", "date_unixtime": "1", "from": "Ася", "from_id": "user1", "text": "из JSON"}
        chat = {"name": "Ася", "type": "personal_chat", "id": 1, "messages": [said]}
        (tmp_path / "result.json").write_text(json.dumps(chat))
    records = list(read([tmp_path]))
    skipped = [record.reason for record in records if isinstance(record, Skipped)]
    if has_json:
        assert [said.text for said in utterances(records)] == ["из JSON"]
        assert skipped.count("messages of result.json beside it, as a page") == 2
    else:
        assert len({said.thread_key for said in utterances(records)}) == 1
        assert skipped == ["page of a Telegram export without messages"]


def test_a_page_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = page(message(1), message(2, "второе"), message(3, "третье"))
    records = read_text(tmp_path / "messages.html", whole[: whole.index("второе") + 3])
    assert talk(records) == [("Ася Тест", "привет"), ("Ася Тест", "вто")]


def test_who_wrote_a_joined_message_without_a_first_one_is_not_known(tmp_path: Path) -> None:
    assert reasons(read_text(tmp_path / "messages.html", page(message(1, "чьё?", None)))) == ["broken message"]


def test_real_pages(shared_data: Path) -> None:
    records = list(read([shared_data / "chats/telegram_vorot93/tests/fixtures/basic_export/chat_001"]))
    assert talk(records) == [("Alice", "Hello family link"), ("Alice", "Second line")]
    assert set(reasons(records)) >= {"forward", "poll", "service message", "file without text"}
