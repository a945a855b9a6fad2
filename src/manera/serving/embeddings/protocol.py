"""What goes over ``/v1/embeddings``."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from manera.serving.protocol import ModelId, StrictModel

MAX_INPUTS = 128
Text = Annotated[str, Field(min_length=1, max_length=8_000)]


class EmbeddingRequest(StrictModel):
    model: ModelId
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> list[str]:
        """Return the texts, however many were given."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(msgspec.Struct, frozen=True):
    """One text's direction: numbers, or the same as base64 of little-endian 32-bit floats."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, frozen=True):
    model: str
    data: Sequence[Embedding]
    usage: EmbeddingUsage
    object: Literal["list"] = "list"
