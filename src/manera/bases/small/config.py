"""What a small model is built from, as ``config.json`` keeps it."""

from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig, PretrainedConfig

RECURRENT = ("rnn", "gru", "lstm")


class SmallConfig(PretrainedConfig):  # type: ignore[misc]
    """kind: ngram, linear, rnn, gru or lstm. context: an n-gram's order; how many tokens a linear model looks back.

    grams: of an n-gram model, how many different ones of each order it has counted.
    """

    model_type = "manera_small"

    def __init__(
        self,
        kind: str = "gru",
        vocab_size: int = 2,
        hidden_size: int = 2,
        num_hidden_layers: int = 1,
        context: int = 2,
        dropout: float = 0.0,
        grams: Sequence[int] = (),
        max_position_embeddings: int = 4096,
        tie_word_embeddings: bool = True,
        **others: Any,
    ) -> None:
        self.kind = kind
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.context = context
        self.dropout = dropout
        self.grams = list(grams)
        self.max_position_embeddings = max_position_embeddings
        super().__init__(tie_word_embeddings=tie_word_embeddings, **others)


AutoConfig.register(SmallConfig.model_type, SmallConfig)
