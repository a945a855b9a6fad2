"""What goes over ``/v1/completions``."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field

from manera.serving.protocol import MOST_CHARACTERS, GenerationFields, Usage

MOST_PROMPTS = 8
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class CompletionRequest(GenerationFields):
    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS)]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def prompts(self) -> list[str]:
        """Return the prompts, however many were given."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


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
