"""What a GGUF file says of itself.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from pathlib import Path
from typing import Any

import gguf

from manera.errors import ModelError


def open_gguf(path: Path) -> gguf.GGUFReader:
    """Map a GGUF file; raise ModelError when it is not one."""
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is not a readable GGUF file: {error}", "build the base again: manera doctor"
        ) from error


def value(reader: gguf.GGUFReader, key: str) -> Any:
    """Return one metadata value; raise ModelError when the file lacks it."""
    field = reader.fields.get(key)
    if field is None:
        raise ModelError(f"the GGUF file has no {key}", "use a base that manera bases lists")
    return field.contents()


def architecture(reader: gguf.GGUFReader) -> str:
    """Return what a file's model is built like."""
    return str(value(reader, "general.architecture"))


def layers(reader: gguf.GGUFReader) -> int:
    """Return how many blocks a file's model has."""
    return int(value(reader, f"{architecture(reader)}.block_count"))


def context_length(reader: gguf.GGUFReader) -> int:
    """Return how many tokens a file's model was made for."""
    return int(value(reader, f"{architecture(reader)}.context_length"))
