"""How the next token is drawn from logits, in the order and with the meanings of llama.cpp's samplers."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from manera.generation.engine import Request

PENALIZED_TOKENS = 64
"""How far back the penalties look, but for DRY's, which look at everything."""

DRY_BASE, DRY_LENGTH = 1.75, 2
_LONGEST_REPETITION = 64


def draw(
    logits: Tensor, request: Request, written: Sequence[int], breakers: Collection[int], rng: torch.Generator
) -> int:
    """Draw the next token.

    logits: (V,), float32; changed. written: the prompt and the reply so far. breakers: tokens that no repetition
    reaches across. Order: bias, penalties, temperature, min_p, top_k, top_p.
    """
    sampling = request.sampling
    for token, bias in request.logit_bias.items():
        logits[token] += bias
    _penalize(logits, request, written[-PENALIZED_TOKENS:])
    if sampling.dry_multiplier:
        _discourage_repetition(logits, request, written, breakers)
    if sampling.temperature == 0:
        return int(logits.argmax())
    ordered, tokens = (logits / sampling.temperature).sort(descending=True)
    kept = torch.ones_like(ordered, dtype=torch.bool)
    if sampling.min_p:
        kept &= ordered - ordered[0] >= math.log(sampling.min_p)
    if sampling.top_k:
        kept[sampling.top_k :] = False
    shares = ordered.masked_fill(~kept, -torch.inf).softmax(-1)
    if sampling.top_p is not None and sampling.top_p < 1:
        shares = shares.masked_fill(shares.cumsum(-1) - shares >= sampling.top_p, 0)  # what crosses the bound stays
    return int(tokens[int(torch.multinomial(shares.cpu(), 1, generator=rng))])


def _penalize(logits: Tensor, request: Request, recent: Sequence[int]) -> None:
    repetition = request.sampling.repetition_penalty
    if not recent or (repetition is None and not request.frequency_penalty and not request.presence_penalty):
        return
    counts = Counter(recent)
    tokens = torch.tensor(list(counts), device=logits.device)
    times = torch.tensor(list(counts.values()), device=logits.device)
    values = logits[tokens]
    if repetition is not None:
        values = torch.where(values > 0, values / repetition, values * repetition)
    logits[tokens] = values - times * request.frequency_penalty - request.presence_penalty


def _discourage_repetition(logits: Tensor, request: Request, written: Sequence[int], breakers: Collection[int]) -> None:
    """Lower each token by how long a repetition it would prolong (DRY)."""
    sampling = request.sampling
    base = DRY_BASE if sampling.dry_base is None else sampling.dry_base
    allowed = DRY_LENGTH if sampling.dry_allowed_length is None else sampling.dry_allowed_length
    longest: dict[int, int] = {}
    for end in range(len(written) - 1):
        length = 0
        while length <= min(end, _LONGEST_REPETITION) and written[end - length] == written[-1 - length]:
            if written[end - length] in breakers:
                break
            length += 1
        if length >= allowed:
            longest[written[end + 1]] = max(length, longest.get(written[end + 1], 0))
    for token, length in longest.items():
        if token not in breakers:
            logits[token] -= (sampling.dry_multiplier or 0.0) * base ** (length - allowed)
