"""What an incoming message says, to whom, and whether it is a command or a correction."""

import re
from typing import NamedTuple

from aiogram.types import Message

from manera.faces.telegram.words import language_for, say

_COMMAND = re.compile(r"/(?P<name>[a-z]+)(?:@(?P<bot>\w+))?(?:\s+(?P<rest>.*))?", re.DOTALL | re.IGNORECASE)
_CORRECTION = re.compile(r"\s*(?:надо|should be)\s*:\s*(?P<text>\S.*)", re.DOTALL | re.IGNORECASE)
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_NAME = 64
_ENDING = re.compile(r"[аеёийоуыьэюяaeiouy]$", re.IGNORECASE)

KINDS = (
    ("photo", "photo"), ("sticker", "sticker"), ("voice", "voice_note"), ("video_note", "video"), ("video", "video"),
    ("animation", "video"), ("audio", "file"), ("document", "file"), ("venue", "place"), ("location", "place"),
)  # fmt: skip
"""Fields of a message that are no text, and the words for them."""

_SERVICE = (
    "new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo", "pinned_message",
    "group_chat_created", "supergroup_chat_created", "channel_chat_created", "migrate_to_chat_id",
    "migrate_from_chat_id", "message_auto_delete_timer_changed",
)  # fmt: skip


class Command(NamedTuple):
    """A command, and what stands after it."""

    name: str
    rest: str


def command_of(text: str, username: str) -> Command | None:
    """Return the command that a text is, unless it is another bot's."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None or (found["bot"] or username).lower() != username.lower():
        return None
    return Command(found["name"].lower(), (found["rest"] or "").strip())


def correction_of(text: str) -> str | None:
    """Return what a reply should be, as in ``надо: ...``."""
    found = _CORRECTION.fullmatch(text)
    return found["text"].strip() if found else None


def text_of(message: Message, username: str) -> str | None:
    """Return a message as the voice reads it: a picture is told of in brackets; None where nobody said anything."""
    if any(getattr(message, field, None) for field in _SERVICE):
        return None
    text = without_mention(message.text or message.caption or "", username)
    if message.text:
        return text or None
    if message.sticker and message.sticker.emoji:
        return message.sticker.emoji
    code = message.from_user.language_code if message.from_user else None
    kind = next((words for field, words in KINDS if getattr(message, field)), "other")
    return f"{say(language_for(code), kind)} {text}".strip()


def without_mention(text: str, username: str) -> str:
    """Take the bot's own name out of a text."""
    return re.sub(rf"[,\s]*@{re.escape(username)}\b[,:]?", " ", text, flags=re.IGNORECASE).strip()


def name_of(message: Message) -> str | None:
    """Return what the sender is called, as the API takes names."""
    name = message.from_user.first_name if message.from_user else ""
    return _UNPRINTED.sub(" ", name).strip()[:_MAX_NAME].strip() or None


def is_mentioned(text: str, username: str) -> bool:
    """Tell whether a text calls the bot by its name in Telegram."""
    return re.search(rf"@{re.escape(username)}\b", text, re.IGNORECASE) is not None


def is_named(text: str, persona: str) -> bool:
    """Tell whether a text names a person, in Russian in any case: Анна, Анны, Анне."""
    first = persona.split()[0] if persona.split() else ""
    if len(first) < 3:
        return bool(first) and re.search(rf"\b{re.escape(first)}\b", text, re.IGNORECASE) is not None
    stem = _ENDING.sub("", first)
    return re.search(rf"\b{re.escape(stem)}\w{{0,2}}\b", text, re.IGNORECASE) is not None


def is_reply_to(message: Message, bot_id: int) -> bool:
    """Tell whether a message answers one of the bot's."""
    replied = message.reply_to_message
    return replied is not None and replied.from_user is not None and replied.from_user.id == bot_id
