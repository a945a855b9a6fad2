"""Telegram's own objects as Telegram Desktop writes them into an export."""

from collections.abc import Mapping
from typing import Any

from telethon import helpers, utils
from telethon.tl import types

# The first kind that a document's attributes show says what it is.
_DOCUMENTS = (
    (types.DocumentAttributeSticker, "sticker"),
    (types.DocumentAttributeAnimated, "animation"),
    (types.DocumentAttributeVideo, "video_file"),
    (types.DocumentAttributeAudio, "audio_file"),
)
_MEDIA = {
    types.MessageMediaPhoto: "photo",
    types.MessageMediaPoll: "poll",
    types.MessageMediaGeo: "location_information",
    types.MessageMediaGeoLive: "location_information",
    types.MessageMediaVenue: "place_name",
    types.MessageMediaContact: "contact_information",
    types.MessageMediaGame: "game_title",
    types.MessageMediaInvoice: "invoice_information",
    types.MessageMediaDice: "dice",
    types.MessageMediaStory: "story_id",
    types.MessageMediaGiveaway: "giveaway_information",
    types.MessageMediaGiveawayResults: "giveaway_results",
    types.MessageMediaPaidMedia: "paid_stars_amount",
    types.MessageMediaUnsupported: "file",
}
_ENTITIES = {
    types.MessageEntityBlockquote: "blockquote",
    types.MessageEntityPre: "pre",
    types.MessageEntityUrl: "link",
}
_PREFIXES = {types.PeerUser: "user", types.PeerChat: "chat", types.PeerChannel: "channel"}


def header_of(chat: Any, owner: int) -> dict[str, Any]:
    """Return a chat's fields: its name, number, and what kind of chat it is; owner: who reads it."""
    return {"fetched_by": owner, "name": utils.get_display_name(chat), "type": _type(chat, owner), "id": chat.id}


def _type(chat: Any, owner: int) -> str:
    if isinstance(chat, types.User):
        return "saved_messages" if chat.id == owner else "bot_chat" if chat.bot else "personal_chat"
    if not isinstance(chat, types.Channel):
        return "private_group"
    kind = "supergroup" if chat.megagroup else "channel"
    return f"{'public' if chat.username else 'private'}_{kind}"


def people_of(page: Any) -> dict[str, str]:
    """Return the names of those who wrote what is on a page, by their ids."""
    found = [*((f"user{user.id}", user) for user in page.users)]
    found += ((f"{'channel' if isinstance(chat, types.Channel) else 'chat'}{chat.id}", chat) for chat in page.chats)
    return {number: utils.get_display_name(one) for number, one in found}


def as_exported(message: Any, people: Mapping[str, str], owner: int) -> dict[str, Any]:
    """Return one message's fields."""
    fields: dict[str, Any] = {
        "id": message.id,
        "type": "message",
        "date_unixtime": str(int(message.date.timestamp())) if message.date else "",
    }
    fields |= _sender(message, people, owner) | _answered(message.reply_to)
    if isinstance(message, types.MessageService):
        title = getattr(message.action, "title", "")
        is_topic = isinstance(message.action, types.MessageActionTopicCreate)
        action = "topic_created" if is_topic else type(message.action).__name__
        return fields | {"type": "service", "action": action, "title": title, "text": ""}
    if message.fwd_from:
        origin = _id(message.fwd_from.from_id)
        fields["forwarded_from"] = message.fwd_from.from_name or people.get(origin or "")
    if message.via_bot_id:
        fields["via_bot"] = people.get(f"user{message.via_bot_id}", "")
    return fields | _media(message.media) | {"text": _text(message.message or "", message.entities or [])}


def _id(peer: Any) -> str | None:
    prefix = _PREFIXES.get(type(peer))
    return f"{prefix}{utils.get_peer_id(peer, add_mark=False)}" if prefix else None


def _sender(message: Any, people: Mapping[str, str], owner: int) -> dict[str, Any]:
    """In a talk of two Telegram leaves the sender out; in a channel it is the channel."""
    number = _id(message.from_id)
    if number is None:
        number = f"user{owner}" if message.out and isinstance(message.peer_id, types.PeerUser) else _id(message.peer_id)
    return {"from": people.get(number or "") or None, "from_id": number}


def _answered(reply: Any) -> dict[str, Any]:
    if not isinstance(reply, types.MessageReplyHeader) or reply.reply_to_msg_id is None:
        return {}
    elsewhere = {} if reply.reply_to_peer_id is None else {"reply_to_peer_id": _id(reply.reply_to_peer_id)}
    return {"reply_to_message_id": reply.reply_to_msg_id} | elsewhere


def _media(media: Any) -> dict[str, Any]:
    if isinstance(media, types.MessageMediaDocument):
        attributes = getattr(media.document, "attributes", [])
        kind = next((name for made, name in _DOCUMENTS if any(isinstance(one, made) for one in attributes)), None)
        if any(getattr(one, "voice", False) for one in attributes):
            kind = "voice_message"
        elif any(getattr(one, "round_message", False) for one in attributes):
            kind = "video_message"
        return {"file": ""} | ({"media_type": kind} if kind else {})
    return {_MEDIA[type(media)]: ""} if type(media) in _MEDIA else {}


def _text(text: str, entities: list[Any]) -> str | list[Any]:
    """Part a text at the quotations, code and links in it; Telegram counts in halves of UTF-16."""
    parts: list[Any] = []
    whole = helpers.add_surrogate(text)
    end = 0
    for entity in sorted(entities, key=lambda entity: int(entity.offset)):
        kind = _ENTITIES.get(type(entity))
        if kind is None or entity.offset < end:
            continue
        parts.append(helpers.del_surrogate(whole[end : entity.offset]))
        end = entity.offset + entity.length
        parts.append({"type": kind, "text": helpers.del_surrogate(whole[entity.offset : end])})
    return [part for part in [*parts, helpers.del_surrogate(whole[end:])] if part] if parts else text
