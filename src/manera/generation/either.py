"""The engine that a base needs: llama.cpp for a GGUF file, transformers for a folder in its own form."""

from collections.abc import Mapping
from pathlib import Path

from manera.bases import base_model
from manera.generation import llama_cpp
from manera.generation.engine import Engine
from manera.voice.folder import adapter_file, voice_folder
from manera.voice.manifest import Voice


def model_of(base: Path) -> Path:
    """Return what an engine opens of a base folder: its GGUF file, or the folder where it has none."""
    return base / base_model.GGUF if base_model.read(base).form == "gguf" else base


def adapter_of(voice: Voice) -> Path:
    """Return what the same engine takes a voice's adapter from."""
    return adapter_file(voice.name) if voice.base.form == "gguf" else voice_folder(voice.name)


def open_engine(
    model: Path, adapters: Mapping[str, Path] | None = None, slots: int = 4, context_length: int = 4096
) -> Engine:
    """Open a GGUF file, or a base folder in transformers' own form; raise GenerationError, ModelError."""
    if model.is_dir():
        from manera.generation import transformers_engine

        return transformers_engine.open_engine(model, adapters, context_length=context_length)
    return llama_cpp.open_engine(model, adapters, slots=slots, context_length=context_length)
