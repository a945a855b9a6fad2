"""One formula for loss: summed nats and the count of supervised tokens, divided once, at the end."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from manera.dataset.encoding import IGNORE_INDEX

CHUNK = 256


class Nll(NamedTuple):
    """Summed negative log-likelihood and what it was summed over."""

    nats: float
    tokens: int

    def __add__(self, other: object) -> "Nll":
        if not isinstance(other, Nll):
            return NotImplemented
        return Nll(self.nats + other.nats, self.tokens + other.tokens)

    @property
    def nats_per_token(self) -> float:
        """Divide; not a number where nothing was scored."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """exp(nats per token)."""
        return math.exp(self.nats_per_token)

    def bits_per_byte(self, scored_bytes: int) -> float:
        """Divide the bits by the UTF-8 bytes of the text that was scored.

        The end-of-turn tokens are among the nats, because where a text ends has to be told too, and have no
        bytes; every tokenizer has as many of them on the same texts, so figures stay comparable.
        """
        return self.nats / math.log(2) / scored_bytes


def supervised_nll(hidden: Tensor, head: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Sum the negative log-likelihood of the supervised tokens, with logits only there and never all at once.

    hidden: (B, T, D) after the last norm. head: (V, D). labels: (B, T), IGNORE_INDEX where unsupervised.
    Returns nats (float32 scalar), differentiable in hidden and head, and the count of tokens summed.
    Position t is scored from the state at t - 1; position 0 is never scored.
    """
    states, targets = _supervised(hidden, labels)
    nats: Tensor = _ChunkedNll.apply(states, head, targets)  # type: ignore[no-untyped-call]
    return nats, len(targets)


def each_nll(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """Return the nats of every supervised token by itself, (N,), in the order of the flattened labels.

    The rest is as in ``supervised_nll``; not differentiable.
    """
    states, targets = _supervised(hidden, labels)
    nats = torch.zeros(len(states), dtype=torch.float32, device=states.device)
    for start in range(0, len(states), CHUNK):
        part = slice(start, start + CHUNK)
        nats[part], _ = _score(states[part], head, targets[part], wanted=False)
    return nats


def tempered_nll(hidden: Tensor, head: Tensor, labels: Tensor, temperatures: Sequence[float]) -> tuple[Tensor, int]:
    """Sum the nats of the supervised tokens once for each temperature by which logits are divided: (K,), float32.

    The rest is as in ``supervised_nll``; not differentiable.
    """
    states, targets = _supervised(hidden, labels)
    nats = torch.zeros(len(temperatures), dtype=torch.float32, device=states.device)
    for start in range(0, len(states), CHUNK):
        logits = (states[start : start + CHUNK] @ head.t()).float()
        wanted = targets[start : start + CHUNK]
        for place, temperature in enumerate(temperatures):
            nats[place] += F.cross_entropy(logits / temperature, wanted, reduction="sum")
    return nats, len(targets)


def _supervised(hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states (N, D) from which supervised tokens are told, and these tokens (N,)."""
    targets = labels[:, 1:].reshape(-1)
    supervised = (targets != IGNORE_INDEX).nonzero().squeeze(1)
    return hidden[:, :-1].flatten(0, 1).index_select(0, supervised), targets[supervised]


class _ChunkedNll(torch.autograd.Function):
    """Cross-entropy of a head, whose gradients are computed with the loss, chunk by chunk."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """states: (N, D); head: (V, D); targets: (N,). Returns nats as a float32 scalar."""
        wanted = states.requires_grad or head.requires_grad
        grad = torch.empty_like(states) if wanted else None
        head_grad = torch.zeros_like(head) if head.requires_grad else None
        nats = torch.zeros((), dtype=torch.float32, device=states.device)
        for start in range(0, len(states), CHUNK):
            count = min(CHUNK, len(states) - start)
            # every chunk has the same shape: on a CPU each new one is planned anew
            part = F.pad(states[start : start + count], (0, 0, 0, CHUNK - count))
            target = F.pad(targets[start : start + count], (0, CHUNK - count))
            chunk_nats, slope = _score(part, head, target, wanted)
            nats += chunk_nats[:count].sum()
            if grad is not None and slope is not None:
                grad[start : start + count] = (slope @ head)[:count]
            if head_grad is not None and slope is not None:
                head_grad += slope[:count].t() @ part[:count]
        ctx.save_for_backward(grad, head_grad)
        return nats

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        """Scale the gradients that forward kept."""
        slope, head_slope = ctx.saved_tensors
        scale = grads[0].to(slope.dtype)
        return slope * scale, None if head_slope is None else head_slope * scale, None


def _score(states: Tensor, head: Tensor, targets: Tensor, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Return the nats of each row (N,) and, if wanted, their gradient in the logits (N, V)."""
    logits = (states @ head.t()).float()
    normalizer = logits.logsumexp(-1, keepdim=True)
    nats = (normalizer - logits.gather(1, targets[:, None])).squeeze(1)
    if not wanted:
        return nats, None
    slope = logits.sub_(normalizer).exp_()
    slope.scatter_add_(1, targets[:, None], torch.full_like(normalizer, -1.0))
    return nats, slope.to(head.dtype)
