"""How much text is enough: adapters trained on a quarter, a half and all of the training text, scored on the same."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from manera.bases import base_model
from manera.dataset.building import encode
from manera.dataset.encoding import Encoded
from manera.dataset.packing import Rows, pack
from manera.evaluation import intervals, scoring
from manera.evaluation.distractors import own_writing
from manera.evaluation.findings import CurvePoint
from manera.evaluation.held_out import read_part, spread
from manera.evaluation.intervals import Interval
from manera.evaluation.ladder import BITS
from manera.evaluation.style import words
from manera.evaluation.subject import Subject
from manera.machine.precision import compiler_is_available, fastest
from manera.model import packed
from manera.records import ExampleKind
from manera.training import lora
from manera.training.fitting import fit
from manera.training.loop import plan
from manera.training.setup import COMPILE_FROM_TOKENS, EPOCHS, LEARNING_RATES, MICRO_BATCH_TOKENS

SHARES = (0.25, 0.5, 1.0)
MOST_TOKENS = 200_000
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


def measure_curve(subject: Subject) -> None:
    """Train on each share with the voice's own settings and as many passes, and score held-out text."""
    subject.findings.curve.append(CurvePoint(0, _score(subject, subject.model, 0.0)))
    total = sum(len(words(text)) for talk in own_writing(subject.material.training) for text in talk)
    n = len(subject.stretches(subject.encoder, subject.budget.scored_tokens))
    for share, found in _scores(subject):
        point = CurvePoint(round(share * total), found)
        unit = f"bits per byte after {share:.0%} of the training text, {point.words:,} words"
        subject.add(f"learning_curve.{share:g}", found, unit, n, "lower", "stretches")
        subject.findings.curve.append(point)


def _scores(subject: Subject) -> Iterator[tuple[float, Interval]]:
    voice, length = subject.voice, subject.max_length
    everything = encode(subject.material.training, voice.kind, subject.encoder, length)
    rows = [pack(_some(everything, share, voice.recipe.seed), length) for share in SHARES]
    settings = _settings(subject, sum(part.tokens for part in rows))
    model = base_model.load(subject.base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, voice.recipe.rank, voice.recipe.alpha, fastest(), voice.recipe.seed)
    if settings.compiled:
        packed.compile_layers(model)
    fresh = lora.adapter_state(model)
    for share, part in zip(SHARES, rows, strict=True):
        lora.load_adapter_state(model, fresh)
        _train(model, part, settings)
        yield share, _score(subject, model, 1.0)


def _settings(subject: Subject, tokens: int) -> Settings:
    """Take the voice's own, with fewer passes where the text is long."""
    voice, known = subject.voice, subject.voice.recipe
    wanted = known.epochs or EPOCHS[voice.kind]
    passes = max(1.0, min(wanted, MOST_TOKENS / tokens))
    validation = encode(read_part(voice, "validation"), voice.kind, subject.encoder, subject.max_length)
    rows = pack(validation, subject.max_length)
    return Settings(
        kind=voice.kind,
        length=subject.max_length,
        passes=passes,
        batch_tokens=known.batch_tokens,
        learning_rate=known.learning_rate or LEARNING_RATES[voice.kind],
        compiled=passes * tokens >= COMPILE_FROM_TOKENS and compiler_is_available(),
        seed=voice.recipe.seed,
        validation=rows.take(spread(range(len(rows)), max(1, VALIDATION_TOKENS // subject.max_length))),
    )


def _some(encoded: Sequence[Encoded], share: float, seed: int) -> list[Encoded]:
    """Take a share of what is learned; a larger share holds the smaller ones."""
    order = np.random.default_rng(seed).permutation(len(encoded))
    return [encoded[index] for index in sorted(order[: max(1, round(share * len(encoded)))])]


def _train(model: nn.Module, rows: Rows, settings: Settings) -> None:
    """Train the model's adapter, and leave it at its best point."""
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

    def keep(_: object) -> None:
        kept.update(lora.adapter_state(model))

    for _ in fit(model, rows, settings.validation, planned, keep):
        pass
    lora.load_adapter_state(model, kept)


def _score(subject: Subject, model: nn.Module, voice_scale: float) -> Interval:
    encoder = subject.encoder if voice_scale else subject.plain
    stretches = subject.stretches(encoder, subject.budget.scored_tokens)
    bits = scoring.nats(model, [one.encoded for one in stretches], voice_scale) * BITS
    groups = [one.conversation for one in stretches]
    return intervals.ratio(bits, [one.bytes for one in stretches], subject.seed, groups)
