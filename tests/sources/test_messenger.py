"""Instagram's and Messenger's chats, whose letters come one byte at a time."""

import json
from pathlib import Path
from typing import Any

from manera.sources.messenger import MOJIBAKE
from manera.sources.reading import read
from told import ledger, owners, read_text, reasons, talk, utterances


def mangled(text: str) -> str:
    """As Meta writes it."""
    return text.encode().decode("latin-1")


def message(minute: int, content: str | None = "привет", sender: str = "Ася Тест", **fields: Any) -> dict[str, Any]:
    written = {} if content is None else {"content": mangled(content)}
    return {"sender_name": mangled(sender), "timestamp_ms": 1710266400000 + minute * 60_000} | written | fields


def chat(*messages: object, **fields: Any) -> str:
    names = [{"name": mangled(name)} for name in ("Ася Тест", "Боря")]
    head = {"participants": names, "messages": messages, "title": mangled("Ася Тест")}
    return json.dumps(head | {"thread_path": "inbox/asya_17", "magic_words": []} | fields)


def test_a_chat_from_the_oldest_message_on_with_its_letters_repaired(tmp_path: Path) -> None:
    records = read_text(tmp_path / "message_1.json", chat(message(2, "и тебе 🙂", "Боря"), message(1)))
    assert talk(records) == [("Ася Тест", "привет"), ("Боря", "и тебе 🙂")]
    first, second = utterances(records)
    assert (first.thread, first.thread_id, first.sent_at) == ("Ася Тест", "meta:asya_17", 1710266460)
    assert second.position > first.position
    assert ledger(records).mended == {MOJIBAKE: 5}
    assert owners(records) == [("Боря", False)]


def test_letters_that_were_right_stay(tmp_path: Path) -> None:
    records = read_text(tmp_path / "message_1.json", chat(message(1, sender="Zoë") | {"content": "très привет"}))
    assert talk(records) == [("Zoë", "très привет")]
    assert talk(read_text(tmp_path / "b.json", chat(message(1) | {"content": "café"})))[0][1] == "café"


def test_every_kind_of_message_has_its_name(tmp_path: Path) -> None:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("shared post", message(1, "You sent an attachment.", "Боря")),
        ("shared post", message(2, "Ася Тест отправила вложение.")),
        ("reaction", message(3, "Reacted ❤️ to your message ")),
        ("reaction", message(4, "Liked a message")),
        ("call", message(5, "You missed a video call from Ася Тест")),
        ("service message", message(6, "Ася Тест named the group Двор.")),
        ("deleted message", message(7, "нет", is_unsent=True)),
        ("photo without text", message(8, None, photos=[{"uri": "a.jpg"}])),
        ("voice message", message(9, None, audio_files=[{"uri": "a.mp4"}])),
        ("sticker", message(10, None, sticker={"uri": "a.png"})),
        ("empty text", message(11, None)),
        ("broken message", message(12, sender="")),
    ]
    records = read_text(tmp_path / "message_1.json", chat(*(fields for _, fields in kinds), message(13, "слово")))
    assert reasons(records) == [reason for reason, _ in kinds]
    assert ("Боря", False) in owners(records)


def test_an_encrypted_chat_of_messenger(tmp_path: Path) -> None:
    messages = [
        {"senderName": "Боря", "text": "и тебе", "timestamp": 1710266460000, "type": "text", "isUnsent": False},
        {"senderName": "Ася", "text": "", "timestamp": 1710266450000, "type": "media", "media": [{"uri": "a.jpg"}]},
        {"senderName": "Ася", "text": "привет", "timestamp": 1710266400000, "type": "text", "isUnsent": False},
    ]
    export = {"participants": ["Ася", "Боря"], "threadName": "Ася_3", "messages": messages}
    records = read_text(tmp_path / "Ася_3.json", json.dumps(export, ensure_ascii=False))
    assert talk(records) == [("Ася", "привет"), ("Боря", "и тебе")]
    assert reasons(records) == ["media without text"]
    assert owners(records) == [("Боря", False)]


def test_what_is_not_as_it_should_be_is_counted(tmp_path: Path) -> None:
    odd: list[object] = [7, None, [], {}, message(1) | {"timestamp_ms": "x"}, message(2) | {"content": {"a": 1}}]
    records = read_text(tmp_path / "message_1.json", chat(message(3), *odd, title=5, thread_path=None))
    assert sorted(reasons(records)) == ["broken message"] * 4 + ["empty text"]
    assert len(utterances(records)) == 2


def test_real_chats(shared_data: Path) -> None:
    chats = shared_data / "chats"
    for name, count in (
        ("chatpack_cli/tests/fixtures/instagram_export", 7),
        ("chatminer/test/instagram/test_export", 2),
    ):
        assert len(utterances(read([chats / f"{name}.json"]))) == count
