"""Voices by name, opened on their one base."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from manera.bases import base_model
from manera.bases.base_model import BaseModel
from manera.errors import GenerationError, ModelError
from manera.generation import llama_cpp, swapping
from manera.generation.engine import Engine
from manera.generation.idle_adapters import changes_nothing
from manera.generation.own_models import OwnModels
from manera.generation.reply import Writer, base_writer, voice_writer
from manera.voice import merging
from manera.voice.adapter import weights_file
from manera.voice.folder import adapter_file, voice_folder
from manera.voice.manifest import Voice, read_voice, require_base

ENGINES = ("auto", "llama.cpp", "transformers")

Tell = Callable[[str], None]
"""Takes one line about what is being done or is not as it should be, for whoever waits."""


class EngineChoice(NamedTuple):
    """What writes: one of ENGINES here, or the servers at some addresses, which go before it.

    auto: llama.cpp where it computes the base, else transformers.
    """

    name: str = "auto"
    urls: Sequence[str] = ()


class Opened(NamedTuple):
    """An engine, and the writers on it by model id: the voices, then, unless it is merged, the untuned base."""

    engine: Engine
    voices: dict[str, Voice]
    writers: dict[str, Writer]
    base: str


@contextmanager
def open_voices(names: Sequence[str], tell: Tell) -> Iterator[Opened]:
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
    base = prepared(first, tell)
    tokenizer = base_model.load_tokenizer(base)
    writers = {name: voice_writer(voice, tokenizer) for name, voice in voices.items()}
    writers[first.base.id] = base_writer(first.base, tokenizer)
    for voice in voices.values():
        if voice.recipe.stands_alone and voice.base.form == "gguf":
            tell_folding(voice, base, tell)
    with open_base(base, names, llama_cpp.IDLE_DRAFTS) as engine:
        tell_idle(engine, (writers[name] for name in names), tell)
        yield Opened(engine, voices, writers, first.base.id)


@contextmanager
def open_merged(name: str, slots: int, tell: Tell) -> Iterator[Opened]:
    """Open the model that a voice is folded into, folding it where that has not been done; it has no base beside it.

    Whether the adapter does anything is asked then only: afterwards there is no base to compare with.
    """
    voice = read_voice(name)
    require_gguf(voice.base)
    base = prepared(voice, tell)
    writer = voice_writer(voice, base_model.load_tokenizer(base))
    path = merging.merged_file(voice, base)
    if not path.is_file():
        tell_folding(voice, base, tell)
        with open_base(base, [name]) as engine:
            tell_idle(engine, [writer], tell)
        merging.merge(voice, base)
    merged = writer._replace(adapters={}, is_merged=True)
    with llama_cpp.open_engine(path, slots=slots) as engine:
        yield Opened(engine, {name: voice}, {name: merged}, voice.base.id)


def open_base(
    base: Path, names: Sequence[str], slots: int = 1, engine: EngineChoice | None = None
) -> AbstractContextManager[Engine]:
    """Open a base with the adapters of some voices, here or on other servers; raise GenerationError, ModelError.

    llama.cpp opens the adapters of further voices when they are asked for.
    """
    asked, urls = engine or EngineChoice()
    described = base_model.read(base)
    chosen = _engine_for(described, asked)
    if urls:
        from manera.generation import remote

        encoder = base_writer(described, base_model.load_tokenizer(base)).encoder
        return closing(remote.open_engine(urls, described.id, encoder.text))

    def folder(name: str) -> Path:
        require_base(read_voice(name), described)
        return voice_folder(name)

    if chosen == "transformers":
        from manera.generation import transformers_engine

        def all_weights(name: str) -> Path | None:
            return weights_file(folder(name)) if read_voice(name).recipe.method == "full" else None

        adapters = {name: folder(name) for name in names if all_weights(name) is None}
        over_base = transformers_engine.open_engine(base, adapters, find=folder)
        return closing(
            OwnModels(over_base, all_weights, lambda path: transformers_engine.open_engine(base, weights=path))
        )

    def adapter(name: str) -> Path:
        folder(name)
        return adapter_file(name)

    def own_model(name: str) -> Path | None:
        voice = read_voice(name)
        if not voice.recipe.stands_alone:
            return None
        require_base(voice, described)
        return merging.merged(voice, base)

    laid_on = [name for name in names if not read_voice(name).recipe.stands_alone]
    with_adapters = swapping.open_engine(base / base_model.GGUF, adapter, laid_on, slots=slots)
    return closing(OwnModels(with_adapters, own_model, partial(llama_cpp.open_engine, slots=slots)))


def _engine_for(base: BaseModel, asked: str) -> str:
    """Return which engine opens a base here; raise GenerationError where the one asked for cannot."""
    if asked not in ENGINES:
        raise GenerationError(f"no engine {asked!r}", f"--engine {' or '.join(ENGINES)}; --url for a server elsewhere")
    if asked == "auto":
        return "llama.cpp" if base.form == "gguf" else "transformers"
    if asked == "llama.cpp":
        require_gguf(base)
    return asked


def require_gguf(base: BaseModel) -> None:
    """Raise GenerationError where llama.cpp does not compute a base."""
    if base.form != "gguf":
        raise GenerationError(
            f"llama.cpp does not compute {base.id}, which is built like {base.architecture}",
            "leave out --engine and --merge: transformers writes",
        )


def tell_folding(voice: Voice, base: Path, tell: Tell) -> None:
    """Tell that the first reply of a voice has to wait for its model."""
    if not merging.merged_file(voice, base).is_file():
        tell("folding the voice into the base (once, some ten seconds)")


def tell_idle(engine: Engine, writers: Iterable[Writer], tell: Tell) -> None:
    """Tell which voices write just as their base does."""
    for writer in writers:
        if changes_nothing(engine, writer):
            tell(f"warning: the voice {writer.model!r} writes just as its base does; train it again")


def prepared(voice: Voice, tell: Tell) -> Path:
    """Return the folder of a voice's base, built where it is not; raise ModelError when it is another one now."""
    if base_model.find_built(voice.base) is None:
        tell("building the base (once, about half a minute)")
    base = base_model.prepare_for(voice.base)
    require_base(voice, base_model.read(base))
    return base
