"""The training of a model from nothing, whatever its kind: steps as they are made, and at last what was trained.

The loop of ``manera.training`` is for examples in packed rows; here a text goes on from step to step, and a state with
it.
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from manera.errors import TrainingError
from manera.lab import models, scoring, tokenizers
from manera.lab.settings import Budget, LabSettings
from manera.lab.texts import TextSplits
from manera.machine.memory import is_out_of_memory
from manera.training.loop import DivergedError

MEASUREMENTS = 20
"""Of held-out text, over the whole budget."""

SAMPLE_CHARACTERS = 40_000
"""Of it that each of them reads; the last reads all."""

WARM_UP = 0.03
MIN_SHARE = 0.03
"""Of the peak learning rate: where it ends."""

FRESH_STARTS = 0.02
"""Of the stretches that are read side by side, so many begin anew, with BOS, at each step."""

WORSE = 0.005
"""Bits per byte above the lowest, from which on a model is said to over-fit."""


class LabStep(msgspec.Struct, frozen=True):
    """One step: tokens and seconds since the beginning; loss in nats per token of this step, an n-gram's held-out.

    bits_per_byte: of a sample of the validation text, where it was measured after this step.
    """

    step: int
    tokens: int
    seconds: float
    loss: float
    bits_per_byte: float | None = None


class Trained(NamedTuple):
    """A model at its best point. bits_per_byte: of the whole validation text. tokens, seconds: that it learned.

    curve: the steps at which it was measured, with the mean loss since the one before. kept_step: the one whose weights
    these are. is_overfitted: held-out bits rose again while training went on.
    """

    model: Any
    tokenizer: Tokenizer
    settings: LabSettings
    bits_per_byte: float
    parameters: int
    tokens: int
    seconds: float
    curve: tuple[LabStep, ...]
    kept_step: int
    is_overfitted: bool
    bytes_per_token: float

    def measured(self, texts: Sequence[str]) -> float:
        """Return the bits per byte of other texts, such as those of the test."""
        held_out = scoring.lay_out(texts, self.tokenizer, self.settings, str(_device(self.model)))
        return scoring.bits_per_byte(self.model, held_out)


def train(
    texts: TextSplits,
    settings: LabSettings,
    budget: Budget,
    tokenizer: Tokenizer | None = None,
    device: str | None = None,
    keeps_best: bool = True,
) -> Generator[LabStep | Trained]:
    """Train a model of these settings, yielding every step and, last, what was trained.

    tokenizer: one that was learned before from the training text; by default it is learned now. device: cuda where
    there is one. The same seed gives the same model where seconds do not bound it. Closing the generator ends the run;
    interrupted (KeyboardInterrupt), it ends with the best point so far, unless keeps_best is False.
    Raises TrainingError: DivergedError, with its step, where a loss is no number.
    """
    started = time.monotonic()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = tokenizer or tokenizers.learn(settings.tokenizer, texts.train, settings.vocabulary)
    ids = tokenizers.stream(tokenizer, texts.train)
    model = models.build(settings, tokenizer, ids).to(device)
    run = Run(model, settings, budget, started)
    few = scoring.sample(texts.validation, SAMPLE_CHARACTERS)
    held_out = scoring.lay_out(few, tokenizer, settings, device)
    if settings.kind == "ngram":
        yield run.counted(len(ids), held_out)
    else:
        try:
            yield from run.steps(torch.tensor(ids, device=device), held_out)
        except KeyboardInterrupt:  # what was best so far is kept
            if not (keeps_best and run.curve):
                raise
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"memory ran out at step {run.step + 1}, with {settings.batch} stretches of {settings.context} tokens",
                "take a smaller --batch, --width or --context",
            ) from error
    seconds = time.monotonic() - started
    model.load_state_dict(run.kept)
    model.eval()
    whole = scoring.lay_out(texts.validation, tokenizer, settings, device)
    yield Trained(
        model,
        tokenizer,
        settings,
        bits_per_byte=scoring.bits_per_byte(model, whole),
        parameters=models.parameters(model),
        tokens=run.tokens,
        seconds=seconds,
        curve=tuple(run.curve),
        kept_step=run.kept_step,
        is_overfitted=bool(run.curve) and (run.curve[-1].bits_per_byte or 0.0) > run.lowest + WORSE,
        bytes_per_token=whole.bytes_per_token,
    )


class Run:
    """How far a run is: what ``train`` tells at its end is read from here."""

    def __init__(self, model: Any, settings: LabSettings, budget: Budget, started: float) -> None:
        self.model, self.settings, self.budget, self.started = model, settings, budget, started
        self.step = self.tokens = self.kept_step = self.stale = 0
        self.lowest = math.inf
        self.kept: dict[str, Tensor] = model.state_dict()
        self.curve: list[LabStep] = []

    def counted(self, tokens: int, held_out: scoring.HeldOut) -> LabStep:
        """Take an n-gram's counting for the one step that it has."""
        self.step, self.tokens = 1, tokens
        bits = scoring.bits_per_byte(self.model, held_out)
        self._measured(bits, bits * math.log(2) * held_out.bytes_per_token)
        return self.curve[-1]

    def steps(self, ids: Tensor, held_out: scoring.HeldOut) -> Iterator[LabStep]:
        """Train until the budget is used up, or held-out text is told worse and worse."""
        optimizer = _optimizer(self.model, self.settings)
        batches = _windows(ids, self.settings) if self.settings.kind == "transformer" else _streams(ids, self.settings)
        carried, losses = None, []
        measured_at = self._progress(len(ids))
        self.model.train()
        for inputs, targets, begins_anew in batches:
            _set_rate(optimizer, self.settings.learning_rate, self._progress(len(ids)))
            if begins_anew is not None:
                carried = self.model.model.body.carried_on(carried, begins_anew)
            loss, carried = _learn(self.model, optimizer, inputs, targets, carried, self.settings.clipping)
            self.step, self.tokens = self.step + 1, self.tokens + targets.numel()
            losses.append(self._checked(loss))
            progress = self._progress(len(ids))
            if progress >= 1 or progress >= measured_at + 1 / MEASUREMENTS:
                self._measured(scoring.bits_per_byte(self.model, held_out), sum(losses) / len(losses))
                measured_at = self._progress(len(ids))
                losses.clear()
                yield self.curve[-1]
            else:
                yield LabStep(self.step, self.tokens, time.monotonic() - self.started, loss)
            if progress >= 1 or self.stale == self.budget.patience:
                return

    def _progress(self, tokens_per_epoch: int) -> float:
        return self.budget.progress(time.monotonic() - self.started, self.tokens, tokens_per_epoch)

    def _measured(self, bits: float, loss: float) -> None:
        """Note a measurement, and keep the weights where it is the lowest."""
        if not math.isfinite(bits):
            raise self._diverged(bits)
        self.curve.append(LabStep(self.step, self.tokens, time.monotonic() - self.started, loss, bits))
        self.stale += 1
        if bits < self.lowest:
            self.lowest, self.kept_step, self.stale = bits, self.step, 0
            self.kept = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _checked(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise self._diverged(loss)
        return loss

    def _diverged(self, value: float) -> DivergedError:
        return DivergedError(
            f"the {self.settings.kind} diverged at step {self.step:,}: its loss is {value}",
            f"take a smaller --learning-rate than {self.settings.learning_rate:g}",
        )


def _learn(
    model: Any, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor, carried: Any, clipping: float
) -> tuple[float, Any]:
    """Make one step; return its loss in nats per token, and what was carried to its end."""
    optimizer.zero_grad(set_to_none=True)
    read = model.model(inputs, past_key_values=carried, use_cache=hasattr(model.model, "body"))
    loss = F.cross_entropy(model.lm_head(read.last_hidden_state).flatten(0, 1), targets.flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clipping)
    optimizer.step()
    return float(loss.detach()), read.past_key_values


Batch = tuple[Tensor, Tensor, Tensor | None]
"""Inputs (B, T), targets (B, T), and which of the B begin anew (B,), where any goes on."""


def _streams(ids: Tensor, settings: LabSettings) -> Iterator[Batch]:
    """Read the text as B stretches side by side, T tokens a step, each going on where it was; for ever.

    Every pass cuts it elsewhere.
    """
    rng = torch.Generator().manual_seed(settings.seed)
    batch, length = _fitting(len(ids), settings)
    bos = ids[0]
    while True:
        shift = int(torch.randint(len(ids), (), generator=rng))
        turned = ids.roll(-shift)
        lanes = turned[: len(ids) // batch * batch].view(batch, -1)
        for start in range(0, lanes.shape[1] - length, length):  # of one shape all: each new one is planned anew
            inputs, targets = (lanes[:, start + shift : start + shift + length] for shift in (0, 1))
            anew = (torch.rand(batch, generator=rng) < (FRESH_STARTS if start else 1.0)).to(ids.device)
            yield torch.cat([torch.where(anew, bos, inputs[:, 0])[:, None], inputs[:, 1:]], 1), targets, anew


def _windows(ids: Tensor, settings: LabSettings) -> Iterator[Batch]:
    """Read windows of the text, each opened by BOS, in an order of their own each pass; for ever."""
    rng = torch.Generator().manual_seed(settings.seed)
    batch, length = _fitting(len(ids), settings)
    while True:
        shift = int(torch.randint(length, (), generator=rng))
        starts = torch.arange(shift, len(ids) - length, length)
        starts = starts[torch.randperm(len(starts), generator=rng)]
        for chosen in torch.split(starts, batch):
            if len(chosen) == batch or len(starts) < batch:
                rows = ids[(chosen[:, None] + torch.arange(length + 1)).to(ids.device)]
                targets = rows[:, 1:].clone()
                rows[:, 0] = ids[0]
                yield rows[:, :-1], targets, None


def _fitting(tokens: int, settings: LabSettings) -> tuple[int, int]:
    """Return how many stretches of how many tokens a step reads: fewer where the text is short."""
    length = min(settings.context, max(2, tokens // 4))
    return max(1, min(settings.batch, tokens // (2 * length))), length


def _optimizer(model: nn.Module, settings: LabSettings) -> torch.optim.Optimizer:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.99), fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, peak: float, progress: float) -> None:
    """Warm up, then fall in a line to a small share."""
    warm = min(1.0, (progress + 0.001) / WARM_UP)
    falling = 1.0 - (1.0 - MIN_SHARE) * min(1.0, progress)
    for group in optimizer.param_groups:
        group["lr"] = peak * min(warm, falling)


def _device(model: Any) -> torch.device:
    return next(iter(model.parameters())).device  # type: ignore[no-any-return]
