"""Whether openings help a conversation that has no past: ``python benchmarks/cold_start.py VOICE``.

Nats per token of the voice's first replies in held-out conversations, each read alone and after the training
openings that are most like its own; and the mean of their differences by pairs, with its standard error.
"""

import argparse
import json
import math
import statistics
from collections.abc import Iterator

from torch import nn

from manera.bases import base_model
from manera.dataset.encoding import Encoder
from manera.dataset.packing import pack
from manera.files import read_records
from manera.generation.openings import MOST_TOKENS, Openings
from manera.generation.reply import voice_writer
from manera.model import packed
from manera.model.likelihood import Nll
from manera.records import Example, Message
from manera.training import lora
from manera.voice import adapter
from manera.voice.dataset import training_examples
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice, read_voice

HELD_OUT = ("validation", "test")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("voice")
    options.add_argument("--most", type=int, default=100, help="held-out replies to score")
    asked = options.parse_args()
    voice = read_voice(asked.voice)
    base = base_model.prepare(voice.base.languages, voice.base.id)
    encoder = voice_writer(voice, base_model.load_tokenizer(base)).encoder
    openings = Openings(training_examples(voice.name))
    model = adapted(voice)
    alone, opened = Nll(0.0, 0), Nll(0.0, 0)
    differences = []
    for first in list(first_exchanges(voice))[: asked.most]:
        before = openings.before(first[0].content, lambda turns: count(encoder, turns), MOST_TOKENS)
        pair = [score(model, encoder, messages) for messages in (first, [*before, *first])]
        alone, opened = alone + pair[0], opened + pair[1]
        differences.append(pair[1].nats_per_token - pair[0].nats_per_token)
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
    print(f"{len(differences)} first replies of {voice.name}, {alone.tokens} tokens, nats per token:")
    print(f"  alone            {alone.nats_per_token:.3f}")
    print(f"  after openings   {opened.nats_per_token:.3f}")
    print(f"  difference       {statistics.fmean(differences):+.3f} ± {error:.3f}, mean over replies")
    result = {
        "voice": voice.name,
        "replies": len(differences),
        "tokens": alone.tokens,
        "alone": alone.nats_per_token,
        "after_openings": opened.nats_per_token,
        "difference": statistics.fmean(differences),
        "standard_error": error,
    }
    print(json.dumps(result))


def adapted(voice: Voice) -> nn.Module:
    """Load a voice as it was trained."""
    model: nn.Module = base_model.load(base_model.prepare(voice.base.languages, voice.base.id))
    packed.use_matrix_attention(model)
    lora.add_adapter(model, voice.recipe.rank, voice.recipe.alpha, "float32", seed=0)
    lora.load_adapter_state(model, adapter.read_peft(voice_folder(voice.name)))
    return model


def first_exchanges(voice: Voice) -> Iterator[list[Message]]:
    """Yield the first message and the first reply of every held-out conversation that somebody else began."""
    for part in HELD_OUT:
        for example in read_records(voice_folder(voice.name) / "dataset" / f"{part}.jsonl", Example):
            first, *rest = example.messages
            if first.role == "user" and rest and rest[0].role == "assistant" and rest[0].weight:
                yield [first, rest[0]]


def count(encoder: Encoder, messages: list[Message]) -> int:
    return len(encoder.example(Example(tuple(messages))).input_ids)


def score(model: nn.Module, encoder: Encoder, messages: list[Message]) -> Nll:
    """Sum the nats of the last reply alone."""
    encoded = encoder.example(Example(tuple(messages)))
    return packed.measure(model, pack([encoded], len(encoded.input_ids)), 1)


if __name__ == "__main__":
    main()
