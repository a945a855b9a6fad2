"""How much memory a base takes, foretold from its size, before it is fetched."""

from typing import NamedTuple

from manera.bases.catalogue import CataloguedBase
from manera.bases.vocabulary import known_languages, language_tokens

LIBRARIES = 700_000_000
"""Of a process that has loaded torch and transformers, and of llama.cpp's buffers in one that serves."""

TOKENS = 1024
"""Of a micro-batch, whose way through the layers is kept until the way back."""

BYTES_KEPT = 90
"""For each token, layer and unit of width; of the two built-in bases as they are trained by default."""

FLOAT32, BYTES_SERVED = 4, 1.1
"""Of a weight: where it is trained, and in the GGUF file from which it is served."""

CONTEXT = 4 * 4096
"""Tokens of the slots that a server has by default; each keeps a key and a value, in 16 bits."""


class Needs(NamedTuple):
    """Bytes at the peak of a training, and of serving."""

    train: float
    serve: float


def needs(base: CataloguedBase) -> Needs:
    """Foretell a base's memory from its parameters, of which those of left out tokens are not loaded."""
    weights = base.parameters - base.width * (base.vocabulary - kept_vocabulary(base))
    states = TOKENS * base.layers * base.width * BYTES_KEPT
    return Needs(LIBRARIES + FLOAT32 * weights + states, LIBRARIES + BYTES_SERVED * weights)


def kept_vocabulary(base: CataloguedBase) -> int:
    """Count the tokens that a base keeps in its own languages."""
    listed = [language for language in base.languages if language in known_languages(base.name)]
    kept = {token for language in listed for token in language_tokens(base.name, language)}
    return len(kept) or base.vocabulary
