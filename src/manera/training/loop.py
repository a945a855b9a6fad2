"""The training loop: packed rows in, one record a step out, parameters changed in place."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from manera.dataset.encoding import IGNORE_INDEX
from manera.dataset.packing import Rows
from manera.errors import TrainingError
from manera.machine import ranks
from manera.machine.memory import free_memory, is_out_of_memory
from manera.model.likelihood import Nll
from manera.records import TrainingStep
from manera.training.position import Position

WARM_UP = 0.06
MIN_SHARE = 0.05
"""Of the peak learning rate: where it begins and where it ends."""

MAX_GRADIENT_NORM = 1.0
BETAS = (0.6, 0.99)
"""Of Adam. Little momentum: the parameters are averaged anyway, and a run of some hundred steps has none to lose."""

AVERAGE_EXPONENT = 3.0
"""Decay exponent of the running average: with 3 its mean age is a fifth of the run so far."""

Result = TypeVar("Result")

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
    rows_per_micro_batch = max(1, min(rows, min(micro_batch_tokens, batch_tokens) // row_length))
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


class DivergedError(TrainingError):
    """A loss or a gradient is no number: going on from the step before would only repeat it."""


class MicroBatch:
    """How many rows go through the model at once: fewer where memory runs out, which changes no result."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def run(self, work: Callable[[int], Result]) -> Result:
        """Call ``work`` with that many, and again with fewer; raise TrainingError where not even one row fits."""
        while True:
            try:
                return work(self.rows)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.rows == 1:
                    raise TrainingError(
                        "memory ran out, even with one row of text at a time",
                        "close other programs, or train with a smaller --max-length, --rank or --base",
                    ) from error
            self.rows = max(fewer for fewer in range(1, self.rows // 2 + 1) if self.rows % fewer == 0)
            free_memory()


class State:
    """All that the next step depends on, beside the plan and the rows: what a run goes on from.

    is_whole is false while a step changes it: what is read then belongs to no step.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], plan: Plan) -> None:
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, betas=BETAS, weight_decay=0.0)
        self.average = _Average(parameters)
        self.micro_batch = MicroBatch(plan.rows_per_micro_batch)
        self.step = 0
        self.elapsed = 0.0
        self.lowest, self.stale = math.inf, 0
        self.is_over = False
        self.is_whole = True

    def is_lowest(self, validation_loss: float) -> bool:
        """Take a held-out loss in; tell whether it is the lowest so far."""
        is_lower = validation_loss < self.lowest
        self.lowest, self.stale = (validation_loss, 0) if is_lower else (self.lowest, self.stale + 1)
        return is_lower

    def position(self) -> Position:
        """Return the numbers of it."""
        lowest = self.lowest if math.isfinite(self.lowest) else None
        return Position(self.step, self.elapsed, lowest, self.stale, self.micro_batch.rows, self.is_over)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of it, not copied."""
        found = {}
        for index, (parameter, mean) in enumerate(zip(self.parameters, self.average.means, strict=True)):
            found[f"parameter.{index}"], found[f"mean.{index}"] = parameter.detach(), mean
        for index, kept in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{index}.{name}": tensor for name, tensor in kept.items()}
        return found

    @torch.no_grad()
    def load(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Take up where another process was; KeyError or RuntimeError where it trained other parameters."""
        for index, (parameter, mean) in enumerate(zip(self.parameters, self.average.means, strict=True)):
            parameter.copy_(tensors[f"parameter.{index}"])
            mean.copy_(tensors[f"mean.{index}"])
        kept: dict[int, dict[str, Tensor]] = {}
        for key in (key for key in tensors if key.startswith("optimizer.")):
            _, number, name = key.split(".", 2)
            kept.setdefault(int(number), {})[name] = tensors[key]
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": kept})
        self.step, self.elapsed, self.stale = position.step, position.elapsed, position.stale
        self.lowest = math.inf if position.lowest is None else position.lowest
        self.micro_batch.rows = min(self.micro_batch.rows, position.rows_per_micro_batch or self.micro_batch.rows)
        self.is_over = position.is_over


def train(
    state: State,
    training: Rows,
    loss: Loss,
    validate: Callable[[int], float],
    plan: Plan,
    keep: Callable[[TrainingStep], None],
) -> Iterator[TrainingStep]:
    """Train a state's parameters, calling ``keep`` whenever held-out loss is the lowest so far.

    What is validated and kept is the mean of the parameters over the last steps. validate: returns held-out nats per
    token, with so many rows at once. Yields after every step; between two steps the state may be saved, and a run from
    a state that was loaded has the losses of one that was never broken off. ``validation_loss`` is set where held-out
    text was scored. Ends early when held-out loss stops falling, or when the time is up. Raises DivergedError when the
    loss is no number, TrainingError when memory is too small for one row.
    """
    started = time.monotonic() - state.elapsed
    order = islice(_endless_order(len(training), plan.seed, training.ways), state.step * plan.rows_per_step, None)
    while not state.is_over:
        step_started = time.monotonic()
        progress = ranks.first_says(_progress(state.step + 1, plan, step_started - started))
        rows_before = state.micro_batch.rows
        learning_rate = plan.learning_rate * _schedule(progress)
        chosen = list(islice(order, plan.rows_per_step))
        nll = _step(state, training, chosen, loss, learning_rate, plan)
        seconds = time.monotonic() - step_started
        last = progress >= 1 or state.step == plan.steps
        validation_loss = None
        if last or state.step % plan.steps_per_validation == 0:
            with state.average.in_place():
                validation_loss = state.micro_batch.run(validate)
        state.elapsed = time.monotonic() - started
        rows_at_once = state.micro_batch.rows
        record = TrainingStep(
            step=state.step,
            steps=state.step if last else _expected_steps(state.step, plan, state.elapsed),
            loss=nll.nats_per_token,
            tokens=training.take(chosen).tokens,
            supervised_tokens=nll.tokens,
            learning_rate=learning_rate,
            seconds=seconds,
            validation_loss=validation_loss,
            rows_at_once=None if rows_at_once == rows_before else rows_at_once,
        )
        if validation_loss is not None and state.is_lowest(validation_loss):
            with state.average.in_place():
                keep(record)
        state.is_over = last or state.stale >= plan.patience
        state.is_whole = True
        yield record


def _step(state: State, training: Rows, chosen: list[int], loss: Loss, learning_rate: float, plan: Plan) -> Nll:
    """Change the parameters once, by the gradient of the mean loss over some rows."""
    rows, step = training.take(chosen), state.step + 1
    # what is drawn in a step depends on seed and step alone, so that a run which goes on draws what it would have drawn
    torch.manual_seed(int(np.random.SeedSequence((plan.seed, step)).generate_state(1, np.uint32)[0]))
    own, tokens_of_all = own_share(rows), rows.supervised_tokens
    found = state.micro_batch.run(partial(_accumulate_gradients, state.optimizer, loss, own, tokens_of_all))
    ranks.sum_gradients(state.parameters)
    nats, tokens = ranks.total(found)
    nll = Nll(nats, int(tokens))
    norm = torch.nn.utils.clip_grad_norm_(state.parameters, MAX_GRADIENT_NORM)
    if not (math.isfinite(nll.nats) and math.isfinite(norm)):
        what = f"loss became {nll.nats}" if not math.isfinite(nll.nats) else f"gradient became {float(norm)}"
        raise DivergedError(
            f"the {what} at step {step}{_named(_culprits(loss, rows, [row % len(training) for row in chosen]))}",
            f"train with a lower learning rate than {plan.learning_rate:g}",
        )
    state.is_whole = False
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.step = step
    state.average.update(step)
    return nll


def own_share(rows: Rows) -> Rows:
    """Return this process's share of some rows; all have as many: what is missing is filled up, and not scored."""
    own = list(ranks.share(len(rows)))
    missing = -(-len(rows) // ranks.count()) - len(own)
    shared = rows.take([*own, *[0] * missing])
    shared.labels[len(own) :] = IGNORE_INDEX
    return shared


def _culprits(loss: Loss, rows: Rows, chosen: Sequence[int]) -> list[int]:
    """Return which rows' losses are no numbers, each by itself."""
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        nats = [float(loss(rows.take([place]))[0]) for place in range(len(rows))]
    return [row for row, found in zip(chosen, nats, strict=True) if not math.isfinite(found)]


def _named(rows: Sequence[int]) -> str:
    return f", in rows {', '.join(map(str, rows))} of the training text" if rows else ""


class _Average:
    """The mean of some parameters over the steps so far, of which the last fifth or so counts.

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


def _accumulate_gradients(
    optimizer: torch.optim.Optimizer, loss: Loss, rows: Rows, supervised_tokens: int, rows_per_micro_batch: int
) -> Nll:
    """Add up the gradients of the nats of some rows divided by so many tokens, a micro-batch in memory at a time."""
    optimizer.zero_grad()  # memory may have run out half-way
    total = Nll(0.0, 0)
    for start in range(0, len(rows), rows_per_micro_batch):
        nats, tokens = loss(rows.take(range(start, min(start + rows_per_micro_batch, len(rows)))))
        (nats / supervised_tokens).backward()  # type: ignore[no-untyped-call]
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


def _endless_order(rows: int, seed: int, ways: int = 1) -> Iterator[int]:
    """Yield every row once in a new random order, again and again, each time in the next of its ways."""
    rng = np.random.default_rng(seed)
    for way in cycle(range(ways)):
        yield from (way * rows + rng.permutation(rows)).tolist()


def rows_read(rows: int, plan: Plan, step: int) -> set[int]:
    """Return which rows a run has learned from after so many steps."""
    order = _endless_order(rows, plan.seed)
    return {next(order) for _ in range(min(step * plan.rows_per_step, rows))}
