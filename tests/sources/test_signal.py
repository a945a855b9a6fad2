"""Signal's own export, and what signal-export writes."""

import json
from pathlib import Path
from typing import Any

from manera.records import Skipped
from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def item(minute: int, author: str, **said: Any) -> dict[str, Any]:
    sent = f"{1710266400000 + minute * 60_000}"
    return {"chatItem": {"chatId": "10", "authorId": author, "dateSent": sent, "incoming": {}} | said}


def standard(body: str, **fields: Any) -> dict[str, Any]:
    return {"standardMessage": {"text": {"body": body}} | fields}


EXPORT: list[Any] = [
    {"version": "1", "backupTimeMs": "1710270000000"},
    {"account": {"givenName": "Ася", "familyName": "Тест"}},
    {"recipient": {"id": "1", "self": {}}},
    {"recipient": {"id": "2", "contact": {"aci": "QUJD", "nickname": {"given": "Боря-сосед"}}}},
    {"recipient": {"id": "3", "group": {"snapshot": {"title": {"title": "Двор"}}}}},
    {"chat": {"id": "10", "recipientId": "2"}},
    {"chat": {"id": "11", "recipientId": "3"}},
    item(0, "2", **standard("привет")),
    item(1, "1", **standard("и тебе", quote={"targetSentTimestamp": "1710266400000", "authorId": "2"})),
    {"chatItem": {"chatId": "11", "authorId": "2", "dateSent": "1710266400001"} | standard("всем привет")},
    item(2, "1", **standard("", attachments=[{"pointer": {"contentType": "image/png"}}])),
    item(3, "1", **standard("", attachments=[{"pointer": {"contentType": "audio/aac"}, "flag": "VOICE_MESSAGE"}])),
    item(4, "2", stickerMessage={}),
    item(5, "2", remoteDeletedMessage={}),
    item(6, "2", updateMessage={"simpleUpdate": {"type": "IDENTITY_UPDATE"}}),
    item(7, "9", **standard("чьё?")),
    {"chatItem": 5},
    7,
]  # fmt: skip


def test_signal_s_own_export(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(line, ensure_ascii=False) for line in EXPORT)
    read_text(tmp_path / "signal-export/main.jsonl", lines)
    records = list(read([tmp_path / "signal-export"]))
    assert talk(records) == [("Боря-сосед", "привет"), ("Ася Тест", "и тебе"), ("Боря-сосед", "всем привет")]
    first, second, third = utterances(records)
    assert (first.thread, first.thread_id, first.speaker_id) == ("Боря-сосед", "signal:QUJD", "signal:QUJD")
    assert (second.reply_to, second.sent_at) == (first.position, 1710266460)
    assert (third.thread, third.thread_id) == ("Двор", None)
    assert reasons(records) == [
        *("photo without text", "voice message", "sticker", "deleted message", "service message"),
        *("broken message", "service message"),
    ]
    assert owners(records) == [("signal:owner", True)]
    ledger(records)


MARKDOWN = """\
[2024-03-12 18:05:00] Боря: привет
вторая строка
(- Me: 👍 -)

[2024-03-12 18:06:00] Me: > привет

и тебе ![кот](./media/cat.png)
[2024-03-12 18:07:00] Me: (This message was deleted)
[2024-03-12 18:08:00] Me: ![кот](./media/cat.png)
"""


def test_the_markdown_of_signal_export(tmp_path: Path) -> None:
    records = read_text(tmp_path / "Боря.md", MARKDOWN)
    assert talk(records) == [("Боря", "привет\nвторая строка"), ("Me", "и тебе ")]
    assert reasons(records) == ["deleted message", "attachment"]
    assert cuts(records).keys() == {"reaction", "quotation", "attachment", "dates, names and marks"}
    assert owners(records) == [("Me", True)]
    assert ledger(records).characters.read == len("".join(MARKDOWN.split()))


def test_its_json_is_read_instead_where_there_is_one(tmp_path: Path) -> None:
    lines = [
        {"date": "2024-03-12T18:05:00", "sender": "Боря", "body": "привет", "quote": "", "reactions": []},
        {"date": "2024-03-12T18:06:00", "sender": "Me", "body": "", "quote": "", "attachments": [{"path": "a.jpg"}]},
        {"date": "2024-03-12T18:07:00", "sender": "Me", "body": "и тебе", "deleted": False},
        {"date": None, "sender": None},
    ]
    read_text(tmp_path / "signal/Боря/data.json", "\n".join(json.dumps(line) for line in lines))
    (tmp_path / "signal/Боря/chat.md").write_text(MARKDOWN)
    records = list(read([tmp_path / "signal"]))
    assert talk(records) == [("Боря", "привет"), ("Me", "и тебе")]
    assert reasons(records) == ["photo without text", "broken message"]
    assert utterances(records)[0].thread == "Боря"
    assert [record.reason for record in records if isinstance(record, Skipped)] == [
        "the chat of data.json beside it, in Markdown"
    ]


def test_a_real_chat(shared_data: Path) -> None:
    records = list(read([shared_data / "chats/chatminer/test/signal/test_export.txt"]))
    assert talk(records)[:2] == [("Jane Doe", "Hello John!"), ("John Doe", "Hello\nJane!")]
