"""The training loop: packed rows in, one record a step out, parameters changed in place."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from manera.dataset.packing import Rows
from manera.errors import TrainingError
from manera.model.likelihood import Nll
from manera.records import TrainingStep

WARM_UP = 0.06
MIN_SHARE = 0.05
"""Of the peak learning rate: where it begins and where it ends."""

MAX_GRADIENT_NORM = 1.0
AVERAGE_EXPONENT = 7.0
"""Decay exponent of the running average: with 7 its mean age is a ninth of the run so far."""

Loss = Callable[[Rows], tuple[Tensor, int]]
"""Sums the nats of some rows' supervised tokens, differentiable in the parameters, and counts them."""


@dataclass(frozen=True)
class Plan:
    """How far and how fast to go; made by ``plan``, followed by ``train``."""

    steps: int
    rows_per_step: int
    rows_per_micro_batch: int
    steps_per_validation: int
    learning_rate: float
    seconds: float | None = None
    patience: int = 4
    seed: int = 0


def plan(
    rows: int,
    row_length: int,
    batch_tokens: int,
    micro_batch_tokens: int,
    epochs: float,
    validations_per_epoch: int,
    learning_rate: float,
    seconds: float | None = None,
    patience: int = Plan.patience,
    seed: int = Plan.seed,
) -> Plan:
    """Turn passes over the rows into steps, and a step into micro-batches of one shape."""
    rows_per_micro_batch = max(1, min(rows, micro_batch_tokens // row_length))
    micro_batches = max(1, min(rows // rows_per_micro_batch, round(batch_tokens / row_length / rows_per_micro_batch)))
    rows_per_step = micro_batches * rows_per_micro_batch
    steps_per_epoch = math.ceil(rows / rows_per_step)
    return Plan(
        steps=max(1, round(epochs * steps_per_epoch)),
        rows_per_step=rows_per_step,
        rows_per_micro_batch=rows_per_micro_batch,
        steps_per_validation=max(1, steps_per_epoch // validations_per_epoch),
        learning_rate=learning_rate,
        seconds=seconds,
        patience=patience,
        seed=seed,
    )


def train(
    parameters: Sequence[nn.Parameter],
    training: Rows,
    loss: Loss,
    validate: Callable[[], float],
    plan: Plan,
    keep: Callable[[TrainingStep], None],
) -> Iterator[TrainingStep]:
    """Train parameters, calling ``keep`` whenever held-out loss is the lowest so far.

    What is validated and kept is the mean of the parameters over the last steps. validate: returns held-out nats per
    token. Yields after every step; ``validation_loss`` is set where held-out text was scored. Ends early when held-out
    loss stops falling, or when the time is up. Raises TrainingError when the loss is no number.
    """
    started = time.monotonic()
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    average = _Average(parameters)
    order = _endless_order(len(training), plan.seed)
    lowest, stale = math.inf, 0
    for step in range(1, plan.steps + 1):
        step_started = time.monotonic()
        progress = _progress(step, plan, step_started - started)
        learning_rate = plan.learning_rate * _schedule(progress)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        rows = training.take([next(order) for _ in range(plan.rows_per_step)])
        nll = _accumulate_gradients(loss, rows, plan.rows_per_micro_batch)
        if not math.isfinite(nll.nats):
            raise TrainingError(
                f"the loss became {nll.nats} at step {step}",
                f"train with a lower learning rate than {plan.learning_rate:g}",
            )
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        average.update(step)
        seconds = time.monotonic() - step_started
        last = progress >= 1 or step == plan.steps
        validation_loss = None
        if last or step % plan.steps_per_validation == 0:
            with average.in_place():
                validation_loss = validate()
        record = TrainingStep(
            step=step,
            steps=step if last else _expected_steps(step, plan, time.monotonic() - started),
            loss=nll.nats_per_token,
            tokens=rows.tokens,
            supervised_tokens=nll.tokens,
            learning_rate=learning_rate,
            seconds=seconds,
            validation_loss=validation_loss,
        )
        if validation_loss is not None:
            stale = 0 if validation_loss < lowest else stale + 1
            if validation_loss < lowest:
                lowest = validation_loss
                with average.in_place():
                    keep(record)
        yield record
        if last or stale >= plan.patience:
            return


class _Average:
    """The mean of some parameters over the steps so far, of which the last tenth or so counts.

    One point of a run at a high learning rate is noisy; their mean is not. It is an exponential mean whose length grows
    with the run, so that it fits any length (Karras et al., 2024, https://arxiv.org/abs/2312.02696, section 3.1).
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.means = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the parameters in after a step, counted from 1."""
        share = 1 - (1 - 1 / step) ** (AVERAGE_EXPONENT + 1)
        torch._foreach_lerp_(self.means, [parameter.detach() for parameter in self.parameters], share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the means where the parameters are, for the length of the block."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for parameter, mean in zip(self.parameters, self.means, strict=True):
            parameter.data, mean.data = mean.data, parameter.data


def _accumulate_gradients(loss: Loss, rows: Rows, rows_per_micro_batch: int) -> Nll:
    """Add up the gradients of the mean loss over all rows, a micro-batch in memory at a time."""
    total = Nll(0.0, 0)
    for start in range(0, len(rows), rows_per_micro_batch):
        nats, tokens = loss(rows.take(range(start, min(start + rows_per_micro_batch, len(rows)))))
        (nats / rows.supervised_tokens).backward()  # type: ignore[no-untyped-call]
        total += Nll(float(nats.detach()), tokens)
    return total


def _progress(step: int, plan: Plan, elapsed: float) -> float:
    """How much of the run is behind, by steps or by time, whichever is further."""
    by_time = elapsed / plan.seconds if plan.seconds else 0.0
    return max(step / plan.steps, by_time)


def _expected_steps(step: int, plan: Plan, elapsed: float) -> int:
    """How many steps the run will have had when it ends, if the rest are as fast."""
    progress = _progress(step, plan, elapsed)
    return max(step + 1, min(plan.steps, round(step / progress)))


def _schedule(progress: float) -> float:
    """Rise linearly, then fall linearly to MIN_SHARE."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, MIN_SHARE)
    return max(1 - (progress - WARM_UP) / (1 - WARM_UP), MIN_SHARE)


def _endless_order(rows: int, seed: int) -> Iterator[int]:
    """Yield every row once in a new random order, again and again."""
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(rows).tolist()


def rows_read(rows: int, plan: Plan, step: int) -> set[int]:
    """Return which rows a run has learned from after so many steps."""
    order = _endless_order(rows, plan.seed)
    return {next(order) for _ in range(min(step * plan.rows_per_step, rows))}
