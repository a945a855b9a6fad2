"""Matrix products of frozen weights in 8-bit integers, forward and backward.

Follows SwitchBack (Wortsman et al., 2023, https://arxiv.org/abs/2304.13013): one scale per weight row, one
per token, both products with the frozen weight in int8, gradients of what is trained never quantized.
On processors with VNNI but without bfloat16 such a product is about nine times as fast as in float32.
"""

from typing import Any

import torch
from torch import Tensor


def quantize_rows(values: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to int8 around its own scale: values (..., K) -> int8 (..., K), scales (..., 1)."""
    scale = values.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 127
    return (values / scale).round().to(torch.int8), scale


def int8_product(left: Tensor, right: Tensor, fine: bool) -> Tensor:
    """Multiply float rows (M, K) by an int8 matrix (K, N) -> float (M, N), rows quantized on the way.

    ``fine`` adds a second product with what the first rounding left over: about 15 bits instead of 7.
    """
    rounded, scale = quantize_rows(left)
    product = torch._int_mm(rounded, right).float() * scale
    if not fine:
        return product
    rest, rest_scale = quantize_rows(left - rounded * scale)
    return product + torch._int_mm(rest, right).float() * rest_scale


class Int8Linear(torch.autograd.Function):
    """y = x W^T for a frozen W given as int8 rows and their scales; differentiable in x only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, scale: Tensor, fine: bool) -> Tensor:
        """x: (..., K) float; weight: (N, K) int8; scale: (N,) float. Returns (..., N)."""
        ctx.save_for_backward(weight, scale)
        rows = x.reshape(-1, x.shape[-1])
        return (int8_product(rows, weight.t(), fine) * scale).reshape(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        """Fold the scales of W's rows into the gradient, so that one int8 copy of W serves both ways."""
        weight, scale = ctx.saved_tensors
        (grad,) = grads
        rows = grad.reshape(-1, grad.shape[-1]) * scale
        return int8_product(rows, weight, False).reshape(*grad.shape[:-1], -1), None, None, None
