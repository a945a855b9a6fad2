"""What the two ways of asking have in common, in OpenAI's words."""

from collections.abc import Callable, Sequence
from time import time
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from manera.errors import ServingError
from manera.generation.engine import Finished, Request
from manera.generation.reply import Prompt, Writer
from manera.voice.manifest import Sampling

IGNORED = frozenset({
    "metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "store", "user",
})  # fmt: skip
"""Fields that clients send and that change nothing here, but where a model has them itself."""

SAMPLING_FIELDS = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty",
    "dry_multiplier", "dry_base", "dry_allowed_length", "seed", "drafts",
)  # fmt: skip
MAX_CHOICES = 8
MAX_DRAFTS = 8
MAX_STOPS = 16
MAX_BIASES = 1024
MAX_MIXED = 4
MAX_WEIGHT = 1.5
MAX_MIXED_WEIGHT = 2.0
MAX_CHARACTERS = 400_000
LARGEST_SEED = 9_223_372_036_854_776_000
"""64 bits as JSON's numbers round them, and as OpenAI's own schema has it."""


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE = BeforeValidator(_whole)
"""Takes integers as JSON knows them: 5.0 is one."""

StopString = Annotated[str, Field(min_length=1, max_length=256)]
ModelId = Annotated[str, Field(min_length=1, max_length=256)]
TokenNumber = Annotated[str, Field(pattern="^[0-9]{1,9}$")]
Weight = Annotated[float, Field(ge=0, le=MAX_WEIGHT)]


class BadRequestError(ServingError):
    """A request cannot be served as it is; param: the field to change."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


class StrictModel(BaseModel):
    """Only known fields, only of their own type; null is the same as not given."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        ignored = IGNORED - cls.model_fields.keys()
        return {name: value for name, value in given.items() if value is not None and name not in ignored}


class StreamOptions(StrictModel):
    include_usage: bool = False


class GenerationFields(StrictModel):
    """How to write, whatever is to be written; what is not given is as the voice has it."""

    model: ModelId
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] = 1
    stop: StopString | Annotated[list[StopString], Field(max_length=MAX_STOPS)] = []
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.1, le=2)] | None = None
    dry_multiplier: Annotated[float, Field(ge=0, le=5)] | None = None
    dry_base: Annotated[float, Field(ge=1, le=4)] | None = None
    dry_allowed_length: Annotated[int, Field(ge=1, le=1024), WHOLE] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[
        dict[TokenNumber, Annotated[float, Field(ge=-100, le=100)]],
        Field(
            max_length=MAX_BIASES,
            description="What to add to the logits of tokens, by their ids.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = {}
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1), WHOLE] | None = None
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED), WHOLE] | None = None
    drafts: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_DRAFTS,
            description="Of how many drafts the one that fits its context best is sent, once it is chosen. By default "
            "several where nothing else is being written, unless the reply may be long or a seed, n or greedy sampling "
            "is asked for.",
        ),
        WHOLE,
    ] = None
    voice_scale: Annotated[
        Weight | None, Field(description="How strongly the voice speaks: 0 is the untuned base, 1 is as trained.")
    ] = None
    voice_mix: Annotated[
        dict[ModelId, Weight] | None,
        Field(
            min_length=1,
            max_length=MAX_MIXED,
            description="Voices that write together, instead of the model's own, and how strongly each of them speaks; "
            f"at most {MAX_MIXED_WEIGHT:g} together.",
        ),
    ] = None
    guard: Annotated[
        bool, Field(description="Whether the voice's guard keeps the reply from reciting what it was trained on.")
    ] = True

    @property
    def stops(self) -> tuple[str, ...]:
        """Return the stop strings, however many were given."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def max_new_tokens(self) -> int | None:
        """Return the limit of each reply, where one was given."""
        return self.max_tokens

    def require_sense(self, vocabulary: int) -> None:
        """Raise BadRequestError for what no schema can say: fields that exclude each other, tokens that are not."""
        if self.voice_mix is not None and self.voice_scale is not None:
            raise BadRequestError("voice_scale", "it weighs the model's own voice, which voice_mix replaces")
        if self.voice_mix is not None and sum(self.voice_mix.values()) > MAX_MIXED_WEIGHT:
            raise BadRequestError("voice_mix", f"the weights may be {MAX_MIXED_WEIGHT:g} together")
        for token in self.logit_bias:
            if int(token) >= vocabulary:
                raise BadRequestError("logit_bias", f"there is no token {token}: there are {vocabulary}")

    def sampling(self, default: Sampling, choice: int) -> Sampling:
        """Return how one choice is drawn: a given seed counts on, so that choices differ."""
        given = {name: getattr(self, name) for name in SAMPLING_FIELDS if getattr(self, name) is not None}
        if self.max_new_tokens is not None:
            given["max_new_tokens"] = self.max_new_tokens
        drawn = msgspec.structs.replace(default, **given)
        return drawn if drawn.seed is None else msgspec.structs.replace(drawn, seed=drawn.seed + choice)

    def adapters(self, writer: Writer, of: Callable[[str], Writer]) -> dict[str, float]:
        """Return the weight of each adapter that takes part; ``of`` finds who else is named.

        Raises BadRequestError where the voice is merged and was to be weighed.
        """
        if self.voice_mix is None:
            field, writers = "voice_scale", [(writer, 1.0 if self.voice_scale is None else self.voice_scale)]
        else:
            field, writers = "voice_mix", [(of(model), share) for model, share in self.voice_mix.items()]
        for one, share in (*writers, (writer, 1.0)):
            if one.is_merged and (share != 1 or self.voice_mix is not None):
                raise BadRequestError(field, f"{one.model!r} is merged into its model: it speaks alone, as trained")
        return {name: weight * share for one, share in writers for name, weight in one.adapters.items() if share}

    def requests(self, prompts: Sequence[Prompt], writer: Writer, top_logprobs: int | None) -> list[Request]:
        """Write one request for each choice of each prompt, in this order."""
        return [
            Request(
                prompt.ids,
                self.sampling(writer.sampling, choice),
                writer.adapters,
                self.stops,
                self.frequency_penalty,
                self.presence_penalty,
                {int(token): bias for token, bias in self.logit_bias.items()},
                top_logprobs=top_logprobs,
            )
            for prompt in prompts
            for choice in range(self.n)
        ]


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
