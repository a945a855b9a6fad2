"""Any OpenAI-compatible server that is asked for whole answers: patient where that helps, and plain where it does not.

A question is retried where another time would do (429, 5xx, a connection that breaks off), later each time and never
before the server allows it; what no waiting mends is an error at once.
"""

import hashlib
import ipaddress
import os
import random
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from dotenv import dotenv_values

from manera.clock import Clock, RealClock
from manera.errors import GenerationError
from manera.records import Message

SECONDS_TO_CONNECT = 5.0
SECONDS_TO_ANSWER = 300.0
MAX_TRIES = 6
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 900.0
"""A server that asks for more will not answer today."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NO_CHAT = frozenset({404, 405})
_NO_MONEY = frozenset({"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached"})
_OPTIONAL = ("seed", "temperature")

Document = TypeVar("Document", bound=msgspec.Struct)


class Server(NamedTuple):
    """Where a server is, its key, what names that key to the person, and which of its models is asked."""

    url: str
    key: str | None
    key_variable: str
    model: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether what it is sent leaves this machine."""
        return is_elsewhere(self.url)


class Ask(msgspec.Struct, frozen=True):
    """One question. shown: what a server without a chat is to continue instead, up to ``stop``."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    shown: str | None = None
    stop: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash what is asked, but for the seed."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, seed=None))).hexdigest()


class Answer(msgspec.Struct, frozen=True):
    """What a model answered, and what that took; finish_reason is ``length`` where it was cut off.

    tokens_counted: the server told the tokens; else they are guessed from the bytes.
    """

    model: str
    prompt_sha256: str
    seed: int | None
    text: str
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    tokens_counted: bool = True


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said = _Said()
    text: str = ""
    finish_reason: str | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] = []


class _Fault(msgspec.Struct, frozen=True):
    message: str = ""
    code: str | int | None = None
    type: str | None = None
    param: str | None = None


class _Refusal(msgspec.Struct):
    error: _Fault = _Fault()


def is_elsewhere(url: str) -> bool:
    """Tell whether what is sent to an address leaves this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def stored(variable: str) -> str | None:
    """Return what a variable says in the environment, else in ``.env``."""
    return os.environ.get(variable) or dotenv_values(Path(".env")).get(variable)


def address(url: str) -> str:
    """Return a server's address with its version; raise GenerationError where it is none."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise GenerationError(f"{url!r} is no address of a server", "write it whole: http://127.0.0.1:8000")
    bare = url.rstrip("/")
    last = bare.rpartition("/")[2]
    return bare if last[:1] == "v" and last[1:2].isdigit() else f"{bare}/v1"


def guessed_tokens(text: str) -> int:
    """Guess how many tokens a text has: four bytes each, which is right for English and some too many for Russian."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def guessed_prompt_tokens(ask: Ask) -> int:
    """Guess how many tokens a question has."""
    return sum(guessed_tokens(message.content) for message in ask.messages)


class Client:
    """Asks one server; to be used within one event loop. What stays on this machine meets no proxy."""

    def __init__(self, server: Server, clock: Clock | None = None) -> None:
        self.server = server._replace(url=address(server.url))
        self._clock = clock or RealClock()
        self._jitter = random.Random()
        self._not_before = 0.0
        self._was_reached = False
        self._has_chat = True
        self._left_out: set[str] = set()
        self._length = "max_tokens"
        self._client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {server.key}"} if server.key else {},
            timeout=httpx2.Timeout(SECONDS_TO_ANSWER, connect=SECONDS_TO_CONNECT, pool=None),
            limits=httpx2.Limits(max_connections=None),
            trust_env=server.is_elsewhere,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def models(self) -> list[str]:
        """Return the names of what is served."""
        answer = await self._sent(lambda: self._client.get(f"{self.server.url}/models"))
        return [model.id for model in self._read(answer, _Models).data]

    async def answer(self, ask: Ask) -> Answer:
        """Ask, and wait as long as it helps. Raises GenerationError."""
        answer = await self._asked(ask)
        completion = self._read(answer, _Completion)
        choice = completion.choices[0]
        text = (choice.message.content or choice.text).strip()
        refused = choice.message.refusal is not None and not text
        usage = completion.usage
        return Answer(
            model=self.server.model,
            prompt_sha256=ask.sha256,
            seed=ask.seed,
            text=str(choice.message.refusal) if refused else text,
            finish_reason="refusal" if refused else choice.finish_reason,
            prompt_tokens=usage.prompt_tokens if usage else guessed_prompt_tokens(ask),
            completion_tokens=usage.completion_tokens if usage else guessed_tokens(text),
            tokens_counted=usage is not None,
        )

    async def _asked(self, ask: Ask) -> httpx2.Response:
        """Ask the chat, or where there is none and that will do, let the text be continued."""
        while True:
            continues = not self._has_chat and ask.shown is not None
            path = "completions" if continues else "chat/completions"
            document = self._document(ask, continues)
            url = f"{self.server.url}/{path}"
            answer = await self._sent(lambda url=url, document=document: self._client.post(url, json=document))  # type: ignore[misc]
            if answer.status_code in _NO_CHAT and not continues and ask.shown is not None:
                self._has_chat = False
            elif answer.status_code != 400 or not self._adapts(_fault(answer), document):
                return answer

    def _document(self, ask: Ask, continues: bool) -> dict[str, Any]:
        asked = {"model": self.server.model, "temperature": ask.temperature, "seed": ask.seed, "stream": False}
        asked[self._length] = ask.max_tokens
        if continues:
            asked |= {"prompt": ask.shown, "stop": list(ask.stop) or None}
        else:
            asked["messages"] = [{"role": one.role, "content": one.content} for one in ask.messages]
        return {name: value for name, value in asked.items() if value is not None and name not in self._left_out}

    def _adapts(self, fault: _Fault, document: dict[str, Any]) -> bool:
        """Do without what a server does not know from now on; tell whether that may help."""
        unknown = {
            name
            for name in (*_OPTIONAL, "max_tokens")
            if name in document and (fault.param == name or f"'{name}'" in fault.message)
        }
        if "max_tokens" in unknown:
            self._length = "max_completion_tokens"
        self._left_out |= unknown - {"max_tokens"}
        return bool(unknown)

    async def _sent(self, send: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
        """Send until there is an answer that no other time would change."""
        for attempt in range(1, MAX_TRIES + 1):
            await self._allowed()
            wait = self._jitter.uniform(0.5, 1.0) * min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
            try:
                answer = await send()
            except httpx2.TransportError as error:
                is_last = attempt == MAX_TRIES or (isinstance(error, httpx2.ConnectError) and not self._was_reached)
                if is_last or isinstance(error, httpx2.UnsupportedProtocol):
                    raise GenerationError(
                        f"the server at {self.server.url} cannot be reached: {error or type(error).__name__}",
                        "look whether it runs, and at its address",
                    ) from error
                await self._clock.sleep(wait)
                continue
            self._was_reached = True
            if answer.status_code not in _RETRIED or _is_out_of_money(answer) or attempt == MAX_TRIES:
                return answer
            asked_for = _retry_after(answer, self._clock.now())
            if asked_for > MAX_RETRY_AFTER_SECONDS:
                return answer
            # what one is told holds for all that are asked beside it
            self._not_before = max(self._not_before, self._clock.now() + asked_for)
            await self._clock.sleep(max(wait, asked_for))
        raise AssertionError("the last attempt returns or raises")

    async def _allowed(self) -> None:
        while (wait := self._not_before - self._clock.now()) > 0:
            await self._clock.sleep(wait)

    def _read(self, answer: httpx2.Response, kind: type[Document]) -> Document:
        """Return the document of an answer that is one; raise GenerationError."""
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            found = "a web page" if _is_page(answer) else "what is no document of OpenAI's API"
            raise GenerationError(
                f"the server at {answer.url} answers with {found}",
                "look at what runs there: the address of an API mostly ends in /v1",
            ) from error

    def _refused(self, answer: httpx2.Response) -> GenerationError:
        status, fault = answer.status_code, _fault(answer)
        page = ", with a web page" if _is_page(answer) else ""
        told = fault.message.replace(self.server.key, "…") if fault.message and self.server.key else fault.message
        said = f"the server at {answer.url} answers {status}{page}{f': {told}' if told else ''}"
        hint = "look at its log, and at what it serves: GET /v1/models"
        if _is_out_of_money(answer):
            hint = "there is no money left on the account: fill it up, or ask another server; what was answered is kept"
        elif status in (401, 403):
            what = "another key than this one" if self.server.key else "a key"
            hint = f"it wants {what}: set {self.server.key_variable}, in the environment or in .env"
        elif 300 <= status < 400:
            hint = f"it is elsewhere now: {answer.headers.get('location', 'and does not say where')}"
        elif status == 429:
            hint = f"it allows no more just now{_asked_to_wait(answer)}: come back later; what was answered is kept"
        elif status >= 500:
            hint = f"it is out of order{_asked_to_wait(answer)}: come back later; what was answered is kept"
        return GenerationError(said, hint)


def _fault(answer: httpx2.Response) -> _Fault:
    try:
        return msgspec.json.decode(answer.content, type=_Refusal).error
    except msgspec.DecodeError:
        return _Fault()


def _is_out_of_money(answer: httpx2.Response) -> bool:
    fault = _fault(answer)
    return answer.status_code == 402 or bool(_NO_MONEY & {str(fault.code), str(fault.type)})


def _is_page(answer: httpx2.Response) -> bool:
    return "html" in answer.headers.get("content-type", "") or answer.content.lstrip()[:1] == b"<"


def _retry_after(answer: httpx2.Response, now: float) -> float:
    """Return the seconds that a server asks for: as a number, or until a date; 0 where it asks for none."""
    asked = answer.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - now)
    except ValueError:
        return 0.0


def _asked_to_wait(answer: httpx2.Response) -> str:
    asked = answer.headers.get("retry-after")
    return f" (Retry-After: {asked})" if asked else ""
