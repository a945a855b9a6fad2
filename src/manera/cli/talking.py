"""``manera write``, ``manera chat`` and ``manera serve``."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from fastapi import FastAPI

from manera.cli import console
from manera.cli.opening import Opened, opened
from manera.generation.engine import Token
from manera.generation.reply import Writer, stream_reply
from manera.model.voice import Sampling
from manera.records import Message
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.guard import LOOPBACK_NAMES
from manera.serving.listening import serve as serve_app

RESET, QUIT = "/reset", "/quit"


def write(voice: str, text: str, flags: Mapping[str, float | None]) -> None:
    """Write one text to stdout, as it is made."""
    with opened([voice]) as ready:
        console.stream_to_stdout(reply(ready, ready.writers[voice], [Message("user", text)], flags))


def chat(voice: str, flags: Mapping[str, float | None]) -> None:
    """Open a voice and talk until the end of input."""
    with opened([voice]) as ready:
        talk(ready, voice, flags)


def talk(ready: Opened, voice: str, flags: Mapping[str, float | None]) -> None:
    """Talk to an open voice until /quit, the end of input or Ctrl-C."""
    described = ready.voices[voice]
    console.say(f"{described.persona.name}, on {ready.base}.  {RESET} forgets the conversation, {QUIT} ends it.")
    history: list[Message] = []
    while (said := _ask()) is not None:
        if said == RESET:
            history.clear()
            continue
        history.append(Message("user", said))
        try:
            answer = console.stream_to_stdout(reply(ready, ready.writers[voice], history, flags))
        except KeyboardInterrupt:
            console.say("")
            history.pop()
            continue
        history.append(Message("assistant", answer))


def serve(names: Sequence[str], host: str, port: int, slots: int) -> None:
    """Serve voices until SIGTERM or Ctrl-C."""
    with opened(names, slots) as ready:
        console.say(f"serving {', '.join(names)} on http://{host}:{port}/v1   docs: http://{host}:{port}/docs")
        serve_app(application(ready, host), host, port)


def application(ready: Opened, host: str) -> FastAPI:
    """Build the API over open voices; on a loopback address it answers to that name only."""
    catalogue = Catalogue(ready.engine, ready.base, ready.writers, int(time.time()))
    return create_app(catalogue, hosts=LOOPBACK_NAMES if host in LOOPBACK_NAMES else None)


def reply(
    ready: Opened, writer: Writer, messages: Sequence[Message], flags: Mapping[str, float | None]
) -> Iterator[str]:
    """Yield the pieces of a reply; a flag that is None leaves the voice's own setting."""
    given = {key: value for key, value in flags.items() if value is not None}
    sampling: Sampling = msgspec.structs.replace(writer.sampling, **given)
    for item in stream_reply(ready.engine, writer, messages, sampling).tokens:
        if isinstance(item, Token):
            yield item.text


def _ask() -> str | None:
    """Read a line; None is the end of the conversation."""
    try:
        said = input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, KeyboardInterrupt):
        console.say("")
        return None
    if said == QUIT:
        return None
    return said or _ask()
