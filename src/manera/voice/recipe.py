"""How a voice was made: what was asked for, what was decided, and how far the run went."""

import math

import msgspec

from manera.records import MethodName, Precision


class Recipe(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that making a voice again depends on, beside its dataset.

    epochs is None where only the time was bounded, minutes where it was not. rows: of the training text, each of
    max_length tokens. steps: how many the run had; kept_step: the one whose adapter was kept; rows_read: how many rows
    had been read then, each as often as it was. added_tokens: how many of the base's have trained rows. format: its
    name or file, None for the one that fits the base. grown: how often it went on with new text; preferences: how many
    it went on with; preferred_at: Unix seconds up to which it has learned its own.
    """

    method: MethodName = "lora"
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None
    epochs: float | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    max_length: int = 512
    batch_tokens: int = 1024
    context_weight: float = 0.0
    precision: Precision = "float32"
    compiled: bool = False
    canaries: int = 0
    per_thread: float | None = None
    half_life: float | None = None
    replay: float = 0.0
    seed: int = 0
    rows: int = 0
    steps: int = 0
    kept_step: int = 0
    rows_read: int = 0
    added_tokens: int = 0
    preset: str | None = None
    format: str | None = None
    context_share: float = 0.0
    views: int = 1
    grown: int = 0
    preferences: int = 0
    preferred_at: int = 0

    @property
    def scale(self) -> float:
        """What the product of the adapter's two matrices is multiplied by."""
        return adapter_scale(self.method, self.alpha, self.rank)

    @property
    def stands_alone(self) -> bool:
        """Whether what was learned is no low-rank sum, so that llama.cpp needs a model of the voice's own."""
        return stands_alone(self.method) or self.added_tokens > 0


def stands_alone(method: MethodName) -> bool:
    """Tell whether what a method learns is no low-rank sum."""
    return method in ("dora", "full")


def adapter_scale(method: MethodName, alpha: float, rank: int) -> float:
    """Return what the product of an adapter's two matrices is multiplied by.

    By the root, a high rank learns as fast as a low one: rsLoRA (Kalajdzievski, 2023, https://arxiv.org/abs/2312.03732).
    """
    return alpha / math.sqrt(rank) if method == "rslora" else alpha / rank
