"""What every engine offers: token ids in; tokens out as they are made; and how it ended."""

from collections.abc import Callable, Generator, Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import Literal, Protocol

import msgspec

from manera.errors import GenerationError
from manera.voice.manifest import Sampling

FinishReason = Literal["stop", "length", "cancelled"]


class Request(msgspec.Struct, frozen=True):
    """One reply to be made.

    prompt: token ids, made by ``Encoder``, opened by one BOS. adapters: the weight of each adapter that takes part,
    by the name the engine knows it by; none is the untuned base. top_logprobs: how many alternatives to tell the
    log-probability of; None is none, not even of the chosen token. stops_at_end: False writes on over the
    end-of-turn token, for benchmarks. forced: tokens to write whatever is likely, so that their log-probabilities are
    told; sampling, biases and stop strings then count for nothing.
    """

    prompt: list[int]
    sampling: Sampling
    adapters: Mapping[str, float] = {}
    stop: tuple[str, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = {}
    top_logprobs: int | None = None
    stops_at_end: bool = True
    forced: tuple[int, ...] = ()


class Token(msgspec.Struct, frozen=True, gc=False):
    """The text that one step added: always whole characters, so a step that ends within one adds none.

    logprob: of the step that completed the text; natural logarithm, before sampling changes it.
    top: the likeliest alternatives and theirs, best first.
    """

    text: str
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()


class Finished(msgspec.Struct, frozen=True):
    """Why and when a reply ended; the end-of-turn token counts as a new token.

    guarded: how often a guard stepped in; what it took back is counted among the new tokens.
    """

    reason: FinishReason
    prompt_tokens: int
    new_tokens: int
    seconds_to_first_token: float
    seconds: float
    guarded: int = 0


Deliver = Callable[[Token], None]
IsCancelled = Callable[[], bool]


class PromptTooLongError(GenerationError):
    """The prompt does not fit the engine's context."""


class Engine(Protocol):
    """A base model and its adapters, ready to write; safe to use from many threads at once."""

    @property
    def context_length(self) -> int:
        """How many tokens a prompt and its reply may have together."""

    @property
    def drafts(self) -> int:
        """How many drafts of a reply are worth writing while nothing else is: 1 where they would not be written
        together."""

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread, handing over each token as soon as it is made.

        is_cancelled: asked after each token, and while a prompt is read; when it is true the reply ends within a token.
        Raises GenerationError, and what ``deliver`` raises.
        """

    def close(self) -> None:
        """Cancel what is being written and free the model."""


def stream(engine: Engine, request: Request) -> Generator[Token | Finished]:
    """Yield a reply's tokens as they are made and, at last, how it ended.

    Closing the iterator cancels the reply and returns when its slot is free. Raises GenerationError.
    """
    made: SimpleQueue[Token | Finished | BaseException] = SimpleQueue()
    cancelled = Event()
    worker = Thread(target=_fill, args=(made, engine, request, cancelled), name="manera-reply")
    worker.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Finished):
                return
    finally:
        cancelled.set()
        worker.join()


def _fill(
    made: "SimpleQueue[Token | Finished | BaseException]", engine: Engine, request: Request, cancelled: Event
) -> None:
    try:
        made.put(engine.generate(request, made.put, cancelled.is_set))
    except BaseException as error:  # raised again in the thread that reads
        made.put(error)
