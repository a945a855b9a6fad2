"""What a search tries: of every kind the ranges of its settings, drawn by Optuna."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from manera.lab.models import HEAD
from manera.lab.settings import Kind, LabSettings, TokenizerKind, settings_for
from manera.lab.tokenizers import SIZED

VOCABULARIES = (500, 1000, 2000, 4000, 8000, 16_000)
BYTES_PER_TOKEN = 250
"""Of training text that a vocabulary has for each of its tokens at least; the smallest vocabulary is always tried."""

LEARNING_RATES = (3e-4, 1e-2)
DROPOUTS = (0.0, 0.4)
BATCHES = (8, 16, 32, 64)


class Ranges(NamedTuple):
    """Lowest and highest width, layers and context of a kind; widths in steps of 32."""

    width: tuple[int, int]
    layers: tuple[int, int]
    context: Sequence[int]


RANGES: dict[Kind, Ranges] = {
    "linear": Ranges((64, 384), (1, 2), (8, 16, 32)),
    "rnn": Ranges((128, 512), (1, 2), (32, 64, 128)),
    "gru": Ranges((128, 512), (1, 2), (32, 64, 128)),
    "lstm": Ranges((128, 512), (1, 2), (32, 64, 128)),
    "transformer": Ranges((96, 320), (2, 5), (64, 128, 256)),
}
ORDERS = (3, 7)
"""Of an n-gram."""


def vocabularies(training_bytes: int) -> tuple[int, ...]:
    """Return the sizes of vocabularies that a text is long enough to try."""
    fit = [size for size in VOCABULARIES if size * BYTES_PER_TOKEN <= training_bytes]
    return tuple(fit) or VOCABULARIES[:1]


def draw(trial: Any, kind: Kind, pieces: Sequence[TokenizerKind], sizes: Sequence[int], seed: int) -> LabSettings:
    """Draw the settings of one model. Names carry the kind, so that each kind learns from its own trials alone."""

    def name(of: str) -> str:
        return f"{kind}.{of}"

    tokenizer = trial.suggest_categorical(name("tokenizer"), list(pieces))
    size = trial.suggest_categorical(name("vocabulary"), list(sizes)) if tokenizer in SIZED else None
    if kind == "ngram":
        order = trial.suggest_int(name("context"), *ORDERS)
        return settings_for(kind, tokenizer=tokenizer, vocabulary=size, context=order, seed=seed)
    width, layers, contexts = RANGES[kind]
    return settings_for(
        kind,
        tokenizer=tokenizer,
        vocabulary=size,
        width=trial.suggest_int(name("width"), *width, step=HEAD),
        layers=trial.suggest_int(name("layers"), *layers),
        context=trial.suggest_categorical(name("context"), list(contexts)),
        learning_rate=trial.suggest_float(name("learning_rate"), *LEARNING_RATES, log=True),
        dropout=trial.suggest_float(name("dropout"), *DROPOUTS),
        batch=trial.suggest_categorical(name("batch"), list(BATCHES)),
        seed=seed,
    )
