"""The bot: what arrives is noted, then dealt with chat by chat."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiogram import Bot as Telegram
from aiogram.types import Message, MessageReactionUpdated, ReactionTypeEmoji, Update, User

from manera.faces.api import ApiError
from manera.faces.telegram.conversation import Conversation, Parts, Recent
from manera.faces.telegram.reading import (
    Command,
    command_of,
    correction_of,
    is_mentioned,
    is_named,
    is_reply_to,
    name_of,
    text_of,
)
from manera.faces.telegram.sending import ChatGoneError
from manera.faces.telegram.state import Incoming, Outgoing
from manera.faces.telegram.voice import chat_of
from manera.faces.telegram.words import COMMANDS, language_for, say
from manera.rhythm.record import Said
from manera.text.languages import Language, language_of

UPDATES = ["message", "edited_message", "message_reaction", "my_chat_member"]
"""What Telegram is asked to tell."""

_GONE = ("left", "kicked")
_THUMBS = {"👍": True, "👎": False}
_log = logging.getLogger(__name__)


class Bot:
    """Takes updates; keeps one task for each chat in which something is to do."""

    def __init__(self, telegram: Telegram, me: User, parts: Parts) -> None:
        self._telegram = telegram
        self._id, self._username = me.id, me.username or ""
        self._parts = parts
        self._state, self._sender, self._voice, self._config, self._clock, _ = parts
        self._recent = Recent()
        self._talking: dict[int, asyncio.Task[None]] = {}
        self._noticing: dict[int, asyncio.Task[None]] = {}

    async def go_on(self) -> None:
        """Do what was left undone when the bot was last ended."""
        self._state.clean(self._clock.now())
        for chat in self._state.unfinished():
            self._wake(chat)

    async def close(self) -> None:
        """Leave everything for the next start."""
        tasks = [*self._talking.values(), *self._noticing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def handle(self, update: Update) -> None:
        """Deal with an update, once."""
        if self._state.is_known(update.update_id):
            return
        incoming, notice = None, None
        if update.message:
            incoming, notice = await self._message(update.message)
        elif update.edited_message:
            self._edited(update.edited_message)
        elif update.message_reaction:
            await self._reacted(update.message_reaction)
        elif update.my_chat_member and update.my_chat_member.new_chat_member.status in _GONE:
            await self._leave(update.my_chat_member.chat.id)
        self._state.finish(update.update_id, self._clock.now(), incoming=incoming, notice=notice)
        for chat in {one.chat for one in (incoming, notice) if one}:
            self._wake(chat)

    async def _message(self, message: Message) -> tuple[Incoming | None, Outgoing | None]:
        chat, sender = message.chat.id, message.from_user
        if message.migrate_to_chat_id:
            await self._stop(chat)
            self._state.migrate(chat, message.migrate_to_chat_id)
            self._wake(message.migrate_to_chat_id)
            return None, None
        text = text_of(message, self._username)
        if sender is None or sender.is_bot or text is None:
            return None, None
        language, is_private = language_for(sender.language_code), message.chat.type == "private"
        command = command_of(message.text or "", self._username)
        if not self._is_allowed(sender.id):
            is_told = is_private or command is not None
            return None, self._notice(message, say(language, "not_allowed", user=sender.id)) if is_told else None
        if command and command.name == "post" and command.rest:
            return self._incoming(message, command.rest, is_topic=True), None
        if command:
            return None, await self._command(message, command, language)
        correction = correction_of(message.text or "")
        if correction and is_reply_to(message, self._id) and await self._corrected(message, correction):
            return None, self._notice(message, say(language, "corrected"))
        return self._incoming(message, text), None

    def _is_allowed(self, user: int) -> bool:
        return not self._config.allowed_users or user in self._config.allowed_users

    def _incoming(self, message: Message, text: str, *, is_topic: bool = False) -> Incoming:
        sender, chat, now = message.from_user, message.chat, self._clock.now()
        assert sender is not None
        whole, is_reply = message.text or message.caption or "", is_reply_to(message, self._id)
        is_mentioned_here = is_mentioned(whole, self._username)
        is_addressed = (
            chat.type == "private"
            or is_topic
            or is_reply
            or is_mentioned_here
            or is_named(text, self._voice.card.persona)
        )
        name = name_of(message)
        if chat.type != "private":
            said = Said(name or "", text, now, is_reply_to_me=is_reply, mentions_me=is_mentioned_here)
            self._recent.add(chat.id, said)
        language = language_for(sender.language_code)
        return Incoming(chat.id, message.message_id, sender.id, name, language, text, now, bool(is_addressed), is_topic)

    def _notice(self, message: Message, text: str, kind: str = "notice") -> Outgoing:
        user = message.from_user.id if message.from_user else 0
        return Outgoing(0, message.chat.id, kind, text, user, None)

    async def _command(self, message: Message, command: Command, language: Language) -> Outgoing | None:
        """Do what a command says, past everything that waits; return what is said to it."""
        assert message.from_user is not None
        chat, user, is_private = message.chat.id, message.from_user.id, message.chat.type == "private"
        _log.info("chat %d: /%s", chat, command.name if command.name in (*COMMANDS, "start") else "?")
        match command.name:
            case "stop" | "reset" | "forget":
                await self._stop(chat)
                self._state.clear(chat)
                return self._notice(message, await self._forgetting(command.name, chat, user, language))
            case "export":
                words = "export_file" if is_private else "export_in_private"
                return self._notice(message, say(language, words), "export" if is_private else "notice")
            case "post":
                return self._notice(message, say(language, "post_topic"))
            case "voice":
                return self._notice(message, self._about_voice(language))
            case "start" | "help" | "privacy":
                return self._notice(message, say(language, command.name, persona=self._voice.card.persona))
            case _:
                return self._notice(message, say(language, "help")) if is_private else None

    async def _forgetting(self, name: str, chat: int, user: int, language: Language) -> str:
        """Forget as much as a command says; return what is said to it."""
        try:
            if name == "reset":
                await self._voice.forget(user, chat_of(self._state.origin(chat)))
                return say(language, "reset")
            if name == "forget":
                self._state.forget(user)
                return say(language, "forgotten", count=await self._voice.forget(user))
        except ApiError as error:
            _log.warning("chat %d: the API refused /%s: status %s", chat, name, error.status)
            return say(language, "command_failed")
        return say(language, "stopped")

    def _about_voice(self, language: Language) -> str:
        card = self._voice.card
        if card.base is None:
            return say(language, "voice_unknown", voice=card.voice)
        made, languages = (card.made or "")[:10], ", ".join(card.languages)
        return say(
            language, "voice", voice=card.voice, persona=card.persona, languages=languages, made=made, base=card.base
        )

    def _edited(self, message: Message) -> None:
        text = text_of(message, self._username)
        if text:
            self._state.edit(message.chat.id, message.message_id, text)

    async def _corrected(self, message: Message, instead: str) -> bool:
        assert message.reply_to_message is not None
        return await self._prefer(message.chat.id, message.reply_to_message.message_id, is_good=False, instead=instead)

    async def _reacted(self, reaction: MessageReactionUpdated) -> None:
        emoji = [one.emoji for one in reaction.new_reaction if isinstance(one, ReactionTypeEmoji)]
        thumb = next((_THUMBS[one] for one in emoji if one in _THUMBS), None)
        if thumb is not None and reaction.user and self._is_allowed(reaction.user.id):
            await self._prefer(reaction.chat.id, reaction.message_id, is_good=thumb)

    async def _prefer(self, chat: int, message: int, *, is_good: bool, instead: str | None = None) -> bool:
        said = self._state.said(chat, message)
        if said is None:
            return False
        try:
            return await self._voice.prefer(said, self._state.origin(chat), is_good=is_good, instead=instead)
        except ApiError as error:
            _log.warning("chat %d: a preference could not be kept: status %s", chat, error.status)
            return False

    async def _leave(self, chat: int) -> None:
        await self._stop(chat)
        self._state.leave(chat)

    async def _stop(self, chat: int) -> None:
        """End the work on a chat."""
        task = self._talking.pop(chat, None)
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _wake(self, chat: int) -> None:
        """Let what is to do in a chat be done; nothing is kept of a chat without anything to do."""
        if self._state.outgoing(chat, "notice", "export"):
            _keep(self._noticing, chat, lambda: self._give_notice(chat))
        if self._state.pending(chat) or self._state.outgoing(chat, "reply"):
            _keep(self._talking, chat, Conversation(chat, self._parts, self._recent).run)

    async def _give_notice(self, chat: int) -> None:
        try:
            while notice := self._state.outgoing(chat, "notice", "export"):
                if notice.kind == "export":
                    await self._export(notice)
                else:
                    await self._sender.send(chat, notice.text)
                self._state.sent(notice, None, self._clock.now())
        except ChatGoneError:
            self._state.leave(chat)

    async def _export(self, notice: Outgoing) -> None:
        try:
            content = await self._voice.export(notice.user)
        except ApiError as error:
            _log.warning("chat %d: the API refused an export: status %s", notice.chat, error.status)
            await self._sender.send(notice.chat, say(language_of([notice.text]), "command_failed"))
        else:
            await self._sender.send_file(notice.chat, content, "manera.json", notice.text)


def _keep(tasks: dict[int, asyncio.Task[None]], chat: int, work: Callable[[], Awaitable[None]]) -> None:
    """Run work on a chat unless it runs already; what failed is logged without a word of the talk."""
    if chat in tasks and not tasks[chat].done():
        return

    async def watched() -> None:
        try:
            await work()
        except Exception as error:
            _log.error("chat %d: %s", chat, type(error).__name__)

    task = asyncio.create_task(watched())
    tasks[chat] = task

    def done(ended: asyncio.Task[None]) -> None:
        if tasks.get(chat) is ended:
            del tasks[chat]

    task.add_done_callback(done)
