"""Attention as plain matrix products, and the mask that keeps packed examples apart.

With head size 256 on a CPU this is faster than torch's fused kernels, forward and backward, and an explicit
mask costs it one addition.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "manera_matrix_products"
_HIDDEN = -3e4  # below any score, and finite in every dtype used here


def matrix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend with grouped queries, two batched products and a float32 softmax.

    query: (B, H, T, D); key, value: (B, G, T, D) with G dividing H; attention_mask: (B, 1, T, T), added
    to the scores; softcap: what no score passes. Returns (B, T, H, D), as transformers' attention functions do.
    """
    batch, heads, length, size = query.shape
    groups = key.shape[1]
    stacked = (query * scaling).reshape(batch * groups, heads // groups * length, size)
    scores = stacked @ key.reshape(batch * groups, length, size).transpose(1, 2)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.reshape(batch, heads, length, length) + attention_mask
    weights = torch.softmax(scores.float(), dim=-1).to(query.dtype)
    mixed = weights.reshape(batch * groups, -1, length) @ value.reshape(batch * groups, length, size)
    return mixed.reshape(batch, heads, length, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, matrix_attention)


def packed_mask(segments: Tensor, window: int | None, dtype: torch.dtype) -> Tensor:
    """Build the mask under which a token sees only earlier tokens of its own example.

    segments: (B, T), equal within an example. window limits how far back it sees, itself counted.
    Returns (B, 1, T, T): 0 where visible, a large negative number elsewhere.
    """
    length = segments.shape[1]
    position = torch.arange(length, device=segments.device)
    distance = position[:, None] - position[None, :]
    visible = (segments[:, :, None] == segments[:, None, :]) & (distance >= 0)
    if window is not None and window < length:
        visible &= distance < window
    hidden = torch.full((), _HIDDEN, dtype=dtype, device=segments.device)
    return torch.where(visible, torch.zeros_like(hidden), hidden)[:, None]
