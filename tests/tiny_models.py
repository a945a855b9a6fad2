"""Small random models of real classes, each with a tokenizer of the kind that comes with them, as their makers save
them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, trainers

from manera.bases.pre_tokenizers import PRE_TOKENIZERS
from tiny import TEXT

END = "<|endoftext|>"
PIECES = 700


class TinyModel(NamedTuple):
    """One architecture: its configuration for a vocabulary, and how its tokenizer parts text."""

    configure: Callable[[int], Any]
    pre: str


def gpt2(vocabulary: int) -> Any:
    return transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=256, n_embd=64, n_layer=2, n_head=4, initializer_range=0.15
    )


MODELS = {
    "gpt2": TinyModel(gpt2, "gpt-2"),
}


def save_tiny_model(name: str, folder: Path) -> Path:
    """Save a folder of Hugging Face files, and return it."""
    made = MODELS[name]
    tokenizer = byte_level_tokenizer(made.pre)
    with torch.random.fork_rng():
        torch.manual_seed(23)
        # with rows to spare, as many have
        model = transformers.AutoModelForCausalLM.from_config(made.configure(tokenizer.get_vocab_size() + 5))
    model.save_pretrained(folder)
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)
    wrapped.save_pretrained(folder)
    return folder


def byte_level_tokenizer(pre: str) -> Tokenizer:
    """Train a small tokenizer of byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = trainers.BpeTrainer(vocab_size=PIECES, show_progress=False)
    alphabet.initial_alphabet = sorted(byte_letters())
    tokenizer.train_from_iterator([TEXT], alphabet)
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return tokenizer


def byte_letters() -> set[str]:
    from manera.bases.tokenizer import byte_of_letter

    return set(byte_of_letter())
