"""What a model from nothing is made of, and how long it may learn."""

import math
from typing import Literal, get_args

import msgspec

from manera.errors import SettingsError

Kind = Literal["ngram", "linear", "rnn", "gru", "lstm", "transformer"]
TokenizerKind = Literal["character", "word", "byte", "bpe", "unigram"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TOKENIZERS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)


class LabSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, from its tokenizer to its seed; ``settings_for`` fills in what suits a kind.

    vocabulary: tokens of the word, BPE and Unigram tokenizers; the text itself has so many characters and bytes.
    width: of the embedding, which is the head as well where they are tied, and of every layer. context: of the n-gram
    its order; of linear and the Transformer how many tokens it looks back; of the recurrent ones over how many
    gradients go back, while the state goes on. batch: how many stretches of text are read side by side.
    dropout: share of what layers are given that is left out; of the Transformer, of what attention looks at.
    clipping: largest norm of a step's gradient. weight_decay: AdamW's, on matrices.
    """

    kind: Kind
    tokenizer: TokenizerKind = "bpe"
    vocabulary: int = 2000
    width: int = 256
    layers: int = 1
    context: int = 64
    learning_rate: float = 2e-3
    dropout: float = 0.2
    batch: int = 16
    seed: int = 0
    is_tied: bool = True
    clipping: float = 1.0
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "layers", "context", "batch"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "a whole number from 1")
        for name in ("learning_rate", "clipping"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "a number above 0")
        _require("dropout", self.dropout, 0 <= self.dropout < 1, "a share from 0 to below 1")


_SUITED: dict[str, dict[str, float]] = {
    "ngram": {"context": 5},
    "linear": {"context": 16, "learning_rate": 1e-3, "batch": 32},
    "rnn": {"learning_rate": 1e-3},
    "gru": {"learning_rate": 4e-3},
    "lstm": {"learning_rate": 5e-3},
    "transformer": {"layers": 3, "context": 256, "learning_rate": 2e-3, "batch": 4},
}


def settings_for(kind: str, **chosen: object) -> LabSettings:
    """Return what suits a kind, with what was chosen in its place; None was not. Raises SettingsError."""
    given = {name: value for name, value in chosen.items() if value is not None}
    _require_one_of("kind", kind, KINDS)
    if "tokenizer" in given:
        _require_one_of("tokenizer", given["tokenizer"], TOKENIZERS)
    try:
        return msgspec.convert({"kind": kind, **_SUITED.get(kind, {}), **given}, type=LabSettings, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"a model of the lab cannot be made so: {error}", f"kinds: {', '.join(KINDS)}; see manera lab train --help"
        ) from error


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How long a model may learn: whatever is used up first ends it; None is no bound.

    patience: after how many measurements without a new low it ends early; None is never.
    """

    seconds: float | None = None
    tokens: int | None = None
    epochs: float | None = None
    patience: int | None = 5

    def __post_init__(self) -> None:
        bounds = {"seconds": self.seconds, "tokens": self.tokens, "epochs": self.epochs}
        if all(bound is None for bound in bounds.values()):
            raise SettingsError("a model would learn for ever", "bound it by seconds, tokens or epochs")
        for name, bound in bounds.items():
            _require(name, bound, bound is None or 0 < bound < math.inf, "a number above 0")

    def progress(self, seconds: float, tokens: int, tokens_per_epoch: int) -> float:
        """Return which share of the budget is used up."""
        used = [
            (seconds, self.seconds),
            (tokens, self.tokens),
            (tokens / tokens_per_epoch, self.epochs),
        ]
        return max(spent / bound for spent, bound in used if bound is not None)


def _require_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    _require(name, value, value in known, f"one of {', '.join(known)}")


def _require(name: str, value: object, is_fit: bool, wanted: str) -> None:
    if not is_fit:
        raise SettingsError(f"{name} = {value!r} cannot be used", f"give {wanted}")
