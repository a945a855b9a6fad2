"""``manera write`` and ``manera chat``."""

import sys
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from manera.cli import console
from manera.cli.opening import Opened, opened
from manera.generation.engine import Token
from manera.generation.reply import Writer, stream_reply
from manera.model.voice import Sampling
from manera.records import Message

RESET, QUIT = "/reset", "/quit"


def write(voice: str, text: str, flags: Mapping[str, float | None], guard: bool) -> None:
    """Write one text to stdout, as it is made."""
    with opened([voice]) as ready:
        writer = _writer(ready, voice, guard)
        console.stream_to_stdout(reply(ready, writer, [Message("user", text)], flags))


def chat(voice: str, flags: Mapping[str, float | None], guard: bool) -> None:
    """Open a voice and talk until the end of input."""
    with opened([voice]) as ready:
        talk(ready, voice, flags, guard)


def talk(ready: Opened, voice: str, flags: Mapping[str, float | None], guard: bool = True) -> None:
    """Talk to an open voice until /quit, the end of input or Ctrl-C."""
    writer = _writer(ready, voice, guard)
    described = ready.voices[voice]
    console.say(f"{described.persona.name}, on {ready.base}.  {RESET} forgets the conversation, {QUIT} ends it.")
    history: list[Message] = []
    while (said := _ask()) is not None:
        if said == RESET:
            history.clear()
            continue
        history.append(Message("user", said))
        try:
            answer = console.stream_to_stdout(reply(ready, writer, history, flags))
        except KeyboardInterrupt:
            console.say("")
            history.pop()
            continue
        history.append(Message("assistant", answer))


def reply(
    ready: Opened, writer: Writer, messages: Sequence[Message], flags: Mapping[str, float | None]
) -> Iterator[str]:
    """Yield the pieces of a reply; a flag that is None leaves the voice's own setting."""
    given = {key: value for key, value in flags.items() if value is not None}
    sampling: Sampling = msgspec.structs.replace(writer.sampling, **given)
    for item in stream_reply(ready.engine, writer, messages, sampling).tokens:
        if isinstance(item, Token):
            yield item.text


def _writer(ready: Opened, voice: str, guard: bool) -> Writer:
    writer = ready.writers[voice]
    return writer if guard else writer._replace(guard=None)


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
