"""What a run is set up with before its first step: the dataset, the arithmetic, the plan, the model."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from manera.bases import base_model
from manera.bases.family import Family
from manera.corpus.storage import Corpus
from manera.dataset.canaries import make_canaries
from manera.errors import TrainingError
from manera.machine import ranks
from manera.machine.memory import keep_freed_memory
from manera.machine.precision import compiler_is_available
from manera.model import packed
from manera.records import ExampleKind, Precision
from manera.training import instructions, presets, sharding
from manera.training.asking import with_rewriting, with_views
from manera.training.balancing import balance, with_replay
from manera.training.context import with_context
from manera.training.instructions import Make
from manera.training.loop import Plan, plan
from manera.training.material import Material, gather, plant, weigh_context
from manera.training.methods import Method, method_of, precision_of, with_added_tokens
from manera.training.settings import TrainingConfig, alpha_of, epochs_of
from manera.voice.recipe import Recipe, stands_alone

LEARNING_RATES: dict[ExampleKind, float] = {"dialogue": 4e-4, "post": 1e-3, "continuation": 1e-3}
"""A chat or a role has few words to learn: at a high rate it is over-fitted before the rate has fallen."""

BATCH_TOKENS: dict[ExampleKind, int] = {"dialogue": 512, "post": 1024, "continuation": 1024}
"""The fewer words there are to learn, the more a second step with them is worth."""

CONTEXT_WEIGHTS: dict[ExampleKind, float] = {"dialogue": 0.3, "post": 0.0, "continuation": 0.0}
"""What the other side says is of the same talk as the reply; what a post is asked for with is always the same."""

MICRO_BATCH_TOKENS = {True: 1024, False: 512}
"""With compiled layers, and without: these keep more for the way back. Some 3 GB either way."""

COMPILE_FROM_TOKENS = 60_000  # compiling takes some 30 s and makes a step about a third faster
SLOW_TOKENS_PER_SECOND = 300

TIMES_SEEN = 10
"""How often a planted canary is seen in a whole run; fewer times up to a point that is kept earlier."""


@dataclass(frozen=True)
class Setup:
    """Everything a run starts from; copies: how often each canary lies among the training rows."""

    material: Material
    config: TrainingConfig
    planned: Plan
    model: nn.Module
    precision: Precision
    compiled: bool
    copies: int
    method: Method
    context_weight: float

    @property
    def trained_parameters(self) -> int:
        """How many parameters change."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)

    @property
    def device(self) -> str:
        """Return where the model is."""
        return str(next(self.model.parameters()).device)

    def recipe(self, steps: int, kept_step: int) -> Recipe:
        """Write down what was decided, and how far the run went."""
        config, rows = self.config, len(self.material.dataset.rows["train"])
        return Recipe(
            method=config.method,
            rank=config.rank,
            alpha=alpha_of(config),
            dropout=config.dropout,
            targets=config.targets,
            epochs=epochs_of(config, self.material.kind) if config.minutes is None else config.epochs,
            minutes=config.minutes,
            learning_rate=self.planned.learning_rate,
            max_length=self.material.max_length,
            batch_tokens=batch_tokens_of(config, self.material.kind),
            context_weight=self.context_weight,
            precision=self.precision,
            compiled=self.compiled,
            canaries=len(self.material.canaries),
            per_thread=config.per_thread,
            half_life=config.half_life,
            replay=config.replay,
            seed=config.seed,
            rows=rows,
            steps=steps,
            kept_step=kept_step,
            rows_read=kept_step * self.planned.rows_per_step,
            added_tokens=self.material.added_tokens,
            preset=config.preset,
            format=config.format,
            context_share=config.context_share,
            views=1 + max(len(example.asks) for example in self.material.dataset.examples["train"]),
        )


def set_up(
    corpus: Corpus, requested: str | None, config: TrainingConfig, base: Path, make: Make = instructions.nothing
) -> Setup:
    """Gather what is learned from and load the model; raise CorpusError or TrainingError when a run cannot start.

    make: has a model make what a text is asked for with.
    """
    if config.preset:
        described = base_model.read(base)
        presets.require_architecture(config.preset, described.id, base_model.family(base).architecture)
    material = gather(corpus, requested, base, config.max_length, config.format)
    material = balance(with_context(material, config), config)
    material = with_rewriting(with_views(material, config, make), config, make)
    return set_up_material(with_replay(material, config), config)


def set_up_material(material: Material, config: TrainingConfig) -> Setup:
    """Decide how what was gathered is learned, and load the model."""
    method = with_added_tokens(method_of(config.method), material.added_tokens)
    family = base_model.family(material.base)
    if family.form == "transformers" and stands_alone(config.method):
        raise TrainingError(
            f"{family.architecture} is not trained by {config.method}: llama.cpp would have to serve it",
            "--method lora, rslora or qlora",
        )
    precision = _precision(config, method)
    tokens = expected_tokens(_plan(material, config, compiled=True), material.max_length)
    compiled = _compiles(config, method, family, tokens)
    copies = _copies(_plan(material, config, compiled), material)
    if config.canaries:
        material = plant(material, make_canaries(config.seed, config.canaries, material.language), copies)
    weight = _context_weight(config, material.kind, family)
    material = weigh_context(material, weight)
    keep_freed_memory()
    model = _trainable_model(material, config, method, precision, compiled)
    planned = _plan(material, config, compiled)
    return Setup(material, config, planned, model, precision, compiled, copies, method, weight)


def batch_tokens_of(config: TrainingConfig, kind: ExampleKind) -> int:
    """Return how many tokens a step sees."""
    return config.batch_tokens or BATCH_TOKENS[kind]


def _context_weight(config: TrainingConfig, kind: ExampleKind, family: Family) -> float:
    """Return how much a token of the context counts; raise TrainingError where the model cannot tell it."""
    if family.has_encoder:
        if config.context_weight:
            raise TrainingError(f"{family.architecture} only reads its context", "leave context_weight out")
        return 0.0
    return CONTEXT_WEIGHTS[kind] if config.context_weight is None else config.context_weight


def _plan(material: Material, config: TrainingConfig, compiled: bool) -> Plan:
    return plan(
        rows=len(material.dataset.rows["train"]),
        row_length=material.max_length,
        batch_tokens=batch_tokens_of(config, material.kind),
        micro_batch_tokens=config.micro_batch_tokens or MICRO_BATCH_TOKENS[compiled],
        epochs=epochs_of(config, material.kind),
        validations_per_epoch=config.validations_per_epoch,
        learning_rate=config.learning_rate or LEARNING_RATES[material.kind] * method_of(config.method).rate_share,
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
        raise TrainingError(
            f"there is no device {config.device!r} here",
            "leave device out of [training] in manera.toml and out of the environment",
        ) from error
    return config.device


def _precision(config: TrainingConfig, method: Method) -> Precision:
    """Return what was asked for, or the fastest here; raise TrainingError where the method does not compute in it."""
    if config.precision == "auto":
        return ranks.first_says(precision_of(method, _device(config)))  # measured by each, they might differ
    if config.precision not in method.precisions:
        raise TrainingError(
            f"{method.name} does not compute in {config.precision}", f"--precision {' or '.join(method.precisions)}"
        )
    return config.precision


def expected_tokens(planned: Plan, row_length: int) -> float:
    """Return how many tokens the steps hold, or, if that is less, what the time is enough for without compiling."""
    tokens = planned.steps * planned.rows_per_step * row_length
    return tokens if planned.seconds is None else min(tokens, planned.seconds * SLOW_TOKENS_PER_SECOND)


def _copies(planned: Plan, material: Material) -> int:
    """Return how many copies of a canary are seen some TIMES_SEEN times in all passes over the rows together."""
    tokens_a_pass = len(material.dataset.rows["train"]) * material.max_length
    passes = expected_tokens(planned, material.max_length) / tokens_a_pass
    return max(1, round(TIMES_SEEN / passes))


def _compiles(config: TrainingConfig, method: Method, family: Family, tokens: float) -> bool:
    can = method.compiles and family.form == "gguf"
    if config.compile == "auto":
        return not sharding.is_wanted() and can and tokens >= COMPILE_FROM_TOKENS and compiler_is_available()
    if config.compile == "on" and not can:
        raise TrainingError(
            f"layers of {family.architecture} trained by {method.name} cannot be compiled", "train with --compile off"
        )
    if config.compile == "on" and not compiler_is_available():
        raise TrainingError(
            "torch.compile does not work here",
            "install a C++ compiler and Python's headers, or train with --compile off",
        )
    return config.compile == "on"


def _trainable_model(
    material: Material, config: TrainingConfig, method: Method, precision: Precision, compiled: bool
) -> nn.Module:
    if config.threads:
        torch.set_num_threads(config.threads)
    device = _device(config)
    model: nn.Module = base_model.load(material.base)
    packed.use_matrix_attention(model)
    method.make_trainable(model, config, precision)
    model.to(device)  # only now: what is kept in four bits is never there in more
    if sharding.is_wanted():
        sharding.shard(model)
    if compiled:
        packed.compile_layers(model)
    return model
