"""An imitation of the author: what the untrained base writes when it is shown the author's examples.

A verifier has to tell the author from it without having met the voice. It is written once and lies in the voice's
folder: so every evaluation of a voice, whatever its seed, asks the same verifier.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from manera.dataset.encoding import Encoder
from manera.evaluation.asked import Prompts, Task
from manera.evaluation.rungs import RETRIEVED, RETRIEVED_TOKENS
from manera.evaluation.writing import SLOTS, Writer, whole, write_all
from manera.files import replacing
from manera.generation.engine import Engine
from manera.retrieval.examples import Retriever
from manera.voice.manifest import Sampling

MIN_TOKENS = 32
"""How long an imitation may be at least."""


def imitate_author(
    folder: Path, writer: Writer, prompts: Prompts, encoder: Encoder, retriever: Retriever, tasks: Sequence[Task]
) -> list[str]:
    """Let the base imitate the author on training prompts, no longer than the author writes on average.

    folder: the voice's. encoder: the base's template. retriever: the author's examples to be shown.
    """

    def before(task: Task, room: int) -> list[int]:
        return retriever.shown(task.asked, prompts.kind, encoder, RETRIEVED, min(RETRIEVED_TOKENS, room), task)

    own = sum(len(encoder.text(task.reply)) for task in tasks) // max(len(tasks), 1)
    longest = min(max(own, MIN_TOKENS), writer.sampling.max_new_tokens)
    sampling = msgspec.structs.replace(writer.sampling, max_new_tokens=longest)
    return imitate(folder, writer.open_engine, prompts.of(encoder, tasks, before), sampling, SLOTS)


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
