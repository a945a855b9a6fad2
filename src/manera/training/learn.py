"""The whole of learning: a corpus and a speaker in, a voice on disk out, facts on the way."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from manera.corpus.storage import Corpus
from manera.dataset.canaries import make_canaries
from manera.errors import TrainingError
from manera.model import base_model, lora, packed
from manera.model.likelihood import Nll
from manera.model.precision import Precision, compiler_is_available, fastest
from manera.model.voice import Cost, HeldOut, Likelihood
from manera.records import ExampleKind, SplitName, TrainingStep
from manera.training.energy import EnergyMeter
from manera.training.loop import Plan, plan, train
from manera.training.material import Material, gather, plant, seen
from manera.training.memory import peak_memory_bytes
from manera.training.result import require_free, write_voice_folder
from manera.training.settings import TrainingConfig
from manera.training.sharpness import choose

EPOCHS: dict[ExampleKind, float] = {"dialogue": 2, "post": 3, "continuation": 2}
LEARNING_RATES: dict[ExampleKind, float] = {"dialogue": 3e-4, "post": 1e-3, "continuation": 1e-3}
"""A chat or a role has few words to learn: at a high rate it is over-fitted before the rate has fallen."""

MICRO_BATCH_TOKENS = {True: 1024, False: 512}
"""With compiled layers, and without: these keep more for the way back. Some 3 GB either way."""

COMPILE_FROM_TOKENS = 60_000  # compiling takes some 30 s and makes a step about a third faster
SLOW_TOKENS_PER_SECOND = 300

TIMES_SEEN = 10
"""How often a planted canary is seen in a whole run; fewer times up to a point that is kept earlier."""


class Prepared(msgspec.Struct, frozen=True):
    """What training is about to do; dropped counts what was left out since the import, by reason.

    canaries: how many secrets are planted; copies: of each among the training rows.
    """

    voice: str
    kind: ExampleKind
    persona: str
    examples: dict[SplitName, int]
    tokens: dict[SplitName, int]
    dropped: dict[str, int]
    precision: Precision
    compiled: bool
    steps: int
    canaries: int
    copies: int
    base: Likelihood


class Learned(msgspec.Struct, frozen=True):
    """What became of it; seconds and tokens_per_second are of the training steps alone.

    stopped says why it ended before its plan did, if it did.
    """

    voice: str
    kind: ExampleKind
    held_out: HeldOut
    tokens_per_second: float
    seconds: float
    peak_memory_bytes: int
    steps: int
    kept_step: int
    stopped: str | None


@dataclass
class _Run:
    """What happened so far, and the adapter at its lowest held-out loss."""

    steps: list[TrainingStep] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    kept_step: int = 0
    stopped: str | None = None


def learn(
    corpus: Corpus,
    requested: str | None,
    name: str,
    config: TrainingConfig,
    base: Path,
    replace: bool = False,
) -> Generator[Prepared | TrainingStep | Learned]:
    """Train a voice on a base folder and write the voice's folder whole or not at all.

    Interrupted (KeyboardInterrupt) after the first step, or diverging after a validation, it keeps the best point
    so far and says so in ``stopped``.
    Raises ManeraError: too little text, a name that is taken, a loss that is no number.
    """
    require_free(name, replace)
    started, energy = time.monotonic(), EnergyMeter()
    material = gather(corpus, requested, base, config.max_length)
    precision: Precision = fastest(_device(config)) if config.precision == "auto" else config.precision
    expected = expected_tokens(_plan(material, config, compiled=True), material.max_length)
    compiled = _compiles(config, expected)
    copies = _copies(_plan(material, config, compiled), material)
    if config.canaries:
        material = plant(material, make_canaries(config.seed, config.canaries, material.language), copies)
    training = material.dataset.rows["train"]
    planned = _plan(material, config, compiled)
    model = _adapted_model(material, config, precision, compiled)

    before = _held_out(model, material, planned, with_adapter=False)
    yield Prepared(
        voice=name,
        kind=material.kind,
        persona=material.speaker.name,
        examples={part: len(made) for part, made in material.dataset.examples.items()},
        tokens={part: rows.tokens for part, rows in material.dataset.rows.items()},
        dropped=material.dropped,
        precision=precision,
        compiled=compiled,
        steps=planned.steps,
        canaries=len(material.canaries),
        copies=copies if material.canaries else 0,
        base=before,
    )
    run = _Run()
    keep = partial(_keep, run, model)
    steps = _metered(train(model, training, material.dataset.rows["validation"], planned, keep), energy)
    yield from _until_stopped(steps, run, keep)
    if not run.best:
        raise TrainingError("held-out loss was never a number", "train with a lower learning rate")
    lora.load_adapter_state(model, run.best)
    held_out = HeldOut(base=before, voice=_held_out(model, material, planned))
    decided = {
        "learning_rate": planned.learning_rate,
        "max_length": material.max_length,
        "precision": precision,
        "compile": "on" if compiled else "off",
    }
    with lora.measuring(model):
        sharpness = choose(model, material.dataset.rows["validation"], planned.rows_per_micro_batch)
    passes = run.kept_step * planned.rows_per_step / len(training)
    material = seen(material, copies * passes)
    cost = Cost(
        time.monotonic() - started, sum(step.tokens for step in run.steps), peak_memory_bytes(), energy.joules()
    )
    write_voice_folder(
        name, material, config.model_copy(update=decided), held_out, sharpness, run.best, run.steps, cost
    )
    seconds = sum(step.seconds for step in run.steps)
    yield Learned(
        voice=name,
        kind=material.kind,
        held_out=held_out,
        tokens_per_second=sum(step.tokens for step in run.steps) / seconds,
        seconds=seconds,
        peak_memory_bytes=peak_memory_bytes(),
        steps=len(run.steps),
        kept_step=run.kept_step,
        stopped=run.stopped,
    )


def _plan(material: Material, config: TrainingConfig, compiled: bool) -> Plan:
    epochs = config.epochs
    if epochs is None:
        epochs = 100 if config.minutes else EPOCHS[material.kind]
    return plan(
        rows=len(material.dataset.rows["train"]),
        row_length=material.max_length,
        batch_tokens=config.batch_tokens,
        micro_batch_tokens=config.micro_batch_tokens or MICRO_BATCH_TOKENS[compiled],
        epochs=epochs,
        validations_per_epoch=config.validations_per_epoch,
        learning_rate=config.learning_rate or LEARNING_RATES[material.kind],
        seconds=None if config.minutes is None else config.minutes * 60,
        patience=config.patience,
        seed=config.seed,
    )


def _device(config: TrainingConfig) -> str:
    """Return a torch device that is there; raise TrainingError when the one asked for is not."""
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=config.device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        raise TrainingError(f"there is no device {config.device!r} here", "train with --device auto") from error
    return config.device


def expected_tokens(planned: Plan, row_length: int) -> float:
    """Return how many tokens the steps hold, or, if that is less, what the time is enough for without compiling."""
    tokens = planned.steps * planned.rows_per_step * row_length
    return tokens if planned.seconds is None else min(tokens, planned.seconds * SLOW_TOKENS_PER_SECOND)


def _copies(planned: Plan, material: Material) -> int:
    """Return how many copies of a canary are seen some TIMES_SEEN times in all passes over the rows together."""
    tokens_a_pass = len(material.dataset.rows["train"]) * material.max_length
    passes = expected_tokens(planned, material.max_length) / tokens_a_pass
    return max(1, round(TIMES_SEEN / passes))


def _metered(loop: Iterator[TrainingStep], energy: EnergyMeter) -> Iterator[TrainingStep]:
    """Read the meter at every step, before its counters can have wrapped twice."""
    for step in loop:
        energy.joules()
        yield step


def _compiles(config: TrainingConfig, tokens: float) -> bool:
    if config.compile == "auto":
        return tokens >= COMPILE_FROM_TOKENS and compiler_is_available()
    if config.compile == "on" and not compiler_is_available():
        raise TrainingError(
            "torch.compile does not work here",
            "install a C++ compiler and Python's headers, or train with --compile off",
        )
    return config.compile == "on"


def _adapted_model(material: Material, config: TrainingConfig, precision: Precision, compiled: bool) -> nn.Module:
    if config.threads:
        torch.set_num_threads(config.threads)
    model: nn.Module = base_model.load(material.base).to(_device(config))
    packed.use_matrix_attention(model)
    lora.add_adapter(model, config.rank, config.alpha, precision, config.seed)
    if compiled:
        packed.compile_layers(model)
    return model


def _held_out(model: nn.Module, material: Material, planned: Plan, with_adapter: bool = True) -> Likelihood:
    with lora.measuring(model, with_adapter):
        nll: Nll = packed.measure(model, material.dataset.rows["test"], planned.rows_per_micro_batch)
    return Likelihood(nll.perplexity, nll.bits_per_byte(material.dataset.scored_bytes["test"]))


def _keep(run: _Run, model: nn.Module, step: TrainingStep) -> None:
    run.best, run.kept_step = lora.adapter_state(model), step.step


def _until_stopped(
    loop: Iterator[TrainingStep], run: _Run, keep: Callable[[TrainingStep], None]
) -> Iterator[TrainingStep]:
    """Pass the steps on; an interruption or a loss that is no number ends them, where something can be kept."""
    try:
        for step in loop:
            run.steps.append(step)
            yield step
    except KeyboardInterrupt:
        if not run.steps:
            raise
        run.stopped = f"stopped after step {len(run.steps)}"
        if not run.best:
            keep(run.steps[-1])
    except TrainingError as error:
        if not run.best:
            raise
        run.stopped = error.message
