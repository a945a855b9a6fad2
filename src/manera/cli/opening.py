"""Voices by name, opened on their one base."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from manera.bases import base_model
from manera.cli import console
from manera.errors import ModelError, ServingError
from manera.generation import llama_cpp
from manera.generation.engine import Engine
from manera.generation.idle_adapters import changes_nothing
from manera.generation.reply import Writer, base_writer, voice_writer
from manera.generation.swapping import open_engine
from manera.voice import merging
from manera.voice.folder import ADAPTER_GGUF, voice_folder
from manera.voice.manifest import Voice, read_voice, require_base

ENGINES = ("llama.cpp", "transformers")


class Opened(NamedTuple):
    """An engine, and the writers on it by model id: the voices, then the untuned base."""

    engine: Engine
    voices: dict[str, Voice]
    writers: dict[str, Writer]
    base: str


@contextmanager
def opened(names: Sequence[str], slots: int = 1) -> Iterator[Opened]:
    """Open voices that share a base, and close them in the end; raise ModelError when they do not share one.

    The engine writes in any other voice of this base too, from when its folder is there.
    """
    voices = {name: read_voice(name) for name in names}
    first = voices[names[0]]
    for voice in voices.values():
        if voice.base != first.base:
            raise ModelError(
                f"the voices {first.name!r} and {voice.name!r} were trained on different bases",
                "serve them apart, on two ports",
            )
    base = prepared(first)
    tokenizer = base_model.load_tokenizer(base)
    writers = {name: voice_writer(voice, tokenizer) for name, voice in voices.items()}
    writers[first.base.id] = base_writer(first.base, tokenizer)
    with open_base(base, names, slots) as engine:
        warn_of_idle_adapters(engine, (writers[name] for name in names))
        yield Opened(engine, voices, writers, first.base.id)


def open_base(
    base: Path, names: Sequence[str], slots: int, engine: str = "llama.cpp", urls: Sequence[str] = ()
) -> AbstractContextManager[Engine]:
    """Open a base with the adapters of some voices, here or, where addresses are given, on other servers.

    llama.cpp opens the adapters of further voices when they are asked for.
    """
    if engine not in ENGINES:
        raise ServingError(f"no engine {engine!r}", f"--engine {' or '.join(ENGINES)}; --url for a server elsewhere")
    described = base_model.read(base)
    if urls:
        from manera.generation import remote

        encoder = base_writer(described, base_model.load_tokenizer(base)).encoder
        return closing(remote.open_engine(urls, described.id, encoder.text))
    if engine == "transformers":
        from manera.generation import transformers_engine

        return closing(transformers_engine.open_engine(base, {name: voice_folder(name) for name in names}))

    def adapter(name: str) -> Path:
        require_base(read_voice(name), described)
        return voice_folder(name) / ADAPTER_GGUF

    return closing(open_engine(base / "base.gguf", adapter, names, slots=slots))


def open_merged(voice: Voice, base: Path, writer: Writer, slots: int) -> AbstractContextManager[Engine]:
    """Open the model that a voice is folded into, folding it where that has not been done.

    Whether the adapter does anything is asked then only: afterwards there is no base to compare with.
    """
    path = merging.merged_file(voice, base)
    if not path.is_file():
        console.say("folding the voice into the base (once, some ten seconds)")
        with open_base(base, [voice.name], 1) as engine:
            warn_of_idle_adapters(engine, [writer])
        merging.merge(voice, base)
    return closing(llama_cpp.open_engine(path, slots=slots))


def warn_of_idle_adapters(engine: Engine, writers: Iterable[Writer]) -> None:
    """Say which voices write just as their base does."""
    for writer in writers:
        if changes_nothing(engine, writer):
            console.say(f"warning: the voice {writer.model!r} writes just as its base does; train it again")


def prepared(voice: Voice) -> Path:
    """Return the folder of a voice's base, built where it is not; raise ModelError when it is another one now."""
    if not base_model.is_prepared(voice.base.languages, voice.base.id):
        console.say("building the base (once, about half a minute)")
    base = base_model.prepare(voice.base.languages, voice.base.id)
    require_base(voice, base_model.read(base))
    return base
