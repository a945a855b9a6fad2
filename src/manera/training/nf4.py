"""Frozen weights in four bits: NormalFloat (QLoRA, Dettmers et al., 2023, https://arxiv.org/abs/2305.14314).

By bitsandbytes, which is an extra: it computes on processors as well, though only a GPU gains time.
"""

from typing import Any

from torch import Tensor

from manera.errors import TrainingError


class Weight:
    """A matrix (N, K) rounded to NF4, its scales rounded too; differentiable products with it."""

    def __init__(self, weight: Tensor) -> None:
        self.data, self.state = _library().functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)

    def product(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """x: (..., K) -> (..., N), in x's dtype."""
        if self.data.device != x.device:
            self.data = self.data.to(x.device)
            self.state.to(x.device)
        self.state.dtype = x.dtype  # what it is turned back into
        found: Tensor = _library().matmul_4bit(x, self.data.t(), quant_state=self.state, bias=bias)
        return found


def require() -> None:
    """Raise TrainingError where bitsandbytes is not there."""
    _library()


def _library() -> Any:
    try:
        import bitsandbytes
    except ImportError as error:
        raise TrainingError(
            f"qlora needs bitsandbytes: {error}", "pip install 'manera[qlora]', or train with --method lora"
        ) from error
    return bitsandbytes
