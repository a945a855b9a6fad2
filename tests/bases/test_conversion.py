"""A folder of Hugging Face files becomes a GGUF file, whichever of their forms it has; what is amiss is named."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from manera.bases import base_model, conversion, metadata
from manera.bases.templates import chat_template
from manera.bases.tokenizer import read_vocabulary
from manera.dataset.encoding import IGNORE_INDEX, Encoder
from manera.errors import ModelError
from manera.records import Example, Message
from tiny import train_vocabulary
from tiny_models import END, byte_level, save_tiny_model

THINKING = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""As Qwen 3 writes it: earlier turns lose their thoughts."""


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model("gpt2", tmp_path_factory.mktemp("saved") / "gpt2")


@pytest.fixture
def folder(gpt2: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(gpt2, tmp_path / "gpt2")
    return tmp_path / "gpt2"


def converted(folder: Path) -> gguf.GGUFReader:
    path = folder.parent / f"{folder.name}.gguf"
    conversion.write_gguf(folder, path)
    return metadata.open_gguf(path)


def told_in(folder: Path, name: str = "config.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / name).read_text())
    return document


def change(folder: Path, **settings: object) -> None:
    (folder / "config.json").write_text(json.dumps(told_in(folder) | settings))


def shard(folder: Path) -> list[str]:
    """Write the weights as shards with an index; return the shards' names."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    return sorted(set(told_in(folder, "model.safetensors.index.json")["weight_map"].values()))


def pickle(folder: Path) -> None:
    """Write the weights as torch pickles them, with names as OpenAI's file has them."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(
        {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}, folder / "pytorch_model.bin"
    )


@pytest.mark.parametrize("written", [shard, pickle])
def test_weights_are_the_same_in_every_form(gpt2: Path, folder: Path, written: Callable[[Path], object]) -> None:
    expected = {tensor.name: tensor.data for tensor in converted(shutil.copytree(gpt2, folder.parent / "as")).tensors}
    written(folder)
    found = {tensor.name: tensor.data for tensor in converted(folder).tensors}
    assert found.keys() == expected.keys()
    for name, data in found.items():
        np.testing.assert_array_equal(data, expected[name])


def test_the_vocabulary_is_the_same_from_gpt2s_two_files(gpt2: Path, folder: Path) -> None:
    expected = read_vocabulary(converted(shutil.copytree(gpt2, folder.parent / "as")))
    model = told_in(folder, "tokenizer.json")["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(merge) for merge in model["merges"]))
    (folder / "added_tokens.json").write_text(json.dumps({END: len(model["vocab"]), "    ": len(model["vocab"]) + 1}))
    (folder / "tokenizer.json").unlink()
    assert read_vocabulary(converted(folder)) == expected


def test_the_vocabulary_is_read_from_sentencepieces_own_file(tmp_path: Path) -> None:
    folder = save_tiny_model("llama", tmp_path / "llama")
    (folder / "tokenizer.json").unlink()
    vocabulary = train_vocabulary()
    (folder / "tokenizer.model").write_bytes(sentencepiece(model_type=2))
    found = read_vocabulary(converted(folder))
    count = len(vocabulary.pieces)
    assert found.pieces[:count] == vocabulary.pieces
    assert found.kinds[:count] == vocabulary.kinds
    assert found.scores[:count] == pytest.approx(vocabulary.scores)
    (folder / "tokenizer.model").write_bytes(sentencepiece(model_type=1))
    with pytest.raises(ModelError, match="otherwise than by BPE"):
        converted(folder)
    (folder / "tokenizer.model").write_bytes(sentencepiece(model_type=2)[:-3])
    with pytest.raises(ModelError, match="no model of SentencePiece"):
        converted(folder)


def sentencepiece(model_type: int) -> bytes:
    """Write the tiny vocabulary as SentencePiece does."""
    vocabulary = train_vocabulary()
    pieces = [
        field(1, field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind]))
        for piece, score, kind in zip(*vocabulary[:3], strict=True)
    ]
    return b"".join(pieces) + field(2, bytes([3 << 3, model_type]))


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def test_what_an_instruction_base_was_taught_is_how_it_is_asked(folder: Path) -> None:
    tokenizer = byte_level("gpt-2")
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>"])
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token=END)
    wrapped.chat_template = THINKING
    wrapped.save_pretrained(folder)
    converted(folder)
    base_model.build(folder.parent / "gpt2.gguf", "taught", "seed 23", (), folder.parent / "base")
    base = base_model.read(folder.parent / "base")
    assert (base.bos, base.end_of_text, base.end_of_turn) == (END, END, "<|im_end|>")
    encoder = Encoder(base_model.load_tokenizer(folder.parent / "base"), chat_template("dialogue", base))
    talk = [
        Message("user", "Where?"),
        Message("assistant", "At home."),
        Message("user", "So?"),
        Message("assistant", "I"),
    ]
    encoded = encoder.example(Example(tuple(talk)))
    turn = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert encoder.tokenizer.decode(encoded.input_ids, skip_special_tokens=False) == (
        f"{END}<|im_start|>user\nWhere?<|im_end|>\n{turn}At home.<|im_end|>\n"
        f"<|im_start|>user\nSo?<|im_end|>\n{turn}I<|im_end|>\n"
    )
    learned = [index for index in encoded.labels if index != IGNORE_INDEX]
    assert encoder.tokenizer.decode(learned, skip_special_tokens=False) == "At home.<|im_end|>I<|im_end|>"


def lose_a_shard(folder: Path) -> str:
    lost = shard(folder)[1]
    (folder / lost).unlink()
    return lost


def cut_the_weights(folder: Path) -> str:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    return "model.safetensors cannot be read"


def pickle_code(folder: Path) -> str:
    (folder / "model.safetensors").unlink()
    torch.save({"a": Path("/")}, folder / "pytorch_model.bin")
    return "pytorch_model.bin cannot be read"


def lose_weights(folder: Path) -> str:
    (folder / "model.safetensors").unlink()
    return "has no weights"


def lose_a_tensor(folder: Path) -> str:
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.ln_1.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return "lack transformer.h.1.ln_1.weight"


def say_another_width(folder: Path) -> str:
    change(folder, n_embd=128)
    return r"transformer\.\S+ in \S+ is \(\S.*\), which its config.json does not say"


def add_tokens(folder: Path) -> str:
    tokenizer = told_in(folder, "tokenizer.json")
    tokenizer["model"]["vocab"] |= {f"more{index}": 800 + index for index in range(3)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return "has 803 tokens, and the model's embedding 707 rows"


def end_with_a_token_without_a_row(folder: Path) -> str:
    change(folder, vocab_size=told_in(folder, "tokenizer.json")["added_tokens"][0]["id"])
    return r"has the token '<\|endoftext\|>', and the model's embedding 700 rows"


def lose_the_tokenizer(folder: Path) -> str:
    (folder / "tokenizer.json").unlink()
    return "has no tokenizer"


def spoil_the_tokenizer(folder: Path) -> str:
    (folder / "tokenizer.json").write_text('{"model": ')
    return "tokenizer.json cannot be read"


def part_text_in_another_way(folder: Path) -> str:
    tokenizer = told_in(folder, "tokenizer.json")
    tokenizer["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return "parts text in a way that is not known"


def be_a_model_of_pictures(folder: Path) -> str:
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    return "'vit'"


def bring_code(folder: Path) -> str:
    change(folder, model_type="mine", auto_map={"AutoConfig": "code.Config"})
    (folder / "code.py").write_text("raise SystemExit('run')")
    return "config.json cannot be used"


def say_nothing(folder: Path) -> str:
    (folder / "config.json").write_text("{}")
    return "config.json cannot be used"


def say_half(folder: Path) -> str:
    (folder / "config.json").write_text('{"model_type": "gp')
    return "config.json cannot be used"


def compute_otherwise(folder: Path) -> str:
    change(folder, activation_function="relu")
    return "activation_function = 'relu'; llama.cpp computes gpt2 models with 'gelu_new' alone"


@pytest.mark.parametrize(
    "spoil",
    [
        lose_a_shard,
        cut_the_weights,
        pickle_code,
        lose_weights,
        lose_a_tensor,
        say_another_width,
        add_tokens,
        end_with_a_token_without_a_row,
        lose_the_tokenizer,
        spoil_the_tokenizer,
        part_text_in_another_way,
        be_a_model_of_pictures,
        bring_code,
        say_nothing,
        say_half,
        compute_otherwise,
    ],
)
def test_what_is_amiss_in_a_folder_is_named(folder: Path, spoil: Callable[[Path], str]) -> None:
    with pytest.raises(ModelError, match=spoil(folder)) as caught:
        converted(folder)
    assert caught.value.hint
    assert not (folder.parent / "gpt2.gguf").exists()


def test_of_a_model_that_sees_the_half_that_writes_is_taken(tmp_path: Path) -> None:
    folder = save_tiny_model("gemma3", tmp_path / "gemma3")
    text = transformers.AutoModelForCausalLM.from_pretrained(folder)
    sight = transformers.SiglipVisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    with torch.random.fork_rng():
        seeing = transformers.Gemma3ForConditionalGeneration(
            transformers.Gemma3Config(text_config=text.config, vision_config=sight, mm_tokens_per_image=4)
        )
    seeing.model.language_model.load_state_dict(text.model.state_dict())
    (folder / "model.safetensors").unlink()
    seeing.save_pretrained(folder)
    assert told_in(folder)["model_type"] == "gemma3"
    conversion.write_gguf(folder, tmp_path / "whole.gguf")
    base_model.build(tmp_path / "whole.gguf", "seeing", "seed 23", (), tmp_path / "base")
    ids = torch.arange(300, 340)[None]
    with torch.no_grad():
        expected = text(ids).logits.log_softmax(-1)
        torch.testing.assert_close(
            base_model.load(tmp_path / "base")(ids).logits.log_softmax(-1), expected, rtol=0.05, atol=0.2
        )
