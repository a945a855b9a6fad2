"""One chat: its messages are gathered until somebody has finished, answered, and sent as slowly as they would be."""

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from random import Random
from typing import NamedTuple
from uuid import uuid4

from manera import logs
from manera.clock import Clock
from manera.faces.api import ApiError
from manera.faces.telegram.sending import ChatGoneError, Sender
from manera.faces.telegram.settings import BotConfig
from manera.faces.telegram.splitting import MAX_UNITS, bubbles, pieces
from manera.faces.telegram.state import Incoming, State
from manera.faces.telegram.voice import Voice, Wrote
from manera.faces.telegram.words import say
from manera.rhythm import pace
from manera.rhythm.record import Said

MAX_BURST_SECONDS = 60.0
"""Seconds after which somebody is answered even if they go on."""

MAX_BUBBLES = 8
TYPING_BEFORE = 8.0
"""Seconds at most for which typing is shown before a message comes."""

DRAFT_EVERY = 1.0
PATIENCE = 600.0
"""Seconds for which an answer is tried when the API does not answer."""

_PASSING = {None, 429, 500, 502, 503, 504}
_RECENT = 30
_log = logging.getLogger(__name__)


class Parts(NamedTuple):
    """What all conversations of a bot share."""

    state: State
    sender: Sender
    voice: Voice
    config: BotConfig
    clock: Clock
    rng: Random


class Recent:
    """The last that was said in some groups, in which the voice may want to say something; in memory only."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._said: dict[int, deque[Said]] = {}

    def add(self, chat: int, said: Said) -> None:
        """Note what was said; the group that was silent for longest is forgotten."""
        kept = self._said.pop(chat, None) or deque(maxlen=_RECENT)
        kept.append(said)
        self._said[chat] = kept
        if len(self._said) > self._most:
            del self._said[next(iter(self._said))]

    def of(self, chat: int) -> Sequence[Said]:
        """Return what was said there, oldest first."""
        return tuple(self._said.get(chat, ()))


class Conversation:
    """The work on one chat, one thing after another; it ends when nothing is left to do."""

    def __init__(self, chat: int, parts: Parts, recent: Recent) -> None:
        self.chat = chat
        self._state, self._sender, self._voice, self._config, self._clock, self._rng = parts
        self._recent = recent
        self._failing_since: float | None = None
        self._failures = 0

    async def run(self) -> None:
        """Answer what waits, until nothing does."""
        try:
            while True:
                await self._send_replies()
                if not self._state.pending(self.chat):
                    return
                await self._until_finished()
                await self._answer_or_be_silent()
        except ChatGoneError:
            _log.info("chat %d is let go", self.chat)
            self._state.leave(self.chat)

    async def _until_finished(self) -> None:
        """Wait until nobody has written for a while, or long enough."""
        while waiting := self._state.pending(self.chat):
            first, last = waiting[0].at, max(one.at for one in waiting)
            left = min(last + self._config.quiet, first + MAX_BURST_SECONDS) - self._clock.now()
            if left <= 0:
                return
            await self._clock.sleep(left)

    async def _answer_or_be_silent(self) -> None:
        waiting = self._state.pending(self.chat)
        burst = burst_of(waiting) or self._of_own_accord(waiting)
        if not burst:
            self._state.drop(waiting)
            return
        last = burst[-1]
        is_new = not any(one.is_asked for one in burst)
        if is_new and not self._state.spend(last.user, self._clock.now(), self._config.daily_messages):
            self._refuse(burst)
            return
        try:
            with logs.request(uuid4().hex) as request_id:
                await self._answer(burst, waiting, request_id)
        except ApiError as error:
            await self._bear(error, burst)
        else:
            self._failing_since, self._failures = None, 0

    def _of_own_accord(self, waiting: Sequence[Incoming]) -> list[Incoming]:
        """Return what the voice answers in a group though nobody asked it, if it would."""
        rhythm = self._voice.rhythm
        probability = pace.speaks(rhythm, self._recent.of(self.chat))
        if probability is None or rhythm is None or rhythm.answering is None or not waiting:
            return []
        speaks = probability >= rhythm.answering.threshold
        return [one for one in waiting if one.user == waiting[-1].user] if speaks else []

    def _refuse(self, burst: Sequence[Incoming]) -> None:
        last = burst[-1]
        self._state.drop(burst)
        if self._state.tell_budget(last.user, self._clock.now()):
            self._reply(last, say(last.language, "budget", count=self._config.daily_messages))

    async def _answer(self, burst: Sequence[Incoming], waiting: Sequence[Incoming], request_id: str) -> None:
        """Let the voice answer; raise ApiError."""
        last = burst[-1]
        origin = self._state.origin(self.chat)
        wrote = None
        if any(one.is_asked for one in burst):
            wrote = await self._voice.answered_before([one for one in burst if one.is_asked], origin)
            burst = [one for one in burst if one.is_asked] if wrote else burst
        if wrote is None:
            self._state.ask(burst)
            wrote = await self._written(burst, origin, request_id)
        is_talk = self._voice.card.kind == "dialogue" and not last.is_topic
        texts = bubbles(wrote.text, MAX_BUBBLES) if is_talk else pieces(wrote.text.strip())
        _log.info(
            "chat %d, request %s: %d messages of %d characters, answered by %d of %d",
            *(self.chat, request_id, len(burst), sum(len(one.text) for one in burst)),
            *(len(texts), sum(map(len, texts))),
        )
        await self._wait_before(texts, burst)
        taken = {one.message for one in burst}
        unheard = [one for one in waiting if one.chat < 0 and not one.is_addressed and one.message not in taken]
        self._state.drop(unheard)
        self._state.answer(burst, texts, wrote.turn)

    async def _written(self, burst: Sequence[Incoming], origin: int, request_id: str) -> Wrote:
        """Return what the voice writes, and show that it does: typing, and drafts where there is nobody to be like."""
        at_once = self._config.pace == "none"
        drafted = Draft(self._sender, self.chat, burst[-1].message) if at_once and self.chat > 0 else None
        wrote = Wrote("")
        typing = self._sender.typing(self.chat) if self._config.pace != "real" else nullcontext()
        async with typing, aclosing(self._voice.answer(burst, origin, request_id)) as growing:
            async for wrote in growing:
                if drafted:
                    await drafted.show(wrote.text, self._clock.now())
        return wrote

    async def _wait_before(self, texts: Sequence[str], burst: Sequence[Incoming]) -> None:
        """Let as much time pass from the last message to the first of an answer as it would take them."""
        if texts:
            asked = "\n".join(one.text for one in burst)
            seconds = pace.waiting(self._voice.rhythm, asked, texts[0], self._rng, self._config.pace)
            await self._pause(burst[-1].at + seconds - self._clock.now())

    async def _send_replies(self) -> None:
        is_first = True
        while reply := self._state.outgoing(self.chat, "reply"):
            if not is_first:
                await self._pause(pace.gap(self._voice.rhythm, reply.text, self._rng, self._config.pace))
            is_first = False
            message = await self._sender.send(self.chat, reply.text)
            self._state.sent(reply, message, self._clock.now())
            self._recent.add(self.chat, Said(self._voice.card.persona, reply.text, self._clock.now(), is_mine=True))

    async def _pause(self, seconds: float) -> None:
        """Wait, and show typing towards the end."""
        shown = min(seconds, TYPING_BEFORE)
        if seconds > shown:
            await self._clock.sleep(seconds - shown)
        if shown > 0:
            await self._sender.show_typing(self.chat)
            half = shown / 2  # Telegram shows it for five seconds
            await self._clock.sleep(half)
            await self._sender.show_typing(self.chat)
            await self._clock.sleep(half)

    async def _bear(self, error: ApiError, burst: Sequence[Incoming]) -> None:
        """Say once that there is no answer yet, and wait; after a long time, or where it never helps, give up."""
        now, last = self._clock.now(), burst[-1]
        _log.warning("chat %d: the API refused: status %s", self.chat, error.status)
        if error.status == 400 and len(burst) > 1:  # more than the voice can read at once: the latest matters most
            self._state.drop(burst[: len(burst) // 2])
            return
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now
        if error.status not in _PASSING or now - self._failing_since > PATIENCE:
            self._state.drop(burst)
            self._failing_since, self._failures = None, 0
            self._reply(last, say(last.language, "repeat"))
            return
        if self._failures == 1:
            await self._sender.send(self.chat, say(last.language, "api_down"))
        await self._clock.sleep(error.retry_after or min(5.0 * 2 ** (self._failures - 1), 60.0))

    def _reply(self, last: Incoming, text: str) -> None:
        self._state.answer([last], [text], None)


class Draft:
    """A reply in a private chat as it grows; at most once a second."""

    def __init__(self, sender: Sender, chat: int, number: int) -> None:
        self._sender, self._chat, self._number = sender, chat, number
        self._shown_at = float("-inf")

    async def show(self, text: str, now: float) -> None:
        """Show what is written so far, if that is due."""
        if now - self._shown_at >= DRAFT_EVERY and text.strip():
            self._shown_at = now
            await self._sender.draft(self._chat, self._number, pieces(text.strip(), MAX_UNITS)[0])


def burst_of(waiting: Sequence[Incoming]) -> list[Incoming]:
    """Return what is to be answered together: all that one person said, where any of it was said to the voice.

    A topic stands by itself. Empty where nobody spoke to the voice.
    """
    addressed = next((one for one in waiting if one.is_addressed), None)
    if addressed is None:
        return []
    if addressed.is_topic:
        return [addressed]
    return [one for one in waiting if one.user == addressed.user and not one.is_topic]
