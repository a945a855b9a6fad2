"""What goes over ``/v1/completions``."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field

from manera.serving.protocol import MAX_CHARACTERS, WHOLE, GenerationFields, Usage

MAX_PROMPTS = 8
MAX_TOKENS = 1 << 16
Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
TokenId = Annotated[int, Field(ge=0, lt=2**31), WHOLE]
TokenIds = Annotated[list[TokenId], Field(min_length=1, max_length=MAX_TOKENS)]


class CompletionRequest(GenerationFields):
    prompt: Annotated[
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_PROMPTS)],
        Field(description="One text or several, or one list of token ids or several."),
    ]
    logprobs: Annotated[int, Field(ge=0, le=20), WHOLE] | None = None

    @property
    def prompts(self) -> Sequence[str | list[int]]:
        """Return the prompts, however many were given and in whichever way."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        ids = [part for part in self.prompt if isinstance(part, int)]
        return [ids] if ids else [part for part in self.prompt if not isinstance(part, int)]


class ChoiceLogprobs(msgspec.Struct, frozen=True):
    """Parallel lists; text_offset counts characters of the completion."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class Choice(msgspec.Struct, frozen=True):
    index: int
    text: str
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class Completion(msgspec.Struct, frozen=True):
    """The whole answer, or one event of a stream."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | UnsetType | None = UNSET
    object: Literal["text_completion"] = "text_completion"
