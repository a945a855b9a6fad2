"""What incoming messages say, and to whom."""

from typing import Any

import pytest
from aiogram.types import Message

from manera.faces.telegram.reading import Command, command_of, correction_of, is_mentioned, is_named, name_of, text_of

STICKER = {"file_id": "a", "file_unique_id": "a", "type": "regular", "width": 1, "height": 1, "is_animated": False,
           "is_video": False}  # fmt: skip
VOICE = {"file_id": "a", "file_unique_id": "a", "duration": 1}
PHOTO = [{"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1}]


def message(language: str = "ru", name: str = "Имя", **fields: Any) -> Message:
    sender = {"id": 7, "is_bot": False, "first_name": name, "language_code": language}
    chat = {"id": 7, "type": "private"}
    return Message.model_validate({"message_id": 1, "date": 0, "chat": chat, "from": sender} | fields)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/start", Command("start", "")),
        ("/post@Anna_Bot  выходные\nна даче ", Command("post", "выходные\nна даче")),
        ("/POST дача", Command("post", "дача")),
        ("/start@other_bot", None),
        ("и /start", None),
        ("/", None),
    ],
)
def test_commands(text: str, command: Command | None) -> None:
    assert command_of(text, "anna_bot") == command


@pytest.mark.parametrize(
    ("text", "correction"),
    [("надо: да ну", "да ну"), ("Should be:  nah", "nah"), ("Надо : а\nб", "а\nб"), ("надо бы", None), ("надо:", None)],
)
def test_corrections(text: str, correction: str | None) -> None:
    assert correction_of(text) == correction


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "привет"}, "привет"),
        ({"text": "@anna_bot, привет"}, "привет"),
        ({"text": "@anna_bot"}, None),
        ({"photo": PHOTO, "caption": "смотри"}, "[фото] смотри"),
        ({"photo": PHOTO, "language": "en"}, "[photo]"),
        ({"sticker": STICKER | {"emoji": "😂"}}, "😂"),
        ({"sticker": STICKER}, "[стикер]"),
        ({"voice": VOICE}, "[голосовое сообщение]"),
        ({"new_chat_title": "Новое"}, None),
        ({}, "[что-то без слов]"),
    ],
)
def test_what_is_said(fields: dict[str, Any], text: str | None) -> None:
    assert text_of(message(**fields), "anna_bot") == text


def test_names_and_mentions() -> None:
    assert name_of(message(name="А\nБ\x00" + "в" * 100)) == "А Б " + "в" * 60
    assert is_mentioned("эй @Anna_Bot!", "anna_bot")
    assert not is_mentioned("эй @anna_bot2", "anna_bot")
    assert all(is_named(text, "Анна Каренина") for text in ("анна!", "скажи Анне", "с Анной"))
    assert not any(is_named(text, "Анна") for text in ("аннулировать", "сказанная", "нет"))
    assert is_named("Ray, hi", "Ray")
    assert not is_named("hi", "")
