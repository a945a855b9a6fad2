"""Discord's channels, as DiscordChatExporter writes them, and one's own data package."""

import json
import zipfile
from pathlib import Path
from typing import Any

from manera.sources.reading import read
from told import cuts, ledger, owners, read_text, reasons, talk, utterances


def message(number: int, content: object = "привет", **fields: Any) -> dict[str, Any]:
    author = {"id": "111", "name": "asya", "nickname": "Ася", "isBot": False}
    time = f"2024-03-12T18:0{number % 10}:00.123+03:00"
    plain = {"id": f"{number}", "type": "Default", "timestamp": time, "content": content, "author": author}
    return plain | {"attachments": [], "embeds": [], "stickers": [], "reactions": []} | fields


def export(*messages: object, **channel: Any) -> str:
    return json.dumps(
        {
            "guild": {"id": "5", "name": "Двор"},
            "channel": {"id": "77", "type": "GuildTextChat", "category": "Text", "name": "общий"} | channel,
            "dateRange": {"after": None, "before": None},
            "messages": messages,
            "messageCount": len(messages),
        },
        ensure_ascii=False,
    )


BORYA = {"id": "222", "name": "borya", "nickname": "Боря", "isBot": False}


def test_a_channel_with_replies(tmp_path: Path) -> None:
    answer = message(2, "и тебе", type="Reply", reference={"messageId": "1"}, author=BORYA)
    records = read_text(tmp_path / "двор.json", export(message(1), answer))
    assert talk(records) == [("Ася", "привет"), ("Боря", "и тебе")]
    first, second = utterances(records)
    assert (second.reply_to, second.position) == (first.position, 2) == (1, 2)
    assert (first.thread, first.thread_id, first.speaker_id) == ("Двор / общий", "discord77", "discord111")
    assert first.sent_at == 1710255660
    assert owners(records) == []


def test_every_kind_of_message_has_its_name(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "service message": {"type": "GuildMemberJoin", "content": "Joined the server."},
        "written by a bot": {"author": BORYA | {"isBot": True}},
        "bot command": {"type": "20", "content": "готово"},
        "forward": {"reference": {"type": "Forward", "messageId": "9"}},
        "photo without text": {"content": "", "attachments": [{"fileName": "IMG.JPG"}]},
        "file without text": {"content": "", "attachments": [{"fileName": None}]},
        "sticker": {"content": "", "stickers": [{"name": "кот"}]},
        "link preview without text": {"content": "", "embeds": [{"title": "новости"}]},
        "nothing but a link": {"content": "https://example.org/кот"},
        "quotation": {"content": "> чужое\n> ещё"},
        "code": {"content": "```py\nx = 1\n```"},
        "broken message": {"content": None},
        "empty text": {"content": " \n"},
    }
    records = read_text(tmp_path / "c.json", export(message(1), *(message(2, **fields) for fields in kinds.values())))
    assert reasons(records) == list(kinds)
    assert ledger(records).kept == 1


def test_of_a_message_with_a_quotation_the_rest_is_kept(tmp_path: Path) -> None:
    records = read_text(tmp_path / "c.json", export(message(1, "> когда?\nзавтра\n```\nls\n```")))
    assert talk(records) == [("Ася", "завтра")]
    assert cuts(records) == {"code": 8, "quotation": 7}


def test_a_direct_chat_shows_its_owner(tmp_path: Path) -> None:
    chat = export(message(1), message(2, author=BORYA), type="DirectTextChat", name="borya")
    records = read_text(tmp_path / "dm.json", chat)
    assert owners(records) == [("discord111", False)]
    assert {said.thread for said in utterances(records)} == {"borya"}


def test_what_is_not_as_it_should_be_is_counted(tmp_path: Path) -> None:
    odd: list[object] = [
        7,
        None,
        [],
        {},
        message(1, author=None),
        message(1, 5),
        message(3, id=[], timestamp={}, reference=3),
    ]
    records = read_text(tmp_path / "c.json", export(message(1), *odd, name=None, id={}))
    assert reasons(records) == ["broken message"] * 6
    assert len(utterances(records)) == 2
    assert utterances(records)[1].sent_at is None


def test_the_data_package_holds_one_s_own_messages(tmp_path: Path) -> None:
    own = [
        {"ID": 11, "Timestamp": "2024-03-12 18:05:00", "Contents": "свои слова", "Attachments": ""},
        {"ID": 12, "Timestamp": "2024-03-12 18:06:00", "Contents": "", "Attachments": "https://cdn.example/a.png"},
    ]
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr("messages/c77/messages.json", json.dumps(own))
        archive.writestr("messages/c77/channel.json", json.dumps({"id": "77", "type": 0}))
    records = list(read([tmp_path / "package.zip"]))
    assert talk(records) == [("package", "свои слова")]
    assert reasons(records) == ["photo without text"]
    assert owners(records) == [("discord:package", True)]
    assert utterances(records)[0].thread == "c77"


def test_a_real_export(shared_data: Path) -> None:
    records = list(read([shared_data / "chats/chatpack_cli/tests/fixtures/discord_export.json"]))
    assert (len(utterances(records)), reasons(records)) == (7, [])
