"""What goes over ``/v1/chat/completions``."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field

from manera.memory.past import spoken
from manera.memory.talk import Said
from manera.records import Message, Role
from manera.retrieval.origins import Origin
from manera.serving.memory.protocol import MemoryFields, Remembered
from manera.serving.protocol import MAX_CHARACTERS, WHOLE, BadRequestError, GenerationFields, StrictModel, Usage

MAX_MESSAGES = 1024
Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]


class TextPart(StrictModel):
    type: Literal["text"]
    text: Text


class ChatMessage(StrictModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(max_length=64)] | None = None

    def message(self) -> Message:
        """Return it as the encoder knows messages."""
        role: Role = "system" if self.role == "developer" else self.role
        content = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return Message(role, content)


class TextFormat(StrictModel):
    type: Literal["text"]


class ChatRequest(GenerationFields):
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20), WHOLE] = 0
    response_format: TextFormat | None = None
    persona_note: Annotated[
        Text | None, Field(description="Goes before everything else as a system message, and is never dropped.")
    ] = None

    explain: Annotated[
        int, Field(ge=0, le=20, description="How many of the training messages nearest to each reply to tell."), WHOLE
    ] = 0
    memory: Annotated[
        MemoryFields | None,
        Field(description="With whom and where: what they said before is remembered, this is kept."),
    ] = None

    def require_sense(self, vocabulary: int) -> None:
        """Raise BadRequestError for what no schema can say."""
        super().require_sense(vocabulary)
        if self.explain and self.stream:
            raise BadRequestError("explain", "a reply is explained when it is whole: not with stream")
        if self.top_logprobs and not self.logprobs:
            raise BadRequestError("top_logprobs", "it needs logprobs to be true")

    @property
    def max_new_tokens(self) -> int | None:
        """Return the limit of each reply, under its newer name or its older one."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def has_history(self) -> bool:
        """Tell whether the client brings the turns before this one itself."""
        return any(message.role == "assistant" for message in self.messages)

    def spoken(self) -> list[Message]:
        """Return the messages as the encoder knows them; in a remembered group people's have their names."""
        return [self._spoken(message) for message in self.messages]

    def _spoken(self, asked: ChatMessage) -> Message:
        message = asked.message()
        if self.memory is None or not self.memory.group or message.role != "user":
            return message
        return Message("user", spoken(message.content, asked.name or self.memory.name, in_group=True))

    def said(self) -> list[Said]:
        """Return what the person has said since the last reply; raise BadRequestError where that is nothing."""
        name = None if self.memory is None else self.memory.name
        said: list[Said] = []
        for asked in self.messages:
            message = asked.message()
            if message.role == "assistant":
                said.clear()
            elif message.role == "user" and message.content.strip():
                said.append(Said(message.content, asked.name or name))
        if not said:
            raise BadRequestError("messages", "with memory, the last message has to be a user's, and not blank")
        return said


class Alternative(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[Alternative]


class ChoiceLogprobs(msgspec.Struct, frozen=True):
    content: list[TokenLogprob]
    refusal: None = None


class Reply(msgspec.Struct, frozen=True):
    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """One reply; origins, where they were asked for: the training messages nearest to it."""

    index: int
    message: Reply
    finish_reason: str
    logprobs: ChoiceLogprobs | None = None
    origins: list[Origin] | UnsetType = UNSET


class ChatCompletion(msgspec.Struct, frozen=True):
    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"
    memory: Remembered | UnsetType = UNSET


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    content: str | None = None
    role: Literal["assistant"] | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class Chunk(msgspec.Struct, frozen=True):
    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    memory: Remembered | UnsetType = UNSET
