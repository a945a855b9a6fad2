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

    def bits_per_byte(self, scored_bytes: float) -> float:
        """Divide the bits by the UTF-8 bytes of the text that was scored.

        The end-of-turn tokens are among the nats, because where a text ends has to be told too, and have no
        bytes; every tokenizer has as many of them on the same texts, so figures stay comparable.
        """
        return self.nats / math.log(2) / scored_bytes


def supervised_nll(
    hidden: Tensor,
    head: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    softcap: float | None = None,
    last_rows: Tensor | None = None,
) -> tuple[Tensor, int]:
    """Sum the negative log-likelihood of the supervised tokens, each times its weight.

    hidden: (B, T, D) after the last norm. head: (V, D). labels: (B, T), IGNORE_INDEX where unsupervised.
    weights: (B, T), None where all are one. They average one over all rows of a part, so what the nats are divided by
    is the count of tokens with weights as without: for a batch, for its micro-batches, and for all machines alike.
    softcap: what no logit passes, in models that have such. last_rows: (R, D), the last of the head, where they alone
    are trained. Returns nats (float32 scalar), differentiable in hidden, head and last_rows, and that count.
    """
    nats = each_nll(hidden, head, labels, softcap, last_rows)
    if weights is not None:
        nats = nats * weights[:, 1:][labels[:, 1:] != IGNORE_INDEX]
    return nats.sum(), len(nats)


def each_nll(
    hidden: Tensor,
    head: Tensor,
    labels: Tensor,
    softcap: float | None = None,
    last_rows: Tensor | None = None,
) -> Tensor:
    """Return the nats of every supervised token by itself, (N,) in float32, in the order of the flattened labels.

    Logits are there only for these tokens and never all at once; differentiable in hidden. Position t is scored from
    the state at t - 1; position 0 is never scored. The rest is as in ``supervised_nll``.
    """
    states, targets = _supervised(hidden, labels)
    nats: Tensor = _ChunkedNll.apply(states, head, targets, softcap, last_rows)  # type: ignore[no-untyped-call]
    return nats


def tempered_nll(
    hidden: Tensor, head: Tensor, labels: Tensor, temperatures: Sequence[float], softcap: float | None = None
) -> tuple[Tensor, int]:
    """Sum the nats of the supervised tokens once for each temperature by which logits are divided: (K,), float32.

    The rest is as in ``supervised_nll``; not differentiable.
    """
    states, targets = _supervised(hidden, labels)
    nats = torch.zeros(len(temperatures), dtype=torch.float32, device=states.device)
    for start in range(0, len(states), CHUNK):
        logits = _logits(states[start : start + CHUNK], head, softcap)
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
    """Cross-entropy of a head, whose gradient in the states is computed with the loss, chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, head: Tensor, targets: Tensor, softcap: float | None, last_rows: Tensor | None
    ) -> Tensor:
        """states: (N, D); head: (V, D); targets: (N,); last_rows: (R, D). Returns each target's nats: (N,), float32."""
        wanted = states.requires_grad
        grad = torch.empty_like(states) if wanted else None
        nats = torch.empty(len(states), dtype=torch.float32, device=states.device)
        for start in range(0, len(states), CHUNK):
            count = min(CHUNK, len(states) - start)
            # every chunk has the same shape: on a CPU each new one is planned anew
            part = F.pad(states[start : start + count], (0, 0, 0, CHUNK - count))
            target = F.pad(targets[start : start + count], (0, CHUNK - count))
            chunk_nats, slope = _score(part, head, target, softcap, wanted)
            nats[start : start + count] = chunk_nats[:count]
            if grad is not None and slope is not None:
                grad[start : start + count] = slope[:count]
        device = states.device.type
        ctx.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        ctx.softcap, ctx.last_rows = softcap, None if last_rows is None else len(last_rows)
        trained = head.requires_grad or (last_rows is not None and last_rows.requires_grad)
        ctx.save_for_backward(grad, *((states, head, targets) if trained else ()))
        return nats

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None, Tensor | None]:
        """Scale the gradients that forward kept, one for each target; that of a trained head is computed only now."""
        slope, *kept = ctx.saved_tensors
        of_head = None
        if kept:
            states, head, targets = kept
            of_head = _head_gradient(states, head, targets, grads[0], ctx.softcap, ctx.dtype, ctx.last_rows)
        of_states = slope * grads[0].to(slope.dtype)[:, None]
        return (of_states, of_head, None, None, None) if ctx.last_rows is None else (of_states, *[None] * 3, of_head)


def _logits(states: Tensor, head: Tensor, softcap: float | None) -> Tensor:
    logits = (states @ head.t()).float()
    return logits if softcap is None else logits.div_(softcap).tanh_().mul_(softcap)


def _steepness(logits: Tensor, softcap: float) -> Tensor:
    """Return how much a capped logit grows with what was capped."""
    return 1.0 - (logits / softcap).square()


def _score(
    states: Tensor, head: Tensor, targets: Tensor, softcap: float | None, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """Return the nats of each row (N,) and, if wanted, their gradient in the states (N, D)."""
    logits = _logits(states, head, softcap)
    normalizer = logits.logsumexp(-1, keepdim=True)
    nats = (normalizer - logits.gather(1, targets[:, None])).squeeze(1)
    if not wanted:
        return nats, None
    steepness = None if softcap is None else _steepness(logits, softcap)
    slope = logits.sub_(normalizer).exp_()
    slope.scatter_add_(1, targets[:, None], torch.full_like(normalizer, -1.0))
    if steepness is not None:
        slope.mul_(steepness)
    return nats, slope.to(head.dtype) @ head


def _head_gradient(
    states: Tensor,
    head: Tensor,
    targets: Tensor,
    weights: Tensor,
    softcap: float | None,
    dtype: torch.dtype,
    last_rows: int | None,
) -> Tensor:
    """Return the gradient (V, D) of the weighted nats in the head, or in its last rows, with products of a given type.

    It is summed in float32 where it is of rows alone: the head itself may be rounded.
    """
    first = 0 if last_rows is None else len(head) - last_rows
    total, rounded = torch.zeros_like(head[first:], dtype=torch.float32 if first else None), head.to(dtype)
    for start in range(0, len(states), CHUNK):
        part = states[start : start + CHUNK].to(dtype)
        logits = _logits(part, rounded, softcap)
        slope = logits.softmax(-1)
        slope[range(len(part)), targets[start : start + CHUNK]] -= 1.0
        if softcap is not None:
            slope *= _steepness(logits, softcap)
        total += (slope * weights[start : start + CHUNK, None])[:, first:].to(dtype).t() @ part
    return total
