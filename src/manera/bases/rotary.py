"""Rotary positions that were stretched for longer texts: linearly, or as Llama 3 does."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manera.errors import ModelError

FACTORS = "rope_freqs.weight"
"""llama.cpp's tensor of what each frequency is divided by; it stands for Llama 3's settings, which are told nowhere."""

_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""All models of the family have these."""

_OTHER = "use another base: manera bases"

Factors = NDArray[np.float32]


def parameters(architecture: str, told: Mapping[str, Any], factors: Factors | None) -> dict[str, Any]:
    """Return transformers' parameters for what a file tells; raise ModelError for a way that is not known."""
    kind = told.get(f"{architecture}.rope.scaling.type", "linear")
    factor = float(told.get(f"{architecture}.rope.scaling.factor", 1.0))
    if factors is not None:
        theta = float(told.get(f"{architecture}.rope.freq_base", 10_000.0))
        factor = float(factors.max())
        if not np.allclose(factors, _llama3_factors(theta, 2 * len(factors), factor), rtol=1e-3):
            raise ModelError("the file's positions are stretched in a way that is not known", _OTHER)
        return {"rope_type": "llama3", "factor": factor, **_LLAMA3}
    if kind not in ("none", "linear"):
        raise ModelError(f"the file's positions are stretched by {kind!r}, which is not known", _OTHER)
    return {} if kind == "none" or factor == 1.0 else {"rope_type": "linear", "factor": factor}


def metadata(architecture: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file's metadata says of transformers' parameters."""
    if given.get("rope_type") != "linear":
        return {}
    return {
        f"{architecture}.rope.scaling.type": "linear",
        f"{architecture}.rope.scaling.factor": float(given["factor"]),
    }


def factors(given: Mapping[str, Any], width: int) -> Factors | None:
    """Return the file's FACTORS for transformers' parameters and heads of so many numbers, if it needs them."""
    if given.get("rope_type") != "llama3":
        return None
    return _llama3_factors(given["rope_theta"], width, given["factor"])


def _llama3_factors(theta: float, width: int, factor: float) -> Factors:
    """Stretch low frequencies by the factor, high ones not at all, and those between smoothly."""
    wavelengths = 2 * np.pi * theta ** (np.arange(0, width, 2) / width)
    low, high = _LLAMA3["low_freq_factor"], _LLAMA3["high_freq_factor"]
    turns = _LLAMA3["original_max_position_embeddings"] / wavelengths
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1.0 / ((1.0 - smooth) / factor + smooth)).astype(np.float32)
