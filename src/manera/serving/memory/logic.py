"""What memory adds to a chat completion: what was said before it, and what is kept of it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
from msgspec import UNSET, UnsetType

from manera.dataset.examples import messages_of
from manera.errors import StoreError
from manera.generation.engine import Token
from manera.generation.reply import Prompt, Writer
from manera.memory.memory import Asking, Memory
from manera.memory.past import Past, remember
from manera.memory.talk import Asked, Exchange, Said, Talk
from manera.records import Message
from manera.serving.memory.protocol import MemoryFields, Remembered
from manera.serving.protocol import BadRequestError
from manera.serving.writing import Item

_log = logging.getLogger(__name__)


class Remembering:
    """One reply in a conversation that is remembered: recalled first, kept while it is written, told in the end."""

    def __init__(self, memory: Memory, client: str, writer: Writer, asked: MemoryFields, said: Sequence[Said]) -> None:
        self.talk = Talk(client, writer.model, asked.user, asked.chat, asked.group)
        self._memory = memory
        self._said = said
        self._asking = Asking(asked.relation, writer.exchanges)
        self._past = Past()
        self._recalled: Sequence[Exchange] = ()
        self._asked: Asked | None = None
        self._turn: int | None = None
        self._error: str | UnsetType = UNSET

    async def recall(self, has_history: bool) -> None:
        """Read what was said before; raise StoreError."""
        self._past = await asyncio.to_thread(self._memory.past, self.talk, self._said, has_history, self._asking)

    def fit(self, writer: Writer, messages: Sequence[Message], room: int) -> Prompt:
        """Encode messages with what was said before them, as far as there is room; raise GenerationError."""
        remembered = remember(writer, self._past, messages, room, self.talk.is_group)
        self._recalled = remembered.recalled
        return remembered.prompt

    async def keep(self, made: AsyncGenerator[list[Item]]) -> AsyncGenerator[list[Item]]:
        """Yield what is made; keep the question when its reply has begun, and the first reply when it is whole.

        Of a reply that breaks off, or that nobody waits for any more, nothing is kept. Raises StoreError before the
        first token only: later the reply is worth more than its place in the store.
        """
        written: list[str] = []
        async with aclosing(made):
            async for items in made:
                if self._asked is None:
                    self._asked = await asyncio.to_thread(self._memory.store.ask, self.talk, self._said)
                for index, item in items:
                    if index == 0 and isinstance(item, Token):
                        written.append(item.text)
                    elif index == 0:
                        await self._keep_reply("".join(written))
                yield items

    async def _keep_reply(self, text: str) -> None:
        if self._asked is None or not text.strip():
            return
        try:
            self._turn = await asyncio.to_thread(self._memory.store.answer, self._asked, self.talk.user, text)
        except StoreError as error:
            _log.error("a reply could not be kept")
            self._error = f"the reply was not kept: {error.message}"

    def told(self) -> Remembered:
        """Tell what was recalled and where the talk is kept."""
        asked = self._asked
        return Remembered(
            None if asked is None else asked.conversation,
            None if asked is None else asked.turn,
            self._turn,
            [_shown(one) for one in self._recalled],
            self._past.relation,
            self._error,
        )


def _shown(exchange: Exchange) -> Exchange:
    """Write an exchange as people read it: the corpus has signs of its own for the breaks in messages."""
    answer = None if exchange.answer is None else "\n".join(messages_of(exchange.answer))
    text, similarity = "\n".join(messages_of(exchange.text)), round(exchange.similarity, 4)
    return msgspec.structs.replace(exchange, text=text, answer=answer, similarity=similarity)


def require_talk(writer: Writer) -> None:
    """Raise BadRequestError for a voice that does not talk with anybody."""
    if writer.kind != "dialogue":
        raise BadRequestError("memory", f"{writer.model!r} does not talk: there is nothing to remember; leave it out")
