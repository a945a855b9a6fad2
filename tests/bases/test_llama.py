"""Llama's family: the same model and the same tokens in transformers and in llama.cpp."""

from pathlib import Path

import gguf
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapted import adapted_model, logits
from manera.bases import base_model, gguf_file, metadata
from manera.bases.families import family_of
from manera.bases.gguf_file import write_trimmed
from manera.bases.templates import chat_template
from manera.bases.tokenizer import build_tokenizer, read_vocabulary, token_bytes, trimmed
from manera.bases.vocabulary import kept_tokens
from manera.dataset.encoding import IGNORE_INDEX, Encoder
from manera.errors import ModelError
from manera.exports.read_gguf import Questions, ask
from manera.generation.engine import Request, Token, stream
from manera.generation.llama_cpp import open_engine
from manera.records import Example, Message
from manera.training import lora
from manera.voice import adapter
from manera.voice.manifest import Sampling
from tiny import TEXT
from tiny_llama import write_tiny_llama

GREEDY = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)
ALPHA = 8.0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("bases") / "llama")


@pytest.fixture(scope="module")
def encoder(base: Path) -> Encoder:
    return Encoder(base_model.load_tokenizer(base), chat_template("dialogue", base_model.read(base)))


def test_llama_cpp_computes_what_transformers_does_with_an_adapter_and_without(
    base: Path, encoder: Encoder, tmp_path: Path
) -> None:
    model = adapted_model(base, strength=0.2)
    adapter.write_gguf(lora.adapter_state(model), tmp_path / "adapter.gguf", ALPHA, base)
    ids = [encoder.bos, *encoder.text(TEXT.strip())][:60]
    with lora.measuring(model, with_adapter=False):
        plain = logits(model, ids).log_softmax(-1)
    adapted = logits(model, ids).log_softmax(-1)
    assert (adapted - plain).abs().mean() > 0.05
    with open_engine(base / "base.gguf", {"a": tmp_path / "adapter.gguf"}, slots=1, context_length=256) as engine:
        for weights, expected in (({}, plain), ({"a": 1.0}, adapted)):
            for place in range(5, len(ids), 7):
                token, *_ = stream(engine, Request(ids[: place + 1], GREEDY, adapters=weights, top_logprobs=1))
                assert isinstance(token, Token)
                assert token.top[0][1] == pytest.approx(float(expected[place].max()), abs=0.02)


def test_an_adapter_is_read_back_from_gguf_as_it_was(base: Path, tmp_path: Path) -> None:
    state = lora.adapter_state(adapted_model(base, strength=0.2))
    adapter.write_gguf(state, tmp_path / "adapter.gguf", ALPHA, base)
    read, alpha = adapter.read_gguf(tmp_path / "adapter.gguf", base)
    assert alpha == ALPHA
    assert read.keys() == state.keys()
    for name, matrix in read.items():
        torch.testing.assert_close(torch.from_numpy(matrix), state[name], rtol=1e-3, atol=1e-4)


def test_a_merged_model_writes_as_base_and_adapter_do(base: Path, encoder: Encoder, tmp_path: Path) -> None:
    model = adapted_model(base, strength=0.2)
    state = lora.adapter_state(model)
    adapter.write_merged(base / "base.gguf", state, 2.0, tmp_path / "merged.gguf", gguf.GGMLQuantizationType.F32)
    ids = [encoder.bos, *encoder.text(TEXT.strip())][:40]
    expected = logits(model, ids).log_softmax(-1)
    compared = 0
    with open_engine(tmp_path / "merged.gguf", slots=1, context_length=256) as engine:
        for place in range(5, len(ids), 3):
            token, *_ = stream(engine, Request(ids[: place + 1], GREEDY, top_logprobs=1))
            if isinstance(token, Token):  # what is only part of a character has no text yet
                assert token.top[0][1] == pytest.approx(float(expected[place].max()), abs=0.02)
                compared += 1
    assert compared > 5


@given(text=st.text(max_size=60))
def test_every_text_is_read_and_written_back(base: Path, encoder: Encoder, text: str) -> None:
    assert encoder.decode(encoder.text(text)) == text.encode("utf-8", "replace").decode()


def test_llama_cpp_reads_the_same_tokens(base: Path, tmp_path: Path) -> None:
    """Asked through its own server, with a template that only writes what was said."""
    reader = metadata.open_gguf(base / "base.gguf")
    writer = gguf.GGUFWriter(path=None, arch="llama")
    gguf_file.copy_metadata(reader, writer)
    writer.add_chat_template("{{ messages[-1]['content'] }}")
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    gguf_file.write_whole(writer, tmp_path / "asked.gguf")
    texts = ["It's 2024 — naïve café 😂 ▁ Ġ x 'll", "Зима! Крестьянин, торжествуя: 100500", "a  b\n\nc   d"]
    found = ask(tmp_path / "asked.gguf", Questions([[Message("user", text)] for text in texts], []))
    tokenizer = base_model.load_tokenizer(base)
    assert found.ids == [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_what_a_base_was_taught_is_how_it_is_asked_and_learns(encoder: Encoder) -> None:
    talk = Example((Message("user", "Where are you?"), Message("assistant", "At home.")))
    encoded = encoder.example(talk)
    text = encoder.tokenizer.decode(encoded.input_ids, skip_special_tokens=False)
    assert (
        text == "<|endoftext|><|im_start|>user\nWhere are you?<|im_end|>\n<|im_start|>assistant\nAt home.<|im_end|>\n"
    )
    learned = [index for index in encoded.labels if index != IGNORE_INDEX]
    assert encoder.tokenizer.decode(learned, skip_special_tokens=False) == "At home.<|im_end|>"


def test_bytes_of_tokens_add_up_to_the_text(encoder: Encoder) -> None:
    text = "Зима! It's 😂 naïve."
    written = token_bytes(encoder.tokenizer)
    assert b"".join(written[index] for index in encoder.text(text)) == text.encode()


def test_a_trimmed_vocabulary_reads_its_own_text_as_before(base: Path, tmp_path: Path) -> None:
    reader = metadata.open_gguf(base / "base.gguf")
    whole = read_vocabulary(reader)
    text = "It was the best of times; call me when you get home."
    wanted = build_tokenizer(whole).encode(text, add_special_tokens=False)
    kept = kept_tokens(whole, wanted.ids)
    assert len(kept) < len(whole.pieces)
    assert build_tokenizer(trimmed(whole, kept)).encode(text, add_special_tokens=False).tokens == wanted.tokens
    write_trimmed(reader, kept, tmp_path / "trimmed.gguf")
    assert read_vocabulary(metadata.open_gguf(tmp_path / "trimmed.gguf")) == trimmed(whole, kept)
    other = build_tokenizer(trimmed(whole, kept))
    assert other.decode(other.encode("Зима, 😂", add_special_tokens=False).ids) == "Зима, 😂"


def test_a_foreign_architecture_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(path=None, arch="mamba")
    writer.add_block_count(1)
    gguf_file.write_whole(writer, tmp_path / "base.gguf")
    with pytest.raises(ModelError, match="'mamba'") as caught:
        family_of(base_model.open_weights(tmp_path))
    assert "llama" in str(caught.value.hint)
