"""What the two ways of asking have in common, in OpenAI's words."""

from collections.abc import Sequence
from time import time
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from manera.generation.engine import Finished, Request
from manera.generation.reply import Writer
from manera.model.voice import Sampling

IGNORED = frozenset({
    "metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "store", "user",
})  # fmt: skip
"""Fields that clients send and that change nothing here."""

SAMPLING_FIELDS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed")
MOST_CHOICES = 8
MOST_STOPS = 16
MOST_CHARACTERS = 400_000

StopString = Annotated[str, Field(min_length=1, max_length=256)]


class StrictModel(BaseModel):
    """Only known fields, only of their own type; null is the same as not given."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None and name not in IGNORED}


class StreamOptions(StrictModel):
    include_usage: bool = False


class GenerationFields(StrictModel):
    """How to write, whatever is to be written; what is not given is as the voice has it."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] = 1
    stop: StopString | Annotated[list[StopString], Field(max_length=MOST_STOPS)] = []
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Return the stop strings, however many were given."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def max_new_tokens(self) -> int | None:
        """Return the limit of each reply, where one was given."""
        return self.max_tokens

    def sampling(self, default: Sampling, choice: int) -> Sampling:
        """Return how one choice is drawn: a given seed counts on, so that choices differ."""
        given = {name: getattr(self, name) for name in SAMPLING_FIELDS if getattr(self, name) is not None}
        if self.max_new_tokens is not None:
            given["max_new_tokens"] = self.max_new_tokens
        drawn = msgspec.structs.replace(default, **given)
        return drawn if drawn.seed is None else msgspec.structs.replace(drawn, seed=drawn.seed + choice)

    def request(self, prompt: list[int], writer: Writer, choice: int, top_logprobs: int | None) -> Request:
        """Return what the engine is asked for one choice."""
        return Request(
            prompt,
            self.sampling(writer.sampling, choice),
            writer.adapter,
            self.stops,
            self.frequency_penalty,
            self.presence_penalty,
            top_logprobs=top_logprobs,
        )


class Identity(msgspec.Struct, frozen=True):
    """What every answer and every event of a stream begins with."""

    id: str
    created: int
    model: str


def identity(prefix: str, model: str) -> Identity:
    """Name a new answer."""
    return Identity(f"{prefix}-{uuid4().hex}", int(time()), model)


class Usage(msgspec.Struct, frozen=True):
    """Tokens read and written; a prompt of several choices counts once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


def usage_of(finished: Sequence[Finished], choices_per_prompt: int) -> Usage:
    """Add up what a request has used."""
    read = sum(one.prompt_tokens for one in finished) // choices_per_prompt
    written = sum(one.new_tokens for one in finished)
    return Usage(read, written, read + written)
