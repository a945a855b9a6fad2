"""A quick look at whether an adapter does anything."""

from manera.generation.engine import Engine, Request, stream
from manera.generation.reply import Writer
from manera.records import Message
from manera.voice.manifest import Sampling

ALTERNATIVES = 10


def changes_nothing(engine: Engine, writer: Writer) -> bool:
    """Tell whether a writer's adapters leave the base as it is: the next token has the very same probabilities.

    So it is after a training that learned nothing, or with a file that was damaged. Raises GenerationError.
    """
    prompt = writer.encoder.prompt([Message("user", "?")])
    once = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
    base, adapted = (
        list(stream(engine, Request(prompt, once, adapters, top_logprobs=ALTERNATIVES)))[:-1]
        for adapters in ({}, writer.adapters)
    )
    return base == adapted
