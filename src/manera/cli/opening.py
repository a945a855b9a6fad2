"""Voices by name, opened on their one base."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from manera.cli import console
from manera.errors import ModelError
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer, base_writer, voice_writer
from manera.model import base_model
from manera.model.voice import ADAPTER_GGUF, Voice, read_voice, require_base, voice_folder


class Opened(NamedTuple):
    """An engine, and the writers on it by model id: the voices, then the untuned base."""

    engine: LlamaCpp
    voices: dict[str, Voice]
    writers: dict[str, Writer]
    base: str


@contextmanager
def opened(names: Sequence[str], slots: int = 1) -> Iterator[Opened]:
    """Open voices that share a base, and close them in the end; raise ModelError when they do not share one."""
    voices = {name: read_voice(name) for name in names}
    first = voices[names[0]]
    for voice in voices.values():
        if voice.base != first.base:
            raise ModelError(
                f"the voices {first.name!r} and {voice.name!r} were trained on different bases",
                "serve them apart, on two ports",
            )
    base = _prepared(first)
    tokenizer = base_model.load_tokenizer(base)
    writers = {name: voice_writer(voice, tokenizer) for name, voice in voices.items()}
    writers[first.base.id] = base_writer(first.base, tokenizer)
    adapters = {name: voice_folder(name) / ADAPTER_GGUF for name in names}
    with open_engine(base / "base.gguf", adapters, slots=slots) as engine:
        yield Opened(engine, voices, writers, first.base.id)


def _prepared(voice: Voice) -> Path:
    if not base_model.is_prepared(voice.base.languages):
        console.say("building the base (once, about half a minute)")
    base = base_model.prepare(voice.base.languages)
    require_base(voice, base_model.read(base))
    return base
