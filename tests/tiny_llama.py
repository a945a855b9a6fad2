"""A real base of Llama's architecture with a byte-level tokenizer, small enough to build in a second."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from manera.bases import base_model
from manera.bases.catalogue import SMOLLM2_135M
from manera.bases.gguf_file import write_whole
from manera.bases.tokenizer import CONTROL, NORMAL, Vocabulary
from tiny import TEXT

NAME = "tiny-llama"
LAYERS, WIDTH, HEADS, KEY_VALUE_HEADS, FEED_FORWARD = 2, 64, 4, 2, 128
PIECES = 700
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_HEAD_WIDTH = WIDTH // HEADS
_SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (KEY_VALUE_HEADS * _HEAD_WIDTH, WIDTH),
    "attn_v": (KEY_VALUE_HEADS * _HEAD_WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (FEED_FORWARD, WIDTH),
    "ffn_up": (FEED_FORWARD, WIDTH),
    "ffn_down": (WIDTH, FEED_FORWARD),
}


def write_tiny_llama(folder: Path) -> Path:
    """Write a base folder just as ``base_model.build`` does, and return it."""
    folder.mkdir(parents=True)
    _write_model(folder / base_model.GGUF, byte_level_vocabulary())
    base_model.describe(folder, NAME, revision="seed 21", languages=("en",), special=SMOLLM2_135M)
    return folder


def byte_level_vocabulary() -> Vocabulary:
    """Train a small vocabulary in GPT-2's manner."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    pieces = [piece for piece, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    kinds = [CONTROL if piece in SPECIAL else NORMAL for piece in pieces]
    learned = pieces[len(SPECIAL) + 256 :]
    known = set(pieces)
    merges = [_merge(piece, known) for piece in learned]
    return Vocabulary(pieces, [0.0] * len(pieces), kinds, merges, "smollm")


def _merge(piece: str, known: set[str]) -> str:
    """Return two parts of a piece that are pieces themselves: which two does not matter here."""
    return next(f"{piece[:cut]} {piece[cut:]}" for cut in range(1, len(piece)) if {piece[:cut], piece[cut:]} <= known)


def _write_model(path: Path, vocabulary: Vocabulary) -> None:
    writer = GGUFWriter(path=None, arch="llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    writer.add_rope_dimension_count(_HEAD_WIDTH)
    writer.add_vocab_size(len(vocabulary.pieces))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_bos_token_id(SPECIAL.index("<|endoftext|>"))
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_unk_token_id(SPECIAL.index("<|endoftext|>"))
    writer.add_pad_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    for name, tensor in _weights(len(vocabulary.pieces)):
        writer.add_tensor(f"{name}.weight", tensor, raw_dtype=gguf.GGMLQuantizationType.F32)
    write_whole(writer, path)


def _weights(pieces: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    rng = np.random.default_rng(21)
    yield "token_embd", rng.normal(0, 0.5, (pieces, WIDTH)).astype(np.float32)
    yield "output_norm", rng.normal(1, 0.1, WIDTH).astype(np.float32)
    for layer in range(LAYERS):
        for name, shape in _SHAPES.items():
            yield f"blk.{layer}.{name}", rng.normal(0, shape[1] ** -0.5, shape).astype(np.float32)
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}", rng.normal(1.5, 0.2, WIDTH).astype(np.float32)
