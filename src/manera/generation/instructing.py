"""A model that makes questions and plain drafts of a person's text: any OpenAI-compatible server, or a base here."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from manera.dataset.encoding import Encoder
from manera.errors import GenerationError
from manera.generation.engine import Engine, Request, Token, stream
from manera.generation.instruction_prompts import shown, told
from manera.generation.remote import KEY_VARIABLE, SECONDS_TO_CONNECT, stored_key
from manera.voice.instructions import Kind
from manera.voice.manifest import Sampling

AT_ONCE = 4
SECONDS_TO_ANSWER = 300.0
MAX_TOKENS: dict[Kind, int] = {"question": 48, "draft": 400}

Document = TypeVar("Document", bound=msgspec.Struct)

Answer = Callable[[Kind, str], str]
"""Makes something of one text."""


class Server(NamedTuple):
    """An OpenAI-compatible server, and which of its models is asked."""

    url: str
    model: str


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] = []


class _Message(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message = _Message()
    text: str = ""


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []


def is_elsewhere(url: str) -> bool:
    """Tell whether what is sent to an address leaves this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


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


def client(url: str) -> httpx2.Client:
    """Return a client with the servers' key, as ``generation.remote`` has it; what stays here meets no proxy."""
    key = stored_key()
    return httpx2.Client(
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=httpx2.Timeout(SECONDS_TO_ANSWER, connect=SECONDS_TO_CONNECT),
        trust_env=is_elsewhere(url),
    )


def find_server(client: httpx2.Client, url: str, model: str | None) -> Server:
    """Return a server with the model that is named, else its first. Raises GenerationError."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise GenerationError(f"{url!r} is no address of a server", "write it whole: http://127.0.0.1:8000")
    address = url.rstrip("/").removesuffix("/v1") + "/v1"
    if model:
        return Server(address, model)
    found = _read(_succeeded(_sent(client, client.build_request("GET", f"{address}/models"))), _Models).data
    if not found:
        raise GenerationError(f"the server at {address} names no model", "--instructions-model NAME")
    return Server(address, found[0].id)


def by_server(client: httpx2.Client, server: Server, kind: Kind, text: str) -> str:
    """Ask a server's chat; where it has none, let it continue what the base would be shown. Raises GenerationError."""
    asked = {"model": server.model, "temperature": 0.0, "max_tokens": MAX_TOKENS[kind], "stream": False}
    chat = {**asked, "messages": [{"role": "user", "content": told(kind, text)}]}
    answer = _sent(client, client.build_request("POST", f"{server.url}/chat/completions", json=chat))
    if answer.status_code in (404, 405):
        continued = {**asked, "prompt": shown(kind, text), "stop": ["\n"]}
        answer = _sent(client, client.build_request("POST", f"{server.url}/completions", json=continued))
    choices = _read(_succeeded(answer), _Completion).choices
    return ((choices[0].message.content or choices[0].text) if choices else "").strip()


def _sent(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    try:
        return client.send(request)
    except httpx2.TransportError as error:
        raise GenerationError(
            f"the server at {request.url} cannot be reached: {error}", "look whether it runs"
        ) from error


def _succeeded(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code == 200:
        return answer
    hint = f"set {KEY_VARIABLE} to its key, in the environment or in .env"
    raise GenerationError(
        f"the server at {answer.url} answers {answer.status_code}",
        hint if answer.status_code in (401, 403) else "look at its log, and at what it serves: GET /v1/models",
    )


def _read(answer: httpx2.Response, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise GenerationError(
            f"the server at {answer.url} answers what is no document of OpenAI's API", "look at what runs there"
        ) from error
