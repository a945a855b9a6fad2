"""``manera write`` and ``manera chat``."""

import sys
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from manera.cli import console
from manera.generation.engine import Token
from manera.generation.opening import Opened, open_voices
from manera.generation.reply import Writer, stream_reply
from manera.records import Message
from manera.voice.manifest import Sampling

RESET, QUIT = "/reset", "/quit"
COMMANDS = {RESET: "forgets the conversation", QUIT: "ends it", "//...": "says /..., which is no command"}


def write(voice: str, text: str, flags: Mapping[str, float | None], guard: bool) -> None:
    """Write one text to stdout, as it is made."""
    with open_voices([voice], console.say) as ready:
        writer = _writer(ready, voice, guard)
        console.stream_to_stdout(reply(ready, writer, [Message("user", text)], flags))


def chat(voice: str, flags: Mapping[str, float | None], guard: bool) -> None:
    """Open a voice and talk until the end of input."""
    with open_voices([voice], console.say) as ready:
        talk(ready, voice, flags, guard)


def talk(ready: Opened, voice: str, flags: Mapping[str, float | None], guard: bool = True) -> None:
    """Talk to an open voice until /quit, the end of input or Ctrl-C."""
    writer = _writer(ready, voice, guard)
    described = ready.voices[voice]
    told = ", ".join(f"{command} {COMMANDS[command]}" for command in (RESET, QUIT))
    console.say(f"{described.persona.name}, on {ready.base}.  {told}.")
    history: list[Message] = []
    while (said := _ask()) is not None:
        if said == RESET:
            history.clear()
            continue
        if said.startswith("/") and not said.startswith("//"):
            _list_commands(said)
            continue
        history.append(Message("user", said.removeprefix("/")))
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


def _list_commands(said: str) -> None:
    console.say(f"{said.split()[0]!r} is no command, and was not said. There are:")
    for command, meaning in COMMANDS.items():
        console.say(f"  {command:8}{meaning}")


def _ask() -> str | None:
    """Read a line that is not empty; None is the end of the conversation."""
    said = ""
    while not said:
        try:
            said = input("> " if sys.stdin.isatty() and sys.stdout.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt):
            console.say("")
            return None
    return None if said == QUIT else said
