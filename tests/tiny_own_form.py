"""Small random models of classes that llama.cpp does not compute, saved as their makers save them, tokenizers too."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from manera.bases import base_model
from tiny import TEXT

PIECES = 500
NAMES = ("gptj", "t5", "bart")


def save(name: str, folder: Path) -> Path:
    """Save a folder of Hugging Face files, and return it."""
    tokenizer: Any = {"gptj": _gpt, "t5": _t5, "bart": _bart}[name]()
    rows = len(tokenizer) + 3  # some to spare, as the real ones have
    with torch.random.fork_rng():
        torch.manual_seed(24)
        _model(name, rows, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_base(name: str, folder: Path) -> Path:
    """Write the base folder of such a model, and return it."""
    base_model.build_own_form(save(name, folder / "saved"), f"tiny-{name}", "seed 24", folder / "base")
    return folder / "base"


def _model(name: str, rows: int, tokenizer: Any) -> Any:
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if name == "gptj":
        shape = {"n_positions": 512, "n_embd": 64, "n_layer": 2, "n_head": 4, "rotary_dim": 8}
        return transformers.GPTJForCausalLM(
            transformers.GPTJConfig(vocab_size=rows, initializer_range=0.3, **shape, **ends)
        )
    ends["pad_token_id"] = tokenizer.pad_token_id
    if name == "t5":
        shape = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
        start = {"decoder_start_token_id": tokenizer.pad_token_id}
        return transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=rows, **shape, **start, **ends))
    layers = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    shape = {"d_model": 64, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_position_embeddings": 512}
    start = {"decoder_start_token_id": tokenizer.eos_token_id}
    return transformers.BartForConditionalGeneration(
        transformers.BartConfig(vocab_size=rows, init_std=0.1, **shape, **layers, **start, **ends)
    )


def _gpt() -> Any:
    tokenizer = _byte_level(["<|endoftext|>"])
    return transformers.GPT2TokenizerFast(tokenizer_object=tokenizer)


def _bart() -> Any:
    return transformers.BartTokenizerFast(tokenizer_object=_byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))


def _byte_level(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def _t5() -> Any:
    """SentencePiece's unigrams, without bytes: as T5's, what it has no piece of is unknown."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=PIECES, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
