"""In which arithmetic this machine multiplies matrices fastest: measured, not guessed from its name."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

import torch

from manera.records import Precision

_ROWS, _REPEATS = 512, 8
_PROBE_ROWS, _PROBE_REPEATS = 16, 2
_HOPELESS = 4.0  # times float32's seconds for some rows: without its instructions an arithmetic can take 100 times
_WORTH_IT = 1.5  # a rounder arithmetic must be this much faster than float32 to be taken


@cache
def fastest(device: str = "cpu") -> Precision:
    """Return the precision for the products with frozen weights, from a measurement of some milliseconds."""
    if device != "cpu":
        return "bfloat16"
    probed = _seconds(_products(_PROBE_ROWS), _PROBE_REPEATS)
    limit = _HOPELESS * probed["float32"]
    products = {name: product for name, product in _products(_ROWS).items() if probed[name] < limit}
    seconds = _seconds(products, _REPEATS)
    best = min(seconds, key=lambda precision: seconds[precision])
    if "bfloat16" in seconds and seconds["float32"] / seconds["bfloat16"] > _WORTH_IT:
        return "bfloat16"  # everything gets faster with it, not only the products with frozen weights
    return best if seconds["float32"] / seconds[best] > _WORTH_IT else "float32"


def _products(rows: int) -> dict[Precision, Callable[[], object]]:
    inner, columns = 640, 2048
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    left16, right16 = left.bfloat16(), right.bfloat16()
    left8, right8 = (left * 40).to(torch.int8), (right * 40).to(torch.int8)
    return {
        "float32": lambda: left @ right,
        "bfloat16": lambda: left16 @ right16,
        "int8": lambda: torch._int_mm(left8, right8),
    }


def _seconds(products: Mapping[Precision, Callable[[], object]], repeats: int) -> dict[Precision, float]:
    """Time each product on one thread, in turn, and keep its best: whatever else runs disturbs that least."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    best: dict[Precision, float] = dict.fromkeys(products, math.inf)
    try:
        for _ in range(repeats):
            for precision, product in products.items():
                started = time.perf_counter()
                with suppress(RuntimeError, NotImplementedError):
                    product()
                    best[precision] = min(best[precision], time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return best


@cache
def compiler_is_available() -> bool:
    """Tell whether torch.compile works on this CPU, by trying it.

    A C++ compiler alone is not enough: Python's headers and OpenMP's have to be there as well.
    """
    compiled = torch.compile(lambda values: values + 1)
    try:
        compiled(torch.zeros(64))
    except (RuntimeError, OSError):
        return False
    return True
