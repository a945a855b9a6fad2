"""The built-in base itself: trimmed without loss, and the same in transformers and llama.cpp."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor

from adapted import adapted_model, logits
from manera.bases import base_model, metadata
from manera.bases.catalogue import GEMMA_3_270M
from manera.bases.family import EMBEDDING
from manera.bases.tokenizer import BYTE, CONTROL, build_tokenizer, read_vocabulary
from manera.bases.vocabulary import kept_tokens, language_tokens
from manera.dataset.encoding import Encoder
from manera.generation.engine import Request, Token, stream
from manera.generation.llama_cpp import open_engine
from manera.training import lora
from manera.voice import adapter
from manera.voice.manifest import Sampling
from tiny import GEMMA_TURNS, TEXT

pytestmark = pytest.mark.slow
ONE_STEP = Sampling(temperature=0, repetition_penalty=None, max_new_tokens=1)


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    with GEMMA_3_270M.whole() as path:
        yield path


@pytest.fixture(scope="module")
def full(whole: Path) -> Tokenizer:
    return build_tokenizer(read_vocabulary(metadata.open_gguf(whole)))


@pytest.fixture(scope="module")
def encoder(builtin_base: Path) -> Encoder:
    return Encoder(base_model.load_tokenizer(builtin_base), GEMMA_TURNS)


def share_read_alike(full: Tokenizer, encoder: Encoder, text: str) -> float:
    """Compare where all tokens are kept; return how many of the text's tokens that is."""
    full.encode_special_tokens = True
    known = encoder.tokenizer.get_vocab()
    alike = total = 0
    for line in text.splitlines(keepends=True):
        pieces = full.encode(line, add_special_tokens=False).tokens
        total += len(pieces)
        if all(piece in known for piece in pieces):
            assert encoder.tokenizer.encode(line, add_special_tokens=False).tokens == pieces
            alike += len(pieces)
        assert encoder.decode(encoder.text(line)) == line
    return alike / total


def test_russian_and_english_read_as_before_trimming(full: Tokenizer, encoder: Encoder) -> None:
    assert share_read_alike(full, encoder, TEXT) == 1
    assert (
        share_read_alike(full, encoder, "Хахахахаха!!! ааааааааа нууууу... 😂😂😂 1234567890 --- №5 «ёлки»\n" * 3) == 1
    )


def test_books_read_as_before_trimming(full: Tokenizer, encoder: Encoder, shared_data: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in sorted((shared_data / "plays_ru").glob("*.txt")))
    assert len(text) > 400_000
    assert share_read_alike(full, encoder, text) > 0.97


def test_trimming_keeps_rows_specials_and_bytes(builtin_base: Path, whole: Path) -> None:
    before, after = metadata.open_gguf(whole), metadata.open_gguf(builtin_base / "base.gguf")
    old, new = read_vocabulary(before), read_vocabulary(after)
    kept = kept_tokens(old, {index for one in ("ru", "en") for index in language_tokens(GEMMA_3_270M.name, one)})
    assert [old.pieces[index] for index in kept] == new.pieces
    assert new.kinds.count(BYTE) == 256
    assert {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"} <= {
        piece for piece, kind in zip(new.pieces, new.kinds, strict=True) if kind == CONTROL
    }
    rows = {tensor.name: tensor for tensor in after.tensors}
    for tensor in before.tensors:
        expected = tensor.data[kept] if tensor.name == EMBEDDING else tensor.data
        assert rows[tensor.name].data.tobytes() == expected.tobytes()


def test_the_description_is_that_of_the_file(builtin_base: Path) -> None:
    described = base_model.read(builtin_base)
    assert (described.id, described.revision) == (GEMMA_3_270M.name, GEMMA_3_270M.sha256)
    assert described.languages == ("en", "ru")
    assert described.vocabulary == base_model.load_tokenizer(builtin_base).get_vocab_size()
    assert described.context_length == 32768


@pytest.fixture(scope="module")
def ids(encoder: Encoder) -> list[int]:
    return [encoder.bos, *encoder.text(TEXT.strip())][:128]


@pytest.fixture(scope="module")
def spoken(builtin_base: Path, ids: list[int], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor, Tensor]:
    """A moderately strong random adapter on disk, and log-probabilities without and with it."""
    folder = tmp_path_factory.mktemp("adapter")
    model = adapted_model(builtin_base, strength=0.005)
    adapter.write_gguf(lora.adapter_state(model), folder / "adapter.gguf", 8.0, builtin_base)
    with lora.measuring(model, with_adapter=False):
        before = logits(model, ids).log_softmax(-1)
    return folder / "adapter.gguf", before, logits(model, ids).log_softmax(-1)


def test_the_base_predicts_real_text(spoken: tuple[Path, Tensor, Tensor], ids: list[int]) -> None:
    _, before, after = spoken
    scored = before[:-1].gather(1, torch.tensor(ids[1:])[:, None])
    assert -scored.mean() < 4.5  # nats, on lines of several authors
    assert 0.1 < (after - before).abs().mean() < 3


def test_llama_cpp_agrees_with_transformers_token_by_token(
    builtin_base: Path, spoken: tuple[Path, Tensor, Tensor], ids: list[int], encoder: Encoder
) -> None:
    path, before, after = spoken
    texts = [encoder.decode([index]) for index in range(before.shape[1])]
    ids_of: dict[str, list[int]] = {}  # a letter and its byte look alike
    for index, text in enumerate(texts):
        ids_of.setdefault(text, []).append(index)
    places = range(3, len(ids), 3)
    with open_engine(builtin_base / "base.gguf", {"a": path}, slots=1, context_length=256, threads=1) as engine:
        for adapters, expected in (({}, before), ({"a": 1.0}, after)):
            clear, differences = [], []
            for place in places:
                token, *_ = stream(engine, Request(ids[: place + 1], ONE_STEP, adapters=adapters, top_logprobs=3))
                assert isinstance(token, Token)
                row = expected[place]
                first, second = row.topk(2).values.tolist()
                if first - second > 0.2:
                    clear.append(token.top[0][0] == texts[int(row.argmax())])
                differences += [abs(logprob - float(row[ids_of[text]].max())) for text, logprob in token.top]
            # llama.cpp rounds to eight bits what flows through quantized layers
            assert len(clear) > len(places) / 2
            assert statistics.fmean(clear) >= 0.9, adapters
            assert statistics.median(differences) < 0.15, adapters
            assert statistics.fmean(differences) < 0.25, adapters
