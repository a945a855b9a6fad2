"""Small random models of real classes, each with a tokenizer of the kind that comes with them, as their makers save
them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers

from manera.bases.pre_tokenizers import PRE_TOKENIZERS
from manera.bases.tokenizer import SPACE, byte_of_letter, merges
from tiny import SPECIAL, TEXT, train_vocabulary

END = "<|endoftext|>"
PIECES = 700
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.1,
}
GROUPED = SIZES | {"num_key_value_heads": 2}
WINDOWED = GROUPED | {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 24, "num_hidden_layers": 6}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
STRETCHED = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1_000_000.0, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}
"""As Gemma 3 of 4 billion parameters has it."""


class TinyModel(NamedTuple):
    """One architecture: transformers' configuration class, what it is given, and its tokenizer."""

    config: str
    given: dict[str, Any]
    tokenizer: Callable[[], Tokenizer]
    bos: str | None
    eos: str


def save_tiny_model(name: str, folder: Path) -> Path:
    """Save a folder of Hugging Face files, and return it."""
    made = MODELS[name]
    tokenizer = made.tokenizer()
    tokens = {"bos_token": made.bos} if made.bos else {}
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=made.eos, **tokens)
    wrapped.save_pretrained(folder)
    config = getattr(transformers, made.config)(
        vocab_size=tokenizer.get_vocab_size() + 5,  # rows to spare, as many have
        bos_token_id=wrapped.bos_token_id,
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=None,
        **made.given,
    )
    with torch.random.fork_rng():
        torch.manual_seed(23)
        model = transformers.AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms and biases are not all alike in a trained model
                parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder


def byte_level(pre: str) -> Tokenizer:
    """Train a small tokenizer of byte-level BPE."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=sorted(byte_of_letter()), show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("    ", normalized=False)])
    return tokenizer


def sentencepiece(opens_with_space: bool) -> Tokenizer:
    """Build a small tokenizer as transformers makes one of SentencePiece's."""
    vocabulary = train_vocabulary()
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    tokenizer = Tokenizer(
        models.BPE(vocab=ids, merges=merges(vocabulary), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    replace = normalizers.Replace(" ", SPACE)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), replace]) if opens_with_space else replace
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    tokenizer.add_tokens([AddedToken("\n" * count, normalized=False) for count in (1, 2, 3)])
    return tokenizer


MODELS = {
    "gpt2": TinyModel(
        "GPT2Config",
        {"n_positions": 256, "n_embd": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.1},
        lambda: byte_level("gpt-2"),
        END,
        END,
    ),
    "gptneox": TinyModel("GPTNeoXConfig", SIZES, lambda: byte_level("gpt-2"), None, END),
    "llama": TinyModel("LlamaConfig", GROUPED, lambda: sentencepiece(True), "<bos>", "<eos>"),
    "llama-bpe": TinyModel(
        "LlamaConfig",
        GROUPED | {"rope_parameters": LLAMA3, "max_position_embeddings": 16384},
        lambda: byte_level("llama-bpe"),
        None,
        END,
    ),
    "mistral": TinyModel("MistralConfig", GROUPED, lambda: sentencepiece(True), "<bos>", "<eos>"),
    "qwen2": TinyModel("Qwen2Config", GROUPED, lambda: byte_level("qwen2"), None, END),
    "qwen3": TinyModel("Qwen3Config", GROUPED | {"head_dim": 16}, lambda: byte_level("qwen2"), None, END),
    "gemma2": TinyModel("Gemma2Config", WINDOWED, lambda: sentencepiece(False), "<bos>", "<eos>"),
    "gemma3": TinyModel(
        "Gemma3TextConfig", WINDOWED | {"rope_parameters": STRETCHED}, lambda: sentencepiece(False), "<bos>", "<eos>"
    ),
}
