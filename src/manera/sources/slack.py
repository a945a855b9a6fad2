"""Slack's export of a workspace: a folder a channel, a file a day."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from manera.records import Dropped, SourceRecord, count_characters
from manera.sources.beside import near
from manera.sources.files import SourceFile
from manera.sources.json_document import JsonDocument, open_document
from manera.sources.json_export import as_fields, as_list, as_text, json_source, seconds_of
from manera.sources.markup import own_text
from manera.sources.media import media_without_text
from manera.sources.messages import BROKEN_MESSAGE, Talk

_OF_PEOPLE = frozenset({"", "thread_broadcast", "me_message", "file_share", "reply_broadcast"})
_MARK = re.compile(r"<(?P<sign>[@#!]?)(?P<id>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>")
_MOMENT = re.compile(r"(\d{1,12})\.(\d{1,6})")


def read(file: SourceFile, document: JsonDocument) -> Iterator[SourceRecord]:
    """Yield one record per message; a message's time is its number, and replies name what they answer.

    A channel is named after its folder. Names come from the messages themselves, else from ``users.json`` beside.
    """
    channel = file.folder
    talk = Talk(file.source, channel, f"slack:{channel}")
    names = _members(file)
    for value in document.values():
        message = as_fields(value)
        text, user = message.get("text"), as_text(message.get("user"))
        reason = _reason(message)
        if not isinstance(text, str) or not (user or reason):
            yield Dropped(BROKEN_MESSAGE, file.source, count_characters(as_text(text)))
            continue
        names |= _named(as_fields(message.get("user_profile")) | {"id": user})
        words, cut = own_text(_plain(text, names))
        number = _number(message.get("ts"))
        answered = _number(message.get("thread_ts"))
        yield from talk.record(
            user,
            names.get(user, user),
            words,
            seconds_of(message.get("ts")),
            reason=reason,
            cut=cut,
            number=number,
            reply_to=answered if answered != number else None,
        )


def _members(file: SourceFile) -> dict[str, str]:
    users = near(file, "../users.json")
    names: dict[str, str] = {}
    if users:
        with open_document(users) as document:
            for user in document.values():
                names |= _named(as_fields(user))
    return names


def _named(user: Mapping[str, Any]) -> dict[str, str]:
    """Return a member's number with the name that people see."""
    profile = as_fields(user.get("profile")) or user
    fields = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    name = next(filter(None, map(as_text, fields)), "")
    return {as_text(user.get("id")): name} if name else {}


def _reason(message: dict[str, Any]) -> str | None:
    subtype = as_text(message.get("subtype"))
    if subtype == "bot_message" or message.get("bot_id"):
        return "written by a bot"
    if message.get("type") != "message" or subtype not in _OF_PEOPLE:
        return "service message"
    files = as_list(message.get("files"))
    if files and not as_text(message.get("text")).strip():
        return media_without_text(as_text(as_fields(files[0]).get("name")))
    return None


def _plain(text: str, names: Mapping[str, str]) -> str:
    """Return a text as people see it: Slack writes ``<@U01>`` for a name and ``&lt;`` for ``<``."""

    def shown(found: re.Match[str]) -> str:
        label = found["label"]
        if found["sign"] == "@":
            return "@" + (label or names.get(found["id"], found["id"]))
        if found["sign"] == "!":
            return label or "@" + found["id"].partition("^")[0]
        return found["sign"] + (label or found["id"])

    return html.unescape(_MARK.sub(shown, text))


def _number(moment: object) -> int | None:
    found = _MOMENT.fullmatch(as_text(moment))
    return int(found[1]) * 1_000_000 + int(found[2].ljust(6, "0")) if found else None


SOURCE = json_source("Slack export", (b"type", b"user", b"text", b"ts"), read, "Slack's")
