"""How much text is enough: adapters trained on a quarter, a half and all of the training text, scored on the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from manera.bases import base_model
from manera.dataset.building import encode
from manera.dataset.encoding import Encoded
from manera.dataset.packing import Rows, pack, with_context
from manera.evaluation.encoders import Encoders
from manera.evaluation.measures import intervals
from manera.evaluation.measures.spread import spread
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.scoring import bits
from manera.evaluation.stretches import Stretches
from manera.evaluation.voice_dataset import own_writing
from manera.machine.precision import compiler_is_available
from manera.model import packed
from manera.records import Example, ExampleKind
from manera.text.words import words
from manera.training.fitting import fit
from manera.training.loop import plan
from manera.training.methods import Method, method_of, precision_of, settings_of, with_added_tokens
from manera.training.settings import EPOCHS
from manera.training.setup import COMPILE_FROM_TOKENS, LEARNING_RATES, MICRO_BATCH_TOKENS
from manera.voice.manifest import Voice

SHARES = (0.25, 0.5, 1.0)
MAX_TOKENS = 200_000
"""All the shares together are trained on so many at most, some ten minutes on two cores, but for one pass at least."""

VALIDATION_TOKENS = 4_000


class Settings(NamedTuple):
    """What all the shares have in common; validation chooses the kept point of each."""

    kind: ExampleKind
    length: int
    passes: float
    batch_tokens: int
    learning_rate: float
    compiled: bool
    seed: int
    validation: Rows


def measure(
    voice: Voice, base: Path, stretches: Stretches, validation: Sequence[Example], max_tokens: int, seed: int
) -> Iterator[Metric]:
    """Train on each share with the voice's own settings and as many passes, and score held-out text.

    validation: what chooses the kept point. max_tokens: of the held-out text that is scored.
    """
    encoders, training = stretches.encoders, stretches.dataset.training
    held_out = stretches.held_out(encoders.voice, max_tokens)
    total = sum(len(words(text)) for talk in own_writing(training) for text in talk)
    for share, model in _trained(voice, base, encoders, training, validation):
        found = intervals.ratio(
            bits(model, [one.encoded for one in held_out], 1.0),
            [one.bytes for one in held_out],
            seed,
            [one.conversation for one in held_out],
        )
        name, unit, n = f"learning_curve.{share:g}", "bits_per_byte_after_share", len(held_out)
        yield metric(name, found, unit, n, "lower", "stretches", share=share, words=round(share * total))


def _trained(
    voice: Voice, base: Path, encoders: Encoders, training: Sequence[Example], validation: Sequence[Example]
) -> Iterator[tuple[float, nn.Module]]:
    """Yield the model as it is after each share."""
    length = encoders.max_length
    everything = encode(training, voice.kind, encoders.voice, length)
    weight = voice.recipe.context_weight
    rows = [with_context(pack(_some(everything, share, voice.recipe.seed), length), weight) for share in SHARES]
    settings = _settings(voice, encoders, validation, sum(part.tokens for part in rows))
    model = base_model.load(base)
    packed.use_matrix_attention(model)
    method = with_added_tokens(method_of(voice.recipe.method), voice.recipe.added_tokens)
    method.make_trainable(model, settings_of(voice.recipe), precision_of(method))
    if settings.compiled:
        packed.compile_layers(model)
    fresh = method.state(model)
    for share, part in zip(SHARES, rows, strict=True):
        method.load_state(model, fresh)
        _train(model, method, part, settings)
        yield share, model


def _settings(voice: Voice, encoders: Encoders, validation: Sequence[Example], tokens: int) -> Settings:
    """Take the voice's own, with fewer passes where the text is long. tokens: of all the shares together."""
    known, length = voice.recipe, encoders.max_length
    wanted = known.epochs or EPOCHS[voice.kind]
    passes = max(1.0, min(wanted, MAX_TOKENS / tokens))
    rows = pack(encode(validation, voice.kind, encoders.voice, length), length)
    return Settings(
        kind=voice.kind,
        length=length,
        passes=passes,
        batch_tokens=known.batch_tokens,
        learning_rate=known.learning_rate or LEARNING_RATES[voice.kind],
        compiled=passes * tokens >= COMPILE_FROM_TOKENS and compiler_is_available(),
        seed=voice.recipe.seed,
        validation=rows.take(spread(range(len(rows)), max(1, VALIDATION_TOKENS // length))),
    )


def _some(encoded: Sequence[Encoded], share: float, seed: int) -> list[Encoded]:
    """Take a share of what is learned; a larger share holds the smaller ones."""
    order = np.random.default_rng(seed).permutation(len(encoded))
    return [encoded[index] for index in sorted(order[: max(1, round(share * len(encoded)))])]


def _train(model: nn.Module, method: Method, rows: Rows, settings: Settings) -> None:
    """Train the model, and leave it at its best point."""
    planned = plan(
        len(rows),
        settings.length,
        settings.batch_tokens,
        MICRO_BATCH_TOKENS[settings.compiled],
        settings.passes,
        validations_per_epoch=2,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
    )
    kept: dict[str, Tensor] = {}
    for _ in fit(model, rows, settings.validation, planned, lambda step: kept.update(method.state(model))):
        pass
    method.load_state(model, kept)
