"""A model of any kind, new, of the shape that the settings give it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer
from torch import nn

from manera.errors import TrainingError
from manera.lab.settings import LabSettings
from manera.lab.tokenizers import BOS, EOS

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

    from manera.bases.small.causal import SmallForCausalLM

HEAD = 32
"""Width of an attention head."""


def build(settings: LabSettings, tokenizer: Tokenizer, ids: Sequence[int]) -> Any:
    """Return a model whose weights follow from the seed; an n-gram is counted at once in the training text's ids."""
    torch.manual_seed(settings.seed)
    if settings.kind == "transformer":
        return transformer(settings, tokenizer)
    return small(settings, tokenizer, ids)


def small(settings: LabSettings, tokenizer: Tokenizer, ids: Sequence[int]) -> "SmallForCausalLM":
    """Return an n-gram, a feed-forward or a recurrent model."""
    from manera.bases.small import ngram
    from manera.bases.small.causal import SmallForCausalLM
    from manera.bases.small.config import SmallConfig

    size = tokenizer.get_vocab_size()
    tables = ngram.count(ids, settings.context, size) if settings.kind == "ngram" else []
    config = SmallConfig(
        kind=settings.kind,
        hidden_size=size if tables else settings.width,
        num_hidden_layers=settings.layers,
        context=settings.context,
        dropout=settings.dropout,
        grams=[len(table.keys) for table in tables],
        tie_word_embeddings=settings.is_tied and not tables,
        **_tokens(tokenizer),
    )
    model = SmallForCausalLM(config)
    if isinstance(body := model.model.body, ngram.Ngram):
        body.fill(tables)
    return model


def transformer(settings: LabSettings, tokenizer: Tokenizer) -> "LlamaForCausalLM":
    """Return a Llama of transformers: rotary positions, RMSNorm, SwiGLU; whole heads of 32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if settings.width % HEAD:
        raise TrainingError(
            f"width = {settings.width}: the Transformer has heads of {HEAD}",
            f"choose a multiple of {HEAD}, such as --width {max(1, round(settings.width / HEAD)) * HEAD}",
        )
    config = LlamaConfig(
        hidden_size=settings.width,
        intermediate_size=-(-settings.width * 8 // 3 // HEAD) * HEAD,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.width // HEAD,
        max_position_embeddings=settings.context,
        attention_dropout=settings.dropout,
        initializer_range=0.02,
        tie_word_embeddings=settings.is_tied,
        **_tokens(tokenizer),
    )
    return LlamaForCausalLM(config)


def parameters(model: nn.Module) -> int:
    """Count what was learned: weights, or the grams that were counted."""
    grams = getattr(model.config, "grams", None)
    return sum(grams) if grams else sum(weight.numel() for weight in model.parameters())


def _tokens(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "vocab_size": tokenizer.get_vocab_size(),
        "bos_token_id": tokenizer.token_to_id(BOS),
        "eos_token_id": tokenizer.token_to_id(EOS),
        "pad_token_id": None,
    }
