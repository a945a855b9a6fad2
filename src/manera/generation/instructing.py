"""A model that makes questions and plain drafts of a person's text: any OpenAI-compatible server, or a base here."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from manera.clock import Clock
from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation.answers import Answers, answered, models
from manera.generation.engine import Engine, Request, Token, stream
from manera.generation.instruction_prompts import shown, told
from manera.generation.remote import KEY_VARIABLE, stored_key
from manera.generation.server import Ask, Server, address
from manera.records import Message
from manera.voice.instructions import Kind
from manera.voice.manifest import Sampling

AT_ONCE = 4
MAX_TOKENS: dict[Kind, int] = {"question": 48, "draft": 400}

Answer = Callable[[Kind, str], str]
"""Makes something of one text."""


def answers(answer: Answer, at_once: int, kind: Kind, texts: Sequence[str]) -> Iterator[str]:
    """Make something of each text, so many at the same time, in their order; at an error the others are given up."""
    threads = ThreadPoolExecutor(at_once, "manera-instructions")
    try:
        yield from threads.map(partial(answer, kind), texts)
    finally:
        threads.shutdown(cancel_futures=True)


def by_base(engine: Engine, encoder: Encoder, kind: Kind, text: str) -> str:
    """Let an untuned base go on where examples show it what to do."""
    prompt = [encoder.bos, *encoder.text(shown(kind, text))]
    sampling = Sampling(temperature=0.0, repetition_penalty=None, max_new_tokens=MAX_TOKENS[kind])
    request = Request(prompt, sampling, stop=("\n",))
    return "".join(item.text for item in stream(engine, request) if isinstance(item, Token)).strip()


def find_server(url: str, model: str | None, clock: Clock | None = None) -> Server:
    """Return a server with the model that is named, else its first. Raises GenerationError."""
    server = Server(address(url), stored_key(), KEY_VARIABLE)
    if model:
        return server._replace(model=model)
    found = models(server, clock)
    if not found:
        raise GenerationError(f"the server at {server.url} names no model", "--instructions-model NAME")
    return server._replace(model=found[0])


def by_server(
    server: Server, kept: Answers, kind: Kind, texts: Sequence[str], clock: Clock | None = None
) -> Iterator[str]:
    """Ask a server about each text, and return its answers in their order; where it has no chat, it continues.

    What was answered before is not asked again. Raises GenerationError when all that could be had were handed on.
    """
    asks = [_ask(kind, text) for text in texts]
    waiting: dict[int, str] = {}
    following = 0
    for place, answer in answered(server, asks, kept, AT_ONCE, clock=clock):
        waiting[place] = answer.text
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _ask(kind: Kind, text: str) -> Ask:
    message = Message("user", told(kind, text))
    return Ask((message,), MAX_TOKENS[kind], shown=shown(kind, text), stop=("\n",))
