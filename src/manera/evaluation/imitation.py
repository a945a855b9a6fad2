"""An imitation of the author: what the untrained base writes when it is shown the author's examples.

A verifier has to tell the author from it without having met the voice. It is written once and lies in the voice's
folder: so every evaluation of a voice, whatever its seed, asks the same verifier.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from manera.evaluation.writing import whole, write_all
from manera.files import replacing
from manera.generation.engine import Engine
from manera.voice.manifest import Sampling


def imitate(
    folder: Path,
    open_engine: Callable[[], AbstractContextManager[Engine]],
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    slots: int,
) -> list[str]:
    """Write one text for each prompt, or read what was written on these very prompts before."""
    asked = hashlib.sha256(msgspec.json.encode((prompts, sampling))).hexdigest()
    path = folder / f"imitation-{asked[:12]}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        pass  # never written, or broken
    with open_engine() as engine:
        texts = [whole(one) for one in write_all(engine, prompts, sampling, {}, slots)]
    with replacing(path) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(texts))
    return texts
